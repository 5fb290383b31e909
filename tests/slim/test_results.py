"""A line for each share."""

from ns_tf.problem.score import Score
from ns_tf.slim.results import ShareResult, table


def test_shares_are_listed_from_the_smallest_with_scores_in_their_unit():
    costs = {"params": 1234, "macs": 56789}
    rows = [
        ShareResult(share, (3, 5), costs, (0.5, score), (0.5, score / 2))
        for share, score in ((1.0, 0.875), (0.25, 0.5))
    ]
    assert table(rows, Score("accuracy", "%", 100)).splitlines() == [
        "share  params    macs  validation accuracy     test",
        " 0.25   1,234  56,789              50.00 %  25.00 %",
        "    1   1,234  56,789              87.50 %  43.75 %",
    ]
