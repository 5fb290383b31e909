"""Layers of one's own that do something in training alone.

A DropPath gives its input itself, but for a training, in which it draws numbers that no
graph shows. So removing channels before it is exact, whatever it draws.
"""

import concurrent.futures
import inspect
import random
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

_EXAMPLES = 2
_PIXELS = 3  # Along an axis of unknown length, and of any where few do.
# Layer -> by shape: whether it trains. Every walk of a graph asks again.
_KNOWN: weakref.WeakKeyDictionary[keras.Operation, dict[tuple, bool]] = (
    weakref.WeakKeyDictionary()
)


def passes(
    layer: keras.Operation,
    shapes: Sequence[tuple],
    arguments: tuple[Sequence, Mapping[str, Any]] = ((), {}),
) -> bool:
    """Whether a layer gives its input itself, but for a training, at any width.

    Args:
        layer: Built; of a class outside of Keras.
        shapes: Of the tensors that it is called on.
        arguments: Of the call, by position and by name. Beside the tensor there may be
            none that says anything, as `training=True` does.

    >>> class Noisy(keras.layers.Layer):
    ...     def call(self, x, training=False):
    ...         return x + keras.random.normal(x.shape) if training else x
    >>> passes(Noisy(), [(None, 5)]), passes(keras.layers.Dropout(0.5), [(None, 5)])
    (True, False)
    """
    others = [*arguments[0][1:], *arguments[1].values()]
    if (
        not isinstance(layer, keras.layers.Layer)
        or isinstance(layer, keras.Model)
        or type(layer).__module__.partition(".")[0] == "keras"
        or len(shapes) != 1
        or len(shapes[0]) < 2
        or not shapes[0][-1]
        or layer.weights
        or not all(one is None or one is False for one in others)
        or "training" not in inspect.signature(layer.call).parameters
    ):
        return False
    x = keras.KerasTensor(shapes[0])
    try:
        return layer.call(x, training=False) is x and _trains(layer, tuple(shapes[0]))
    except Exception:  # `call` is anybody's code.
        return False


def _trains(layer: keras.layers.Layer, shape: tuple) -> bool:
    """Whether a copy can be called in a training, on one channel more."""
    known = _KNOWN.setdefault(layer, {})
    if shape not in known:
        middle = [n or _PIXELS for n in shape[1:-1]]
        sizes = [min(n, _PIXELS) for n in middle], middle
        known[shape] = any(
            _apart(lambda size=size: _works(layer, (*size, shape[-1] + 1)))
            for size in sizes
        )
    return known[shape]


def _works(layer: keras.layers.Layer, shape: tuple) -> bool:
    """Whether a copy keeps the shape of examples of this shape in a training."""
    try:
        copy = type(layer).from_config(layer.get_config())
        x = np.ones((_EXAMPLES, *shape), layer.compute_dtype)
        return tuple(copy(x, training=True).shape) == x.shape
    except Exception:  # `call` is anybody's code, and may want more pixels.
        return False


def _apart(work: Callable[[], bool]) -> bool:
    """Does work that draws random numbers, and leaves the generators as they were.

    Keras has its global one by thread, and draws its seed with Python's.
    """
    state = random.getstate()
    try:
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(work).result()
    finally:
        random.setstate(state)
