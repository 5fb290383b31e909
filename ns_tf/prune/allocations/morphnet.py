"""MorphNet with scores in place of a regulariser: shrink to half, then one factor."""

import numpy as np

from ns_tf.base import Curve, InputError
from ns_tf.prune.allocations import Case, allocation
from ns_tf.prune.allocations.ranking import order
from ns_tf.scaling.curves import uniform_curve


@allocation(
    "morphnet",
    help="The widths of half of the filters, times one number.",
    ignores=("search",),
)
def morphnet(case: Case) -> Curve:
    """The widths at which the ranking has half of the filters left, times one number.

    MorphNet (Gordon et al., CVPR 2018) shrinks a network by a penalty on its batch
    norms, weighed by what a filter costs, and expands all widths by one factor until
    the budget is met. Here the shrinking is that of `ranking`, which weighs in the
    same way; the plans' method of this name reads a search's pruning instead.

    Args:
        case: Its ranking is that of the allocation `ranking`.

    Raises:
        InputError: `min_width` keeps more than half of the filters.
    """
    rows = order(case).widths
    half = np.flatnonzero(2 * rows.sum(axis=1) <= sum(case.widths))
    if not len(half):
        raise InputError(
            "MorphNet needs a network that comes down to half of its filters; "
            f"--min_width={case.min_width} leaves {rows[-1].sum()} of "
            f"{sum(case.widths)}. Lower it, or use another allocation."
        )
    shrunk = rows[half[0]]
    return uniform_curve(shrunk, float(case.structure.params(shrunk)))
