"""The same share of every layer."""

from ns_tf.base import Curve
from ns_tf.prune.allocations import Case, allocation
from ns_tf.scaling.curves import uniform_curve


@allocation(
    "uniform",
    help="Every layer loses the same share of its filters.",
    ignores=("weigh", "least_share", "search"),
)
def uniform(case: Case) -> Curve:
    """The widths of the trained network times one factor.

    Args:
        case: Its scores decide which filters of a layer go, not how many.
    """
    return uniform_curve(case.widths, float(case.structure.params(case.widths)))
