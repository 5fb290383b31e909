"""Wherever the lowest scores are, over all layers."""

from ns_tf.base import Curve
from ns_tf.prune.allocations import Case, allocation
from ns_tf.prune.ranking import Ranking
from ns_tf.scaling.ranks import LEAST_SHARE, prices, weigh_for


@allocation(
    "ranking", help="The lowest scores of all layers go first.", ignores=("search",)
)
def ranking(case: Case) -> Curve:
    """Filters go in the order of score / price ** weigh.

    A ranking by scores alone empties the last layers, which have most of the parameters
    and few of the multiply-adds. So scores are divided by what a filter takes of the
    budgets (`ns_tf.scaling.ranks.prices`), unless all budgets count sizes.

    Scores are read of the whole network. They do not say that the last filters of a
    layer are worth more than the first, and in a narrow layer the lowest scores of all
    may be all that it has. So no layer falls below a share of its filters before all
    have come down to it.

    Args:
        case: Its `weigh` is the method's if None. If that has none, it is 1, or 0 if
            all budgets count sizes. Its `least_share` is the method's if None; if that
            has none, a quarter.
    """
    return order(case).curve(case.structure)


def order(case: Case) -> Ranking:
    """In which order channels go by score / price ** weigh.

    Args:
        case: As of `ranking`.
    """
    shares = case.least_share, case.method.least_share, LEAST_SHARE
    weigh = case.method.weigh if case.weigh is None else case.weigh
    if weigh is None:
        weigh = weigh_for(case.targets)
    price = None
    if weigh:
        known = {n: t for n, t in case.targets.items() if n in case.costs}
        if len(known) < len(case.targets):
            # A measured budget has no derivative: multiply-adds stand for it.
            own = float(case.costs["macs"](case.widths))
            known["macs"] = min(own, known.get("macs", own))
        price = prices(case.costs, known, case.widths) ** weigh
    return Ranking.of(
        case.scores,
        case.prunable,
        min_width=case.min_width,
        least_share=next(share for share in shares if share is not None),
        prices=price,
    )
