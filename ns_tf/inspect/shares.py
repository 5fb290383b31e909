"""Which group of channels takes how much of a network.

An entry of a weight belongs to the channel that its last axis of channels has: that of
a kernel to the filter that it makes, that of a depthwise kernel, a gamma or a bias to
its channel. What no channels index belongs to no group. Entries that an attention makes
its heads by belong to them and to the sizes of a head in equal parts.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.budgets.macs import KERNELS
from ns_tf.budgets.weight_bytes import FLOAT32
from ns_tf.graph.channels import NONE, Axes, ChannelGraph, layer_of, whole_of
from ns_tf.graph.weights import learnable, names
from ns_tf.networks.positions import positions


@dataclasses.dataclass(frozen=True)
class Share:
    """What a part of a network takes, in all of one example's forward pass.

    >>> Share(1, 2, 3) + Share(10, 20, 30)
    Share(params=11, macs=22, activation_bytes=33)
    """

    params: int = 0  # As the budget `params` counts them.
    macs: int = 0  # As the budget `macs` counts them.
    activation_bytes: int = 0  # Of all that calls put out, in float32.

    def __add__(self, other: "Share") -> "Share":
        return Share(
            self.params + other.params,
            self.macs + other.macs,
            self.activation_bytes + other.activation_bytes,
        )


@dataclasses.dataclass(frozen=True)
class Shares:
    """What every group of a network takes.

    Attributes:
        groups: [groups]
        rest: What belongs to no group.
        layers: By layer: its parameters that belong to no group.
        reachable: Parameters of weights that shrink with some free channel.
    """

    groups: tuple[Share, ...]
    rest: Share
    layers: dict[str, int]
    reachable: int

    @property
    def total(self) -> Share:
        """What the network takes."""
        return sum(self.groups, self.rest)


def shares_of(model: keras.Model, graph: ChannelGraph) -> Shares:
    """What every group of a model takes.

    Args:
        model: Functional; its variables need no values.
        graph: Its channel graph.
    """
    count = len(graph.groups)
    params, macs, activations = np.zeros(
        (3, count + 1), np.int64
    )  # The last: no group.
    places, free = positions(model, graph), np.append(~graph.frozen, False)
    layers: dict[str, int] = {}
    reachable = 0
    for layer in model.layers:
        trained = {id(weight) for weight in learnable(layer)}
        kernel = graph.kernels.get(layer.name)
        for weight, name in zip(layer.weights, names(layer).values(), strict=True):
            axes = graph.axes.get((layer.name, name), ())
            made = kernel is not None and kernel.name == name
            owners = (axes[kernel.makes],) if made else axes
            inside = () if made else _within(layer.name, axes, graph)
            entries = _entries(tuple(weight.shape), owners, graph, inside)
            if id(weight) in trained:
                params += entries
                if entries[-1]:
                    layers[layer.name] = layers.get(layer.name, 0) + int(entries[-1])
                known = (axis for axis in axes if axis is not None)
                if any(free[axis].any() for axis in known):
                    reachable += int(entries.sum())
            if weight.name in KERNELS:
                macs += (entries * places[id(weight)]).astype(np.int64)
    for call in graph.calls:
        shape, channels = graph.shapes[call.output], graph.channels[call.output]
        rows = max(1, graph.rows.get(call.output, 1))
        activations += rows * FLOAT32 * _entries(shape, (channels,), graph)
    rows = [Share(*row) for row in np.stack([params, macs, activations]).T.tolist()]
    return Shares(tuple(rows[:-1]), rows[-1], layers, reachable)


def _within(layer: str, axes: Axes, graph: ChannelGraph) -> list[int]:
    """Places of the groups within a layer that axes of its weight have."""
    known = [axis for axis in axes if axis is not None and axis[0] != NONE]
    owners = [int(graph.owner[axis[0]]) for axis in known]
    return [
        place
        for place in owners
        if layer_of(graph.groups[place].name) == layer
        and whole_of(graph.groups[place].name) != layer
    ]


def _entries(
    shape: tuple[int | None, ...],
    axes: Axes,
    graph: ChannelGraph,
    within: Sequence[int] = (),
) -> np.ndarray:
    """[groups + 1]: entries of an array by group; the last are those of none.

    Args:
        shape: Unknown lengths, as of the batch, count as 1.
        axes: Channel numbers of its axes; the last that has any counts.
        graph: The channel graph.
        within: Places of groups that have equal parts of all entries, if any.
    """
    total = int(np.prod([size or 1 for size in shape], dtype=np.int64))
    if within:
        found = np.zeros(len(graph.groups) + 1, np.int64)
        for number, place in enumerate(within, start=1):
            found[place] += total * number // len(within) - found.sum()
        return found
    known = [axis for axis in axes if axis is not None and len(axis)]
    found = np.zeros(len(graph.groups) + 1, np.int64)
    if not known:
        found[-1] = total
        return found
    channels = known[-1].reshape(-1)  # A transposition leaves several axes of them.
    owner = np.where(
        channels == NONE, len(graph.groups), np.append(graph.owner, 0)[channels]
    )
    return np.bincount(owner, minlength=len(found)) * (total // len(channels))
