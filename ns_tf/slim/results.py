"""How good and how large a supernet is at each of its shares."""

import dataclasses
from collections.abc import Mapping, Sequence

from ns_tf.base import Widths
from ns_tf.problem.score import Score
from ns_tf.render import tables


@dataclasses.dataclass(frozen=True)
class ShareResult:
    """One network of a supernet.

    Args:
        share: Multiple of every width of the whole network.
        widths: Filters of every layer.
        costs: By exact budget.
        validation: (loss, score) on validation images.
        test: (loss, score) on test images.
    """

    share: float
    widths: Widths
    costs: Mapping[str, int]
    validation: tuple[float, float]
    test: tuple[float, float]


def table(rows: Sequence[ShareResult], score: Score) -> str:
    """A line for each share, the smallest first.

    Args:
        rows: Of one supernet.
        score: The task's.
    """
    header = ["share", "params", "macs", f"validation {score.name}", "test"]
    return tables.plain(
        header,
        [
            [
                f"{row.share:g}",
                f"{row.costs['params']:,}",
                f"{row.costs['macs']:,}",
                score.text(row.validation[1]),
                score.text(row.test[1]),
            ]
            for row in sorted(rows, key=lambda row: row.share)
        ],
        align=">",
    )
