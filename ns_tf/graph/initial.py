"""Initialisers of given numbers, as of an embedding that begins with known vectors."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.weights import names


def fitted(
    layer: keras.layers.Layer,
    config: Mapping[str, Any],
    graph: ChannelGraph,
    length: Callable[[np.ndarray], int],
) -> Mapping[str, Any]:
    """The configuration of a layer whose arrays of initial numbers fit its new size.

    `Constant(array)` gives a weight of the array's shape alone. Of an axis of another
    length it becomes the numbers at equal distances, as `Spread` takes them. Where a
    network inherits weights they are set afterwards.

    Args:
        layer: Built.
        config: Its configuration; perhaps of layers within.
        graph: The channel graph of its model.
        length: Channels of an axis -> its new length.

    Returns:
        The configuration itself where it holds no such array.
    """
    if not any(_arrays(config)):
        return config
    sizes: dict[tuple[str, tuple[int, ...]], list] = {}
    for weight, name in zip(layer.weights, names(layer).values(), strict=True):
        axes = graph.axes.get((layer.name, name)) or (None,) * len(weight.shape)
        after = [None if axis is None else int(length(axis)) for axis in axes]
        for called in (f"{weight.name}_initializer", ""):
            sizes.setdefault((called, tuple(weight.shape)), after)

    def changed(entry: Any, called: str = "") -> Any:
        if isinstance(entry, (list, tuple)):
            return type(entry)(changed(one) for one in entry)
        if not isinstance(entry, Mapping):
            return entry
        if not _is_array(entry):
            return {name: changed(one, name) for name, one in entry.items()}
        values = _values(entry)
        whole = sizes.get((called, values.shape)) or sizes.get(("", values.shape))
        for axis, size in enumerate(whole or ()):
            if size is not None and size != values.shape[axis]:
                places = np.arange(size) * values.shape[axis] // size
                values = np.take(values, places, axis)
        return keras.initializers.serialize(keras.initializers.Constant(values))

    return changed(config)


def _arrays(config: Any) -> Iterator[bool]:
    """True for each `Constant(array)` in a configuration."""
    if isinstance(config, Mapping):
        if _is_array(config):
            yield True
            return
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for one in config:
            yield from _arrays(one)


def _is_array(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a configuration is a `Constant` of more than one number."""
    constant = entry.get("class_name") == "Constant" and "config" in entry
    return constant and not np.isscalar(entry["config"].get("value", 0.0))


def _values(entry: Mapping[str, Any]) -> np.ndarray:
    """The numbers of a `Constant`."""
    value = keras.initializers.deserialize(dict(entry)).value
    return np.asarray(keras.ops.convert_to_numpy(value))
