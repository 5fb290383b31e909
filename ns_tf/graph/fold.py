"""Gates put into the kernels that read them, so that nothing is left to compute."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import gates as places
from ns_tf.graph.channels import NONE, Axes, Call, ChannelGraph
from ns_tf.graph.rules import MAKE
from ns_tf.graph.weights import Key


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """A kernel that reads gated channels.

    Args:
        key: Of the kernel.
        axis: Along which it reads.
        channels: [axis] channel numbers.
    """

    key: Key
    axis: int
    channels: np.ndarray

    def factors(self, gates: np.ndarray, ndim: int) -> np.ndarray:
        """Gates of the channels that are read, in a shape that the kernel takes.

        Args:
            gates: [n].
            ndim: Axes of the kernel.
        """
        own = np.where(self.channels == NONE, 1.0, gates[self.channels])
        return self.along(own, ndim)

    def along(self, values: np.ndarray, ndim: int) -> np.ndarray:
        """Values of the channels that are read, in a shape that the kernel takes.

        Args:
            values: [axis].
            ndim: Axes of the kernel.
        """
        shape = [1] * ndim
        shape[self.axis] = len(values)
        return values.reshape(shape)


def folds(graph: ChannelGraph) -> tuple[Fold, ...]:
    """The kernels of all edges that have gates (`ns_tf.graph.gated`).

    Args:
        graph: Of the network.

    Raises:
        InputError: a gate is on an edge without such a kernel, as before a norm over
            channels or within an attention, or with several.
    """
    calls = {call.name: call for call in graph.calls}
    found: dict[Key, Fold] = {}
    for layer, _, place in places.edges(graph):
        plain = place != places.WITHIN and calls[layer].kind == MAKE
        reading = _reading(graph, calls[layer]) if plain else []
        if len(reading) != 1:
            what = f"several: {', '.join(f.key[1] for f in reading)}"
            raise InputError(
                "Gates that learn are put into the one kernel that reads them, and "
                f"{layer!r} has {what if reading else 'no such kernel'}. Use a "
                "criterion, as taylor_fo, or gates that are batch norms, as slimming."
            )
        found[reading[0].key] = reading[0]
    return tuple(found.values())


def _reading(graph: ChannelGraph, call: Call) -> list[Fold]:
    """Weights of a layer along an axis of which it reads channels.

    Where an addition joins what it reads and what it makes, these are the same
    channels. So the axis along which its kernel makes them is left out, and a bias of
    what it makes.
    """
    layer = call.name
    read = {t for other in graph.calls if other.name == layer for t in other.inputs}
    inputs = {int(c) for tensor in read for c in graph.channels[tensor]} - {NONE}
    kernel, made = graph.kernels.get(layer), graph.channels[call.output]

    def makes(name: str, axis: int, axes: Axes) -> bool:
        if kernel is not None and name == kernel.name:
            return axis == kernel.makes % len(axes)
        own = axes[axis]
        return (name, len(axes)) == ("bias", 1) and np.array_equal(own, made)

    return [
        Fold(key, axis, channels)
        for key, axes in graph.axes.items()
        if key[0] == layer
        for axis, channels in enumerate(axes)
        if channels is not None
        and inputs & {int(c) for c in channels}
        and not makes(key[1], axis, axes)
    ]


def folded(
    arrays: Mapping[Key, np.ndarray], kernels: tuple[Fold, ...], gates: np.ndarray
) -> dict[Key, np.ndarray]:
    """Weights by which the network computes what it did with its gates.

    kernel[..., c, :] * gate[c]:

    >>> fold = Fold(("b", "kernel"), 0, np.array([1, 0]))
    >>> kernel = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> out = folded({("b", "kernel"): kernel}, (fold,), np.array([0.5, 2.0]))
    >>> out["b", "kernel"].tolist()
    [[2.0, 4.0], [1.5, 2.0]]

    Args:
        arrays: All weights, by (layer, weight).
        kernels: As of `folds`.
        gates: [n].
    """
    result = dict(arrays)
    for fold in kernels:
        kernel = result[fold.key]
        factors = fold.factors(gates, kernel.ndim)
        result[fold.key] = (kernel * factors).astype(kernel.dtype)
    return result
