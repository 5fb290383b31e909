"""The channel graph: which axis of which weight is indexed by which filters.

Channels that must be removed together are one *channel*: what a residual addition
joins, what a depthwise convolution filters. Every axis of every weight becomes an array
of channel numbers, so removing filters is one `take` an axis whatever lies between
(concatenations, flattened maps, depthwise multipliers). Channels that the same layers
make form a *group*; a width is the size of a group.

The graph is read off a built functional model's `get_config()` (the `.keras` format);
what a layer does to channels is a rule, one a layer type, in `ns_tf.rules`.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import calls as graph_calls

Tensor = graph_calls.Tensor
NONE = -1  # The channel number of what cannot be removed (an image's colours).


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer or operation."""

    name: str
    kind: str  # What it does to channels: a constant of `ns_tf.rules`.
    inputs: tuple[Tensor, ...]
    output: Tensor
    crossing: tuple[int, ...] = ()  # Inputs of a join that belong to another group.


@dataclasses.dataclass(frozen=True)
class Group:
    """Channels made by the same layers."""

    name: str  # The first of the layers that make them.
    makers: tuple[str, ...]
    channels: np.ndarray  # [size]: channel numbers, in the order of the first maker.
    frozen: str | None  # Why they cannot be removed, if they cannot.

    @property
    def size(self) -> int:
        """Number of channels."""
        return len(self.channels)


@dataclasses.dataclass(frozen=True)
class ChannelGraph:
    """What `trace` found; n is the number of channels."""

    calls: tuple[Call, ...]  # In an order in which they can be computed.
    channels: Mapping[Tensor, np.ndarray]  # Channel numbers along the last axis.
    shapes: Mapping[Tensor, tuple]  # With the batch.
    axes: Mapping[
        tuple[str, str], tuple
    ]  # (layer, weight) -> an array or None an axis.
    groups: tuple[Group, ...]
    owner: np.ndarray  # [n]: the group of every channel.
    outputs: tuple[Tensor, ...]

    @property
    def frozen(self) -> np.ndarray:
        """[n]: True for channels that cannot be removed."""
        return np.array([g.frozen is not None for g in self.groups], bool)[self.owner]


def match(group: Group, graph: ChannelGraph) -> int:
    """Number of the group in another graph of the same network that is this one.

    Makers may be missing on either side (projections that vanish); of several groups
    that share a maker the one that shares most is it.

    Raises:
        InputError: if none shares a maker.
    """
    makers = set(group.makers)

    def alike(number: int) -> float:
        others = set(graph.groups[number].makers)
        return len(makers & others) / len(makers | others)

    best = max(range(len(graph.groups)), key=alike)
    if not alike(best):
        raise InputError(
            f"{group.name!r} is in one build of the network and not in another; layers "
            "need names that are the same at all widths."
        )
    return best
