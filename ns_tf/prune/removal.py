"""Which channels are removed in one event, and which follow them.

A width counts the filters of one prunable layer. Other layers may be bound to it (the
expansion of a MobileNetV2 block has 6 channels a filter): they follow.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ns_tf.base import Widths
from ns_tf.graph.channels import ChannelGraph, match
from ns_tf.networks.structure import Structure
from ns_tf.prune.criteria import by_layer


@dataclasses.dataclass(frozen=True)
class Prunable:
    """Which channels the widths count, in the numbers of the seed's graph.

    Args:
        widths: [layers]: numbers of the channels that each width counts.
        followers: (numbers of channels, index of the width that they follow, channels
            for each of its filters).
    """

    widths: tuple[np.ndarray, ...]
    followers: tuple[tuple[np.ndarray, int, int], ...]

    @classmethod
    def of(cls, structure: Structure, graph: ChannelGraph) -> "Prunable":
        """The channels of each width and its followers in a seed's graph.

        Args:
            structure: Of the architecture; says which groups of channels are widths.
            graph: Of a network of the architecture, of any widths.
        """
        reference = structure.reference
        channels = {match(group, reference): group.channels for group in graph.groups}
        followers = tuple(
            (channels[group], width, factor)
            for group, (width, factor) in structure.sizes.items()
            if group not in structure.primary and reference.groups[group].frozen is None
        )
        widths = tuple(channels[group] for group in structure.primary)
        return cls(widths, followers)

    @property
    def all(self) -> list[np.ndarray]:
        """Numbers of the channels of every layer that a width decides."""
        return [*self.widths, *(channels for channels, _, _ in self.followers)]

    def count(self, alive: np.ndarray) -> Widths:
        """Widths of what is alive.

        Args:
            alive: [n] bool.
        """
        return tuple(int(alive[channels].sum()) for channels in self.widths)

    def lowest(self, scores: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """[layers]: the lowest score of each layer's filters; inf for a layer of none.

        Args:
            scores: [n].
            alive: [n] bool.
        """
        here = np.where(alive, scores, np.inf)
        return np.array([here[channels].min() for channels in self.widths])

    def highest(self, scores: np.ndarray, chosen: np.ndarray) -> float:
        """The highest score of the filters among some channels.

        Args:
            scores: [n].
            chosen: Numbers of channels, at least one of which a width counts.
        """
        filters = np.intersect1d(chosen, np.concatenate(self.widths))
        return float(scores[filters].max())


def choose(
    scores: np.ndarray,
    alive: np.ndarray,
    prunable: Prunable,
    *,
    count: int,
    scope: str = "global",
    min_width: int | np.ndarray = 1,
    at_min_width: str = "exempt",
    tied: Sequence[Sequence[int]] = (),
) -> np.ndarray:
    """Channels to remove in one event; none if pruning ends here.

    Layers of 2 and 3 filters, each score its filter's:

    >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), followers=())
    >>> scores, alive = np.array([0.1, 0.2, 0.9, 0.3, 0.4]), np.ones(5, bool)
    >>> choose(scores, alive, prunable, count=3).tolist()  # 1 is its layer's last.
    [0, 3, 4]
    >>> choose(scores, alive, prunable, count=3, at_min_width="stop").tolist()
    []
    >>> choose(scores, alive, prunable, count=3, scope="layer").tolist()
    [3, 0, 4]

    Args:
        scores: [n]; the lowest are removed first.
        alive: [n] bool.
        prunable: Which channels the widths count.
        count: Filters to remove, over all layers.
        scope: "global" compares scores of all layers. "layer" compares them within a
            layer and lets all layers shrink by the same share.
        min_width: Filters that every layer keeps; or those of each, [layers].
        at_min_width: "exempt" takes a layer of `min_width` filters out of the choice.
            "stop" ends the pruning when such a layer would lose a filter, as in the
            paper.
        tied: Sets of layers of one width. They lose filters together, the lowest of
            each, which count by the mean of their scores.

    Returns:
        Channel numbers: the filters in the order of their scores, then the lowest of
        the channels that follow them. Equal scores go in the order of the channels.
        Tied layers may make the filters more than `count`.
    """
    if scope == "layer":
        scores = _layer_shares(scores, alive, prunable)
    scores, behind = _together(scores, alive, prunable, tied)
    widths = np.array(prunable.count(alive))
    least = np.broadcast_to(min_width, len(widths))
    led = {layer for leader in behind for layer in behind[leader]}
    chosen: list[int] = []
    for channel, width in _ascending(scores, alive, prunable):
        if len(chosen) >= count:
            break
        if width in led:
            continue
        others = behind.get(width, {})
        if widths[width] > least[width]:
            widths[[width, *others]] -= 1
            chosen += [channel, *(next(lowest) for lowest in others.values())]
        elif at_min_width == "stop":
            return np.empty(0, int)
    if not chosen:
        return np.empty(0, int)
    return np.array(chosen + _follow(scores, alive, prunable, widths))


def _together(
    scores: np.ndarray,
    alive: np.ndarray,
    prunable: Prunable,
    tied: Sequence[Sequence[int]],
) -> tuple[np.ndarray, dict[int, dict[int, Iterator[int]]]]:
    """Scores by which tied layers lose filters, and who loses one with the first.

    Args:
        scores: [n].
        alive: [n] bool; of tied layers equally many channels.
        prunable: Which channels the widths count.
        tied: Sets of layers.

    Returns:
        [n]: scores in which the k-th lowest filter of the first layer of each set has
        the mean of the k-th lowest of all; and, by first layer, the channels of the
        others, lowest first, by layer.
    """
    scores, behind = scores.copy() if tied else scores, {}
    for layers in tied:
        own = [prunable.widths[layer] for layer in layers]
        own = [channels[alive[channels]] for channels in own]
        order = [one[np.argsort(scores[one], kind="stable")] for one in own]
        scores[order[0]] = np.mean([scores[one] for one in order], axis=0)
        rest = zip(layers[1:], order[1:], strict=True)
        behind[layers[0]] = {layer: iter(one.tolist()) for layer, one in rest}
    return scores, behind


def down_to(scores: np.ndarray, prunable: Prunable, widths: Widths) -> np.ndarray:
    """[n] bool: the channels of highest score, as many in each layer as its width.

    >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), followers=())
    >>> down_to(np.array([0.1, 0.2, 0.9, 0.3, 0.4]), prunable, (1, 2)).tolist()
    [False, True, True, False, True]

    Args:
        scores: [n].
        prunable: Which channels the widths count, and what follows them.
        widths: [layers]: at most the filters that there are.

    Returns:
        [n] bool: what to keep. Channels that no width counts or leads are kept.
    """
    keep = np.ones(len(scores), bool)
    for channels, width in zip(prunable.widths, widths, strict=True):
        order = np.argsort(scores[channels], kind="stable")
        keep[channels[order[: len(channels) - width]]] = False
    keep[_follow(scores, keep, prunable, np.array(widths))] = False
    return keep


def _layer_shares(
    scores: np.ndarray, alive: np.ndarray, prunable: Prunable
) -> np.ndarray:
    """[n]: scores made comparable between layers (`by_layer`)."""
    shares = scores.copy()
    for channels in prunable.widths:
        here = channels[alive[channels]]
        shares[here] = by_layer(scores[here], len(channels) - len(here))
    return shares


def _ascending(
    scores: np.ndarray, alive: np.ndarray, prunable: Prunable
) -> Iterable[tuple[int, int]]:
    """(channel, index of its width) of all filters alive, lowest score first."""
    channels = np.concatenate(prunable.widths)
    width = np.repeat(
        np.arange(len(prunable.widths)), [len(c) for c in prunable.widths]
    )
    here = alive[channels]
    channels, width = channels[here], width[here]
    order = np.argsort(scores[channels], kind="stable")
    return zip(channels[order].tolist(), width[order].tolist(), strict=True)


def _follow(
    scores: np.ndarray, alive: np.ndarray, prunable: Prunable, widths: np.ndarray
) -> list[int]:
    """Channels that followers lose so that each has its multiple of its width."""
    chosen = []
    for channels, width, factor in prunable.followers:
        here = channels[alive[channels]]
        surplus = len(here) - factor * int(widths[width])
        order = np.argsort(scores[here], kind="stable")
        chosen += here[order[:surplus]].tolist()
    return chosen
