"""Which places of outputs count: those that no layer masks."""

from typing import Any

import keras


def mask_of(outputs: Any) -> Any:
    """bool [batch, ...]: places of outputs that count; None if all do.

    Layers mask the steps that pad a sequence (`mask_zero`), and Keras leaves them out
    of its losses.

    Args:
        outputs: As a network gives them, [batch, ..., k].
    """
    # Keras hands masks down as a private attribute of tensors.
    return getattr(outputs, "_keras_mask", None)


def counted(values: Any, mask: Any) -> Any:
    """1 where a value counts and 0 where its place is masked, of the values' shape.

    Args:
        values: [batch, ...].
        mask: [batch, ...], of the first axes; None if all count.
    """
    ones = keras.ops.ones_like(values)
    if mask is None:
        return ones
    missing = len(values.shape) - len(mask.shape)
    mask = keras.ops.reshape(mask, (*keras.ops.shape(mask), *(1,) * missing))
    return ones * keras.ops.cast(mask, values.dtype)
