"""Rows of a comparison's table, and which differences between methods are significant.

Tables show scores as their task does (`ns_tf.problem.score`); differences are in
points, hundredths of a score. The fields and JSON keys say "accuracy", the score of the
first comparisons.
"""

import dataclasses
import itertools
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.compare import axes, stages
from ns_tf.problem.score import Score
from ns_tf.render import tables

_SPREAD = 1e-9  # Points; seeds that differ by less agree up to rounding.
LEVEL = 0.05  # Significance level, after Holm's correction over all pairs.
TEST = (
    "Welch's t-test on the test scores of the seeds, two-sided, at 5 % after "
    "Holm's correction over all pairs"
)


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of the table: a method at a budget, over its seeds."""

    method: str  # Its label.
    budget: str  # The text of `--budgets`.
    widths: tuple[int, ...]  # [layers]; of the first seed, if seeds have others.
    costs: axes.Costs  # By key of an axis; means over the seeds, if they differ.
    accuracies: tuple[float, ...]  # [seeds]: test score of the best validation epoch.
    best_epochs: tuple[float, ...]  # [seeds]: the highest test score of all epochs.
    seconds: tuple[float, ...]  # [seeds]: wall time of the training.
    failures: tuple[str, ...] = ()  # Reasons of the seeds whose training failed.
    elsewhere: tuple[str, ...] = ()  # Programs that trained it in place of ns_tf.
    # Of a pruned network (`ns_tf.compare.stages`): score by stage, seconds by step,
    # [seeds] each.
    stages: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    stage_seconds: Mapping[str, tuple[float, ...]] = dataclasses.field(
        default_factory=dict
    )
    # The widths of every seed, where they follow from a training of that seed.
    seed_widths: tuple[tuple[int, ...], ...] = ()

    @property
    def accuracy(self) -> tuple[float, float]:
        """Mean and population standard deviation of the test scores (table 1).

        >>> Line("a", "macs=3", (3,), {}, (0.5, 0.75), (0.5, 1.0), (7.0, 9.0)).accuracy
        (0.625, 0.125)
        """
        return _mean_std(self.accuracies)

    @property
    def best_epoch(self) -> tuple[float, float]:
        """Mean and population standard deviation of the highest test scores.

        The paper's statistic: the epoch is chosen on the test images themselves.
        """
        return _mean_std(self.best_epochs)

    def to_json(self) -> dict[str, Any]:
        """Fields, costs and the two statistics as plain values, NaN for no seeds."""
        mean, std = self.accuracy
        best_mean, best_std = self.best_epoch
        values = dataclasses.asdict(self)
        return {
            **{name: values.pop(name) for name in ("method", "budget", "widths")},
            **values.pop("costs"),
            **values,
            "accuracy_mean": mean,
            "accuracy_std": std,
            "best_test_epoch_mean": best_mean,
            "best_test_epoch_std": best_std,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Line":
        """The row that `to_json` wrote, also before there were all of today's fields.

        Raises:
            TypeError: a field is missing.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in row.items()
            if name in names
        }
        return cls(costs=axes.costs_in(row), **values)


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference between two methods at one budget."""

    budget: str
    better: str  # The method of the higher mean.
    worse: str
    points: float  # Difference of the means, in hundredths of a score; not negative.
    interval: tuple[float, float] | None  # 95 %, in points; None without spread.
    p: float | None  # After Holm's correction; None if there is nothing to test.

    @property
    def certain(self) -> bool:
        """Whether the difference is significant at `LEVEL`.

        >>> Difference("params=3", "a", "b", 2.0, (1.0, 3.0), p=0.01).certain
        True
        """
        return self.p is not None and self.p < LEVEL

    def __str__(self) -> str:
        if self.p is None:
            return (
                f"{self.budget}: {self.better} is {self.points:.2f} points above "
                f"{self.worse}; with so few seeds, or no spread, nobody can tell"
            )
        low, high = self.interval
        size = (
            f"{self.points:.2f} points, 95 % interval {low:.2f} to {high:.2f}, "
            f"p = {self.p:.2g}"
        )
        if self.certain:
            return f"{self.budget}: {self.better} beats {self.worse} by {size}"
        return (
            f"{self.budget}: {self.better} and {self.worse} are not told apart: {size}"
        )


def differences(rows: Sequence[Line]) -> list[Difference]:
    """The differences of all pairs of methods at one budget, p-values corrected.

    Args:
        rows: Of the table. Rows without a trained seed are in no pair.

    Returns:
        Budget by budget in the order of the rows, the largest difference first.
    """
    pairs = [
        _difference(one, other)
        for one, other in itertools.combinations(rows, 2)
        if one.budget == other.budget and one.accuracies and other.accuracies
    ]
    corrected = holm([pair.p for pair in pairs])
    pairs = [
        dataclasses.replace(pair, p=p) for pair, p in zip(pairs, corrected, strict=True)
    ]
    order = {row.budget: place for place, row in enumerate(rows)}
    return sorted(pairs, key=lambda pair: (order[pair.budget], -pair.points))


def _difference(one: Line, other: Line) -> Difference:
    """The difference of two rows, its p-value by Welch's t-test, not yet corrected.

    There is neither interval nor p-value with one seed, or where no seeds differ.
    """
    if one.accuracy[0] < other.accuracy[0]:
        one, other = other, one
    points = 100 * (one.accuracy[0] - other.accuracy[0])
    a, b = 100 * np.array(one.accuracies), 100 * np.array(other.accuracies)
    interval = p = None
    if min(len(a), len(b)) > 1 and a.std() + b.std() > _SPREAD:
        from scipy import stats

        with warnings.catch_warnings():
            # SciPy warns where all seeds of one method agree; the test still holds.
            warnings.simplefilter("ignore", RuntimeWarning)
            test = stats.ttest_ind(a, b, equal_var=False)
        low, high = test.confidence_interval(0.95)
        interval, p = (float(low), float(high)), float(test.pvalue)
    return Difference(one.budget, one.method, other.method, points, interval, p)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for multiple testing (Holm, 1979); None stays None.

    The i-th smallest of m values becomes max over j <= i of min(1, (m - j + 1) · p_j).

    >>> holm([0.03, None, 0.01])
    [0.03, None, 0.02]

    Args:
        values: Two-sided p-values; None for pairs that cannot be tested, which do not
            count.
    """
    tested = [i for i, p in enumerate(values) if p is not None]
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: values[i])):
        largest = max(largest, min(1.0, values[i] * (len(tested) - rank)))
        corrected[i] = largest
    return corrected


MARK = "†"  # Stands behind a method that another program trained.


def header(rows: Sequence[Line], score: Score) -> tuple[str, ...]:
    """The heads of the columns of the table.

    >>> header([], Score("accuracy", "%", 100.0))[2:4]
    ('test accuracy, %', 'best test epoch, %')
    """
    return (
        "method",
        "budget",
        *(axis.head for axis in axes.present(rows)),
        f"test {score.label}",
        score.heading("best test epoch"),
        "seeds",
        "training, min",
    )


def markdown(
    rows: Sequence[Line], found: Iterable[Difference], about: Mapping[str, str]
) -> str:
    """The text of table.md: the table in the paper's form, the verdict, the widths.

    Args:
        rows: Of the table.
        found: Differences between its rows.
        about: Texts by key: title, recipe, date, latency, and, if cells are not done,
            missing; lists of gaps and of reasons for figures that are missing
            (unknown); the fields of the score.
    """
    score = Score.of(about)
    lines = [f"# {about['title']}", "", f"{about['recipe']} {about['date']}.", ""]
    if about.get("missing"):
        lines += [about["missing"], ""]
    lines.append(_markdown(header(rows, score), table_cells(rows, score)))
    mark = elsewhere(rows)
    lines += ["", mark, ""] if mark else [""]
    for reason in about.get("unknown", ()):
        lines += [reason, ""]
    lines += [
        f"{score.name.capitalize()}: mean ± population standard deviation over the "
        "seeds, of the epoch that validation images chose. Best test epoch: the "
        "paper's statistic, chosen "
        "on the test images themselves; only for comparison with published figures. "
        f"Latency: {about['latency']}",
        "",
        "## Verdict",
        "",
        f"{TEST}; intervals are of one pair alone.",
        "",
        *(f"* {one}" for one in sentences(found, about.get("gaps", ()))),
        *stages.markdown(rows, score),
        "",
        "## Widths",
        "",
        _markdown(
            ("method", "budget", "widths"),
            [(row.method, row.budget, _widths(row)) for row in rows],
        ),
    ]
    return "\n".join(lines) + "\n"


def sentences(found: Iterable[Difference], gaps: Iterable[str]) -> list[str]:
    """The verdict, a sentence a difference and a sentence a gap.

    >>> sentences([], ["conv_cut at params=3: vgg11 has no shortcuts"])[1]
    'Not there: conv_cut at params=3: vgg11 has no shortcuts.'

    Args:
        found: Differences between rows of the table.
        gaps: Methods and budgets without a cell, with the reason.
    """
    verdict = [f"{difference}." for difference in found]
    if not verdict:
        verdict = ["No two methods at one budget yet, so nothing to tell apart."]
    return verdict + [f"Not there: {gap}." for gap in gaps]


def elsewhere(rows: Iterable[Line]) -> str:
    """The footnote of `MARK`; empty if no method of the table has it.

    >>> row = Line("a", "params=3", (3,), {}, (0.5,), (0.5,), (7.0,))
    >>> elsewhere([dataclasses.replace(row, elsewhere=("JAX",))])
    '† Not trained by ns_tf.train but elsewhere: JAX.'
    """
    names = sorted({name for row in rows for name in row.elsewhere})
    if not names:
        return ""
    return f"{MARK} Not trained by ns_tf.train but elsewhere: {'; '.join(names)}."


def table_cells(rows: Sequence[Line], score: Score) -> list[list[str]]:
    """The texts of all rows, one for every column of `header`.

    The training time is the median over the seeds. What is not known is "-".
    """
    return [_cells(row, axes.present(rows), score) for row in rows]


def _cells(row: Line, costs: Iterable[axes.Axis], score: Score) -> list[str]:
    """The texts of a row."""
    seeds = str(len(row.accuracies))
    if row.failures:
        seeds += f" ({len(row.failures)} failed)"
    minutes = f"{np.median(row.seconds) / 60:.1f}" if row.seconds else "-"
    return [
        f"{row.method} {MARK}" if row.elsewhere else row.method,
        row.budget,
        *(axis.text(row.costs) for axis in costs),
        score.spread(row.accuracy, len(row.accuracies)),
        score.spread(row.best_epoch, len(row.accuracies)),
        seeds,
        minutes,
    ]


def _widths(row: Line) -> str:
    """The widths of a row, those of every seed where they differ.

    >>> row = Line("a", "macs=3", (3, 5), {}, (), (), ())
    >>> _widths(dataclasses.replace(row, seed_widths=((3, 5), (7, 2))))
    '3, 5; 7, 2'
    """
    lists = dict.fromkeys(row.seed_widths or (row.widths,))
    return "; ".join(", ".join(map(str, widths)) for widths in lists) or "-"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose lines change with their own cells only."""
    return tables.markdown(header, rows, align="<" * len(header), padded=False)


def _mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and population standard deviation; NaN for no values."""
    if not values:
        return math.nan, math.nan
    return float(np.mean(values)), float(np.std(values))
