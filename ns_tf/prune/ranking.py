"""In which order channels go: scores of a trained network as a curve of widths.

A ranking is a curve tau -> widths, as a law is. So a pruned network meets its budgets
by the same solver (`ns_tf.scaling.solve.at_cost`) as a planned one.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ns_tf.base import Curve, InputError
from ns_tf.networks.structure import Structure
from ns_tf.prune.removal import Prunable


@dataclasses.dataclass(frozen=True)
class Ranking:
    """In which order channels go, and the widths that are left after each.

    Layers of 2 and 3 filters, each score its filter's:

    >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), followers=())
    >>> ranking = Ranking.of(np.array([0.1, 0.2, 0.9, 0.3, 0.4]), prunable)
    >>> ranking.order.tolist()
    [0, 3, 4]
    >>> ranking.widths.tolist()
    [[2, 3], [1, 3], [1, 2], [1, 1]]
    """

    order: np.ndarray  # [removals] channel numbers; the first goes first.
    widths: np.ndarray  # [removals + 1, layers]; the first row is the whole network.

    @classmethod
    def of(
        cls,
        scores: np.ndarray,
        prunable: Prunable,
        *,
        min_width: int = 1,
        least_share: float = 0.0,
        prices: Sequence[float] | None = None,
    ) -> "Ranking":
        """The ranking by scores, the lowest first.

        Divided by what their layers cost, cheap channels go later:

        >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3])), followers=())
        >>> scores = np.array([0.1, 0.4, 0.2, 0.3])
        >>> [Ranking.of(scores, prunable, prices=p).order.tolist()
        ...  for p in (None, (1.0, 4.0))]
        [[0, 2], [2, 0]]

        With channels that follow, two a filter, the filters of the first layer are
        worth 0.1 + 0.01 + 0.05 and 0.2 + 0.3 + 0.4:

        >>> follower = np.array([5, 6, 7, 8]), 0, 2
        >>> prunable = Prunable((np.array([0, 1]), np.array([2, 3, 4])), (follower,))
        >>> scores = np.array([0.1, 0.2, 0.15, 0.5, 0.17, 0.3, 0.01, 0.4, 0.05])
        >>> Ranking.of(scores, prunable).order.tolist()
        [2, 0, 4]

        Args:
            scores: [n]; equal ones go in the order of their channels.
            prunable: Which channels the widths count.
            min_width: Filters that every layer keeps; all, if it has no more.
            least_share: Share of its filters that a layer keeps until all layers have
                come down to that share.
            prices: [layers]: what a filter costs; scores are divided by it. Not if
                None.

        Raises:
            InputError: a score is not a number.
        """
        worth, layer = _worth(scores, prunable, prices)
        channels = np.concatenate(prunable.widths)
        # Place of each filter in its own layer, counted from the highest score.
        ascending = np.argsort(worth, kind="stable")
        places = np.empty(len(channels), int)
        for number, own in enumerate(prunable.widths):
            here = ascending[layer[ascending] == number]
            places[here] = np.arange(len(own))[::-1]
        sizes = np.array([len(own) for own in prunable.widths])[layer]
        late = places < np.ceil(least_share * sizes)
        order = np.lexsort((np.arange(len(channels)), worth, late))
        order = order[places[order] >= min_width]
        gone = np.zeros((len(order) + 1, len(prunable.widths)), int)
        gone[np.arange(1, len(order) + 1), layer[order]] = 1
        whole = [len(own) for own in prunable.widths]
        return cls(channels[order], np.array(whole) - np.cumsum(gone, axis=0))

    def curve(self, structure: Structure) -> Curve:
        """tau -> widths: the largest network on the ranking of at most tau parameters.

        Args:
            structure: Of the network; counts its parameters.
        """
        return along(self.widths, structure)


def along(rows: np.ndarray, structure: Structure) -> Curve:
    """tau -> widths: the first network of some of at most tau parameters, or the last.

    Args:
        rows: Widths [networks, layers] on a way down: none grows.
        structure: Of the network; counts its parameters.
    """
    # Of several networks of one size the first; a size never grows on the way.
    sizes = np.minimum.accumulate(structure.params(rows))

    def at(tau: float) -> np.ndarray:
        # Sizes fall along the way, and `searchsorted` needs rising ones.
        place = int(np.searchsorted(-sizes, -tau, side="left"))
        return rows[min(place, len(sizes) - 1)].astype(float)

    return Curve(at, float(sizes[0]), terms={"kind": "ranking"})


def _worth(
    scores: np.ndarray, prunable: Prunable, prices: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """(scores of all filters by their price, the layer of each), [filters].

    Channels that follow go with a filter, the lowest first, and so does what they are
    worth: a price counts them too.
    """
    sizes = [len(own) for own in prunable.widths]
    layer = np.repeat(np.arange(len(sizes)), sizes)
    scores = np.asarray(scores, float)
    worth = scores[np.concatenate(prunable.widths)]
    for channels, width, factor in prunable.followers:
        with_each = np.sort(scores[channels]).reshape(-1, factor).sum(axis=1)
        here = np.flatnonzero(layer == width)
        worth[here[np.argsort(worth[here], kind="stable")]] += with_each
    bad = layer[np.isnan(worth)]
    if len(bad):
        raise InputError(
            f"A score of layer {bad[0] + 1} is not a number: are the network's weights "
            "and the images finite?"
        )
    return worth if prices is None else worth / np.asarray(prices)[layer], layer


def prices(
    costs: Mapping[str, Callable],
    targets: Mapping[str, float],
    widths: Sequence[int],
) -> np.ndarray:
    """What one filter of each layer takes of the budgets, [layers], of mean 1.

    price_l = sum over budgets b of (F_b(w) - F_b(w - e_l)) / target_b, for the cost F_b
    of the whole network's widths w: its derivative, as a difference of one filter. The
    mean is over all filters. Where no layer saves anything alone, as of a peak that two
    instants have, all filters cost alike.

    >>> def macs(widths):  # Of two 1x1 convolutions.
    ...     return 3 * widths[..., 0] + widths[..., 0] * widths[..., 1]
    >>> prices({"macs": macs}, {"macs": 20}, (4, 5)).round(3).tolist()
    [1.385, 0.692]

    Args:
        costs: By budget: whole widths [..., layers] -> costs [...].
        targets: By budget: the largest cost allowed.
        widths: Of the network, [layers].
    """
    whole = np.asarray(widths, np.int64)
    less = whole - np.eye(len(whole), dtype=np.int64)
    found = np.zeros(len(whole))
    for name, target in targets.items():
        saved = np.asarray(costs[name](whole)) - np.asarray(costs[name](less))
        found += saved / target
    if not found.max() > 0:
        return np.ones(len(whole))
    # A layer that costs nothing would be worth infinitely much.
    found = np.maximum(found, 1e-12 * found.max())
    return found * whole.sum() / (found * whole).sum()
