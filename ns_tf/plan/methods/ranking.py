"""The widths that the searched network comes down to by the scores of its filters."""

from ns_tf.base import InputError
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method
from ns_tf.scores import FilterScores


@method(
    "ranking",
    help="Filters of the searched network go by score for what they cost.",
    needs="search",
    iteration=1,  # The given network; later ones have widths of the law.
)
def ranking(record: SearchRecord, iteration: int | None) -> FilterScores:
    """What the filters were worth before the first of them was removed.

    A law says how layers scale far below the searched network. These scores are of
    that network itself, which has just been trained. Larger networks have its widths
    times one number.

    Args:
        record: Of the search; the scores that it kept are read.
        iteration: Of the search, from 1; the last if None.

    Raises:
        InputError: it kept none.
    """
    scores = record.state(iteration).trace.whole
    if scores is None:
        raise InputError(
            "The method ranking needs the scores of all filters, which this search did "
            "not keep: it was done by an earlier version, or its criterion does not "
            "compare layers. Search again with --criterion=taylor_fo."
        )
    return scores
