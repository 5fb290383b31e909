"""Widths by scores of single filters: what is worth least for its price goes first.

A ranking is a curve tau -> widths, as a law is. So a network that is pruned by scores
meets its budgets by the same solver (`ns_tf.scaling.solve.at_cost`) as a planned one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ns_tf.base import Cost, Curve
from ns_tf.scores import FilterScores

# Budgets that count a filter by its weights. A ranking by scores alone serves them.
SIZES = ("params", "weight_bytes", "weight_bytes_int8", "litert_bytes", "flash")
# Share of its filters that every layer keeps until all have come down to it.
LEAST_SHARE = 0.25
_AT_ONCE = 2**13  # Widths whose costs are counted at once.


def removals(
    scores: np.ndarray,
    sizes: Sequence[int],
    *,
    min_width: int = 1,
    least_share: float = 0.0,
    prices: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """In which order filters go, the lowest scores first.

    Layers of 2 and 3 filters. At a price of 1 and 4, those of the second go sooner:

    >>> scores = np.array([0.1, 0.2, 0.9, 0.3, 0.4])
    >>> order, widths = removals(scores, [2, 3])
    >>> order.tolist(), widths.tolist()
    ([0, 3, 4], [[2, 3], [1, 3], [1, 2], [1, 1]])
    >>> removals(scores, [2, 3], prices=(1.0, 4.0))[0].tolist()
    [3, 0, 4]

    Args:
        scores: [filters], of one layer after another; equal ones go in their order.
        sizes: [layers]: filters of each layer.
        min_width: Filters that every layer keeps; all, if it has no more.
        least_share: Share of its filters that a layer keeps until all layers have come
            down to that share.
        prices: [layers]: what a filter costs; scores are divided by it. Not if None.

    Returns:
        [removals]: places in `scores`; and the widths left after each of them,
        [removals + 1, layers], of which the first row is the whole network.
    """
    sizes = np.asarray(sizes, int)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    worth = np.asarray(scores, float)
    if prices is not None:
        worth = worth / np.asarray(prices)[layer]
    # Place of each filter in its own layer, counted from the highest score.
    ascending = np.argsort(worth, kind="stable")
    places = np.empty(len(worth), int)
    for number, size in enumerate(sizes):
        here = ascending[layer[ascending] == number]
        places[here] = np.arange(size)[::-1]
    late = places < np.ceil(least_share * sizes[layer])
    order = np.lexsort((np.arange(len(worth)), worth, late))
    order = order[places[order] >= min_width]
    rows = np.zeros((len(order) + 1, len(sizes)), int)
    rows[0] = sizes
    rows[np.arange(1, len(rows)), layer[order]] = -1
    return order, np.cumsum(rows, axis=0, out=rows)


def along(rows: np.ndarray, params: Callable, grows: bool = False) -> Curve:
    """tau -> widths: the first network of some of at most tau parameters, or the last.

    Args:
        rows: Widths [networks, layers] on a way down: none grows.
        params: Widths [..., layers] -> parameters [...].
        grows: Whether the first network is scaled evenly, sqrt(tau / its size), to more
            parameters than it has; else it is the largest.
    """
    # A few at a time: a cost takes some numbers for each of its terms and networks.
    parts = np.array_split(rows, 1 + rows.size // _AT_ONCE)
    # Of several networks of one size the first; a size never grows on the way.
    sizes = np.minimum.accumulate(np.concatenate([params(part) for part in parts]))
    whole = float(sizes[0])

    def at(tau: float) -> np.ndarray:
        if grows and tau > whole:
            return rows[0] * np.sqrt(tau / whole)
        # Sizes fall along the way, and `searchsorted` needs rising ones.
        place = int(np.searchsorted(-sizes, -tau, side="left"))
        return rows[min(place, len(sizes) - 1)].astype(float)

    return Curve(at, whole, terms={"kind": "ranking"})


def weigh_for(targets: Iterable[str]) -> float:
    """By which power of its price a score is divided, if nobody says it.

    >>> weigh_for(["params", "weight_bytes"]), weigh_for(["params", "macs"])
    (0.0, 1.0)

    Args:
        targets: Names of the budgets.
    """
    return 0.0 if set(targets) <= set(SIZES) else 1.0


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


def rows_of(
    scores: FilterScores, costs: Mapping[str, Callable], targets: Mapping[str, float]
) -> np.ndarray:
    """Widths on the way down from a whole network, filter by filter.

    A score is divided by what its filter takes of the budgets, unless these count sizes
    alone. Every layer keeps a quarter of its filters until all have come down to it.

    The second and the third layer are one set, whose filters cost more here:

    >>> sets, each = np.array([0, 1, 1]), (np.array([3.0, 1]), np.array([4.0, 2]))
    >>> scores = FilterScores(sets, each)
    >>> costs = {"macs": lambda widths: widths.sum(axis=-1)}
    >>> rows_of(scores, costs, {"macs": 4}).tolist()
    [[2, 2, 2], [1, 2, 2], [1, 1, 1]]

    Args:
        scores: Of the network.
        costs: By budget: whole widths [..., layers] -> costs [...].
        targets: Exact budgets by name, which say what a filter costs.

    Returns:
        [networks, layers]: none grows; the first row is the network's own.
    """
    sizes = [len(own) for own in scores.scores]
    price = None
    if weigh_for(targets):
        of_sets = {name: _of_sets(costs[name], scores.sets) for name in targets}
        price = prices(of_sets, targets, sizes)
    _, widths = removals(scores.flat, sizes, least_share=LEAST_SHARE, prices=price)
    return widths[:, scores.sets]


def ranked_curve(
    scores: FilterScores,
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    exact: Mapping[str, Callable],
) -> Curve:
    """The way down from a whole network (`rows_of`), and evenly up from it.

    Its estimate stands for a measured budget, which has no derivative, or multiply-adds
    if it has none.

    Args:
        scores: Of the network.
        costs: By budget.
        targets: By budget; all hold.
        exact: Costs of the network, "params" and "macs" among them.
    """
    like = {name: costs[name].estimate or costs[name] for name in targets}
    known = {n: float(t) for n, t in targets.items() if not like[n].measured}
    priced = {name: like[name].of for name in known}
    if len(known) < len(targets):
        priced["macs"] = exact["macs"]
        own = float(priced["macs"](scores.widths))
        known["macs"] = min(own, known.get("macs", own))
    return along(rows_of(scores, priced, known), exact["params"], grows=True)


def _of_sets(cost: Callable, sets: np.ndarray) -> Callable:
    """The cost of networks of the widths [..., sets]."""
    return lambda widths: cost(np.asarray(widths)[..., sets])
