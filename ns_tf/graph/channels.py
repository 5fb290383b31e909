"""The channel graph: which axis of which weight is indexed by which filters.

Channels that must be removed together are one *channel*: those that a residual
addition sums, and a depthwise convolution's input and output. Every axis of every
weight becomes an array of channel numbers. Removing filters is then one `take` an axis,
whatever lies between: concatenations, flattened maps, depthwise multipliers. Channels
that the same layers make form a *group*; a width is the size of a group.

`ns_tf.graph.walk.channel_graph` reads the graph off a built functional model. What a
layer does to channels is a rule, one a layer type, in `ns_tf.graph.rules`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf.base import PART, InputError
from ns_tf.graph.calls import Tensor

Axes = tuple[np.ndarray | None, ...]  # [axes]: channel numbers; None: no channels.
NONE = -1  # Number of what is no channel: an image's colours, unknown channels.


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer or operation.

    Attributes:
        name: The operation's name.
        kind: What it does to channels: a constant of `ns_tf.graph.rules`.
        inputs: The tensors that it reads.
        output: The tensor that it makes; of several the first.
        crossing: Places of inputs of a join whose channels are in another group than
            the output's.
        reads: Places of inputs of a join whose channels act on others in the call.
        joins: Places of inputs of what makes channels that act on no others there.
        scales: Whether a positive factor before it is the same factor behind it.
        gates: [gates] channel numbers of the gates that its layer can take beside its
            inputs (`ns_tf.graph.within`); None if it takes none.
    """

    name: str
    kind: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    crossing: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    joins: tuple[int, ...] = ()
    scales: bool = False
    gates: np.ndarray | None = dataclasses.field(default=None, compare=False)


def whole_of(maker: str) -> str:
    """The maker of all channels, of which a maker such as "stem/2" makes a part.

    >>> whole_of("stem/2"), whole_of("attention/heads"), whole_of("stem")
    ('stem', 'attention/heads', 'stem')

    Args:
        maker: Of a group.
    """
    return PART.sub("", maker)


def layer_of(maker: str) -> str:
    """The layer that a maker of channels is, or is within.

    >>> layer_of("stem"), layer_of("attention/heads")
    ('stem', 'attention')

    Args:
        maker: Of a group. Keras allows no "/" in the name of a layer.
    """
    return maker.partition("/")[0]


@dataclasses.dataclass(frozen=True)
class Group:
    """Channels made by the same layers.

    Attributes:
        name: The first of the layers that make them.
        makers: All layers that make them. Channels that stay within a layer, as the
            heads of an attention, have a maker such as "attention/heads". Where a
            slice ends amid the channels of a layer, its parts are those of "stem/1",
            "stem/2" and so on.
        channels: [size] channel numbers, in the order of the first maker's filters.
        frozen: Why they cannot be removed; None if they can.

    >>> Group("stem", ("stem", "block1_conv2"), np.array([0, 1, 2]), frozen=None).size
    3
    """

    name: str
    makers: tuple[str, ...]
    channels: np.ndarray
    frozen: str | None

    @property
    def size(self) -> int:
        """Number of channels: a width of the network."""
        return len(self.channels)


@dataclasses.dataclass(frozen=True)
class ChannelGraph:
    """The channels of a model; `n` of them, numbered from 0.

    Attributes:
        calls: In an order in which they can be computed.
        channels: Tensor -> the channel numbers along its last axis.
        shapes: Tensor -> its shape, batch axis included.
        axes: (layer, weight) -> for each axis its channel numbers, or None.
        groups: In the order in which the model makes them.
        owner: [n] the place in `groups` of every channel's group.
        outputs: The model's output tensors.
        settings: Layer -> the entries of its configuration that follow channels
            (`ns_tf.graph.rules.Effect`).
        arguments: Operation -> the arguments of its call that follow channels.
        kernels: Maker -> the weight of its layer by which it makes its channels.
        rows: Tensor -> how many entries of its first axis are one example's, where
            that is not one: the windows of an image that a reshape took there; 0 of a
            tensor without an axis of examples (`ns_tf.graph.rows`).
        scaled: (layer, weight) -> the channels by whose number the layer scales what
            the weight makes (`ns_tf.graph.rules.Effect`).
    """

    calls: tuple[Call, ...]
    channels: Mapping[Tensor, np.ndarray]
    shapes: Mapping[Tensor, tuple]
    axes: Mapping[tuple[str, str], Axes]
    groups: tuple[Group, ...]
    owner: np.ndarray
    outputs: tuple[Tensor, ...]
    settings: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    arguments: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    kernels: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    rows: Mapping[Tensor, int] = dataclasses.field(default_factory=dict)
    scaled: Mapping[tuple[str, str], np.ndarray] = dataclasses.field(
        default_factory=dict
    )

    @property
    def frozen(self) -> np.ndarray:
        """[n] bool: True for channels that cannot be removed."""
        return np.array([g.frozen is not None for g in self.groups], bool)[self.owner]

    def follows(self, layer: str, entry: str) -> bool:
        """Whether an entry of a layer's configuration follows channels.

        Args:
            layer: Its name.
            entry: Its own, or of the layer within it.
        """
        settings = self.settings.get(layer, {})
        while "layer" in settings:
            settings = settings["layer"]["config"]
        return entry in settings

    def layers_of(self, group: Group) -> tuple[str, ...]:
        """The makers of a group that have a kernel; padded zeros have none.

        Args:
            group: Of the graph.
        """
        return tuple(maker for maker in group.makers if maker in self.kernels)


def match(group: Group, graph: ChannelGraph) -> int:
    """The same group in another graph of the same network.

    Makers may be missing on either side, as projections that vanish are. Of several
    groups that share a maker the one of the largest share of common makers is taken:
    |both| / |either| (Jaccard's index).

    Args:
        group: Of one build of the network.
        graph: Of another build.

    Returns:
        The place in `graph.groups`.

    Raises:
        InputError: no group shares a maker.

    >>> some = np.array([0])
    >>> groups = (Group("a", ("a",), some, None), Group("b", ("b", "p"), some, None))
    >>> graph = ChannelGraph((), {}, {}, {}, groups, np.array([0, 1]), ())
    >>> match(Group("b", ("b",), some, None), graph)
    1
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
