"""MorphNet (Taylor-FO): the baseline of the paper's section 4.2."""

from ns_tf.base import Curve, InputError, Widths
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method, proportional


@method(
    "morphnet",
    help="The widths at which pruning had half of the filters left, times one number.",
    needs="search",
    iteration=1,  # MorphNet prunes the given network, once.
)
def morphnet(record: SearchRecord, iteration: int | None) -> Curve:
    """The widths pruned to half of the filters, times one number.

    Args:
        record: Of the search; its pruning history is read.
        iteration: Of the search, from 1; the last if None.

    Raises:
        InputError: the pruning never came down to half of the filters.
    """
    return proportional(record, _half(record, iteration))


def _half(record: SearchRecord, iteration: int | None) -> Widths:
    """Widths after the first event that left at most half of the filters.

    Raises:
        InputError: no event did.
    """
    state = record.state(iteration)
    half = sum(state.widths) / 2
    for row in state.trace.history:
        if row.sum() <= half:
            return tuple(int(width) for width in row)
    raise InputError(
        "MorphNet needs a pruning that came down to half of the filters; this one "
        f"stopped above half of {sum(state.widths)}. Search with a smaller "
        "--stop_fraction."
    )
