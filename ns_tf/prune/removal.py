"""Which channels go in one event, and which follow them."""

import dataclasses

import numpy as np

from ns_tf.base import Widths
from ns_tf.graph.channels import ChannelGraph, match
from ns_tf.networks.structure import Structure
from ns_tf.prune.criteria import by_layer


@dataclasses.dataclass(frozen=True)
class Prunable:
    """Which channels the widths count, in the numbers of the seed's graph."""

    widths: tuple[np.ndarray, ...]  # [layers] of the channels of a width.
    # Channels that follow a width: (channels, width, how many a filter).
    followers: tuple[tuple[np.ndarray, int, int], ...]

    @classmethod
    def of(cls, structure: Structure, graph: ChannelGraph) -> "Prunable":
        """The channels of each width and its followers in a seed's graph."""
        reference = structure.reference
        found = {match(group, reference): group.channels for group in graph.groups}
        followers = tuple(
            (found[group], width, factor)
            for group, (width, factor) in structure.sizes.items()
            if group not in structure.primary and reference.groups[group].frozen is None
        )
        return cls(tuple(found[group] for group in structure.primary), followers)

    def count(self, alive: np.ndarray) -> Widths:
        """Widths of what is alive [n]."""
        return tuple(int(alive[channels].sum()) for channels in self.widths)


def choose(
    scores: np.ndarray,
    alive: np.ndarray,
    prunable: Prunable,
    *,
    count: int,
    scope: str = "global",
    min_width: int = 1,
    at_min_width: str = "exempt",
) -> np.ndarray:
    """Channels to remove in one event; none of them if pruning ends here.

    Args:
        scores: [n], higher is kept.
        alive: [n] bool.
        prunable: Which channels the widths count.
        count: How many filters go.
        scope: "global" compares the scores of all layers, "layer" those of one.
        min_width: Filters that no layer goes below.
        at_min_width: "exempt" takes a layer there out of the choice; "stop" ends the
            pruning when it would lose another filter, as in the paper.

    Returns:
        Channel numbers: the lowest of all layers together, and with them the least
        important of the channels that follow a width (MobileNetV2's expansions).
    """
    if scope == "layer":
        scores = _layer_shares(scores, alive, prunable)
    widths = np.array(prunable.count(alive))
    chosen: list[int] = []
    for channel, width in _ascending(scores, alive, prunable):
        if len(chosen) == count:
            break
        if widths[width] > min_width:
            widths[width] -= 1
            chosen.append(channel)
        elif at_min_width == "stop":
            return np.empty(0, int)
    if not chosen:
        return np.empty(0, int)
    return np.array(chosen + _follow(scores, alive, prunable, widths))


def down_to(scores: np.ndarray, prunable: Prunable, widths: Widths) -> np.ndarray:
    """[n] bool: the best channels of every layer, as many as its width says.

    Args:
        scores: [n], higher is kept.
        prunable: Which channels the widths count, and what follows them.
        widths: At most what there is.
    """
    keep = np.ones(len(scores), bool)
    for channels, width in zip(prunable.widths, widths, strict=True):
        order = np.argsort(scores[channels], kind="stable")
        keep[channels[order[: len(channels) - width]]] = False
    keep[_follow(scores, keep, prunable, np.array(widths))] = False
    return keep


def _layer_shares(scores, alive, prunable) -> np.ndarray:
    """Scores of one layer's scale made comparable between layers."""
    shares = scores.copy()
    for channels in prunable.widths:
        here = channels[alive[channels]]
        shares[here] = by_layer(scores[here], len(channels) - len(here))
    return shares


def _ascending(scores, alive, prunable):
    """(channel, width) of all filters alive, least important first; ties in order."""
    channels = np.concatenate(prunable.widths)
    width = np.repeat(
        np.arange(len(prunable.widths)), [len(c) for c in prunable.widths]
    )
    here = alive[channels]
    channels, width = channels[here], width[here]
    order = np.argsort(scores[channels], kind="stable")
    return zip(channels[order].tolist(), width[order].tolist(), strict=True)


def _follow(scores, alive, prunable, widths) -> list[int]:
    """The least important channels of each follower, down to its width's multiple."""
    chosen = []
    for channels, width, factor in prunable.followers:
        here = channels[alive[channels]]
        surplus = len(here) - factor * int(widths[width])
        order = np.argsort(scores[here], kind="stable")
        chosen += here[order[:surplus]].tolist()
    return chosen
