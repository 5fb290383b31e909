"""How hard gates that learn are pulled on, as it is asked for."""

import contextlib
import math
from typing import Any

from ns_tf.base import InputError

AUTO = "auto"  # A strength that follows the budgets.


def strength_text(value: Any) -> str:
    """A strength as text, the same from the command line and from Python.

    >>> strength_text("auto"), strength_text(0.50), strength_text("0.5")
    ('auto', '0.5', '0.5')

    Args:
        value: "auto", or a number of at least 0.

    Raises:
        InputError: it is neither.
    """
    if value == AUTO:
        return AUTO
    with contextlib.suppress(TypeError, ValueError):
        if 0 <= float(value) < math.inf:
            return repr(float(value))
    raise InputError(f"--strength is auto or a number of at least 0; got {value!r}.")


def strength_of(text: str) -> float | None:
    """The strength as a number; None if it follows the budgets.

    >>> strength_of("0.5"), strength_of("auto")
    (0.5, None)

    Args:
        text: As of `strength_text`.
    """
    return None if text == AUTO else float(text)
