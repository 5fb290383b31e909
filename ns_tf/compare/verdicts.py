"""What a comparison says: rows of its table, and which differences exceed the noise."""

import dataclasses
import itertools
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.render import tables

_SPREAD = 1e-9  # Points: below it the seeds agree to rounding.
LEVEL = 0.05  # Of the test, after Holm's correction over all pairs of the comparison.
TEST = (
    "Welch's t-test on the test accuracies of the seeds, two-sided, at 5 % after "
    "Holm's correction over all pairs"
)


@dataclasses.dataclass(frozen=True)
class Line:
    """A method at a budget, over its seeds."""

    method: str
    budget: str
    widths: tuple[int, ...]
    params: int
    macs: int
    accuracies: tuple[float, ...]  # [seeds]: test, at the epoch that validation chose.
    best_epochs: tuple[float, ...]  # [seeds]: the best epoch on test images.
    seconds: tuple[float, ...]  # [seeds]: of training.
    failures: tuple[str, ...] = ()  # Of the other seeds.
    latency_ms: float | None = None  # Median of a forward pass,
    latency_p95_ms: float | None = None  # and 95th percentile.
    elsewhere: tuple[str, ...] = ()  # What trained it, if not ns_tf's own training.

    @property
    def accuracy(self) -> tuple[float, float]:
        """Mean and population standard deviation, as the paper has it."""
        return _mean_std(self.accuracies)

    @property
    def best_epoch(self) -> tuple[float, float]:
        """The paper's statistic: the same of the best test epochs."""
        return _mean_std(self.best_epochs)

    def to_json(self) -> dict[str, Any]:
        """Plain values, statistics among them."""
        mean, std = self.accuracy
        best_mean, best_std = self.best_epoch
        return {
            **dataclasses.asdict(self),
            "accuracy_mean": mean,
            "accuracy_std": std,
            "best_test_epoch_mean": best_mean,
            "best_test_epoch_std": best_std,
        }


@dataclasses.dataclass(frozen=True)
class Difference:
    """Two methods at one budget."""

    budget: str
    better: str
    worse: str
    points: float  # Difference of the means, in percentage points; not negative.
    interval: tuple[float, float] | None  # 95 %, in points; None if it has no spread.
    p: float | None  # After Holm's correction; None if it cannot be tested.

    @property
    def certain(self) -> bool:
        """Whether it exceeds the noise."""
        return self.p is not None and self.p < LEVEL

    def __str__(self) -> str:
        if self.p is None:
            return (
                f"{self.budget}: {self.better} is {self.points:.2f} points above "
                f"{self.worse}; with so few seeds, or no spread, nobody can tell"
            )
        low, high = self.interval
        told = (
            f"{self.points:.2f} points, 95 % interval {low:.2f} to {high:.2f}, "
            f"p = {self.p:.2g}"
        )
        if self.certain:
            return f"{self.budget}: {self.better} beats {self.worse} by {told}"
        return (
            f"{self.budget}: {self.better} and {self.worse} are not told apart: {told}"
        )


def differences(rows: Sequence[Line]) -> list[Difference]:
    """All pairs of methods, budget by budget, the larger differences first."""
    found = []
    for one, other in itertools.combinations(rows, 2):
        if one.budget == other.budget and one.accuracies and other.accuracies:
            found.append(_difference(one, other))
    adjusted = holm([difference.p for difference in found])
    found = [
        dataclasses.replace(difference, p=p)
        for difference, p in zip(found, adjusted, strict=True)
    ]
    order = {row.budget: place for place, row in enumerate(rows)}
    return sorted(found, key=lambda one: (order[one.budget], -one.points))


def _difference(one: Line, other: Line) -> Difference:
    if one.accuracy[0] < other.accuracy[0]:
        one, other = other, one
    points = 100 * (one.accuracy[0] - other.accuracy[0])
    a, b = 100 * np.array(one.accuracies), 100 * np.array(other.accuracies)
    interval = p = None
    if min(len(a), len(b)) > 1 and a.std() + b.std() > _SPREAD:
        from scipy import stats

        with warnings.catch_warnings():  # Of one method all seeds may agree.
            warnings.simplefilter("ignore", RuntimeWarning)
            tested = stats.ttest_ind(a, b, equal_var=False)
        low, high = tested.confidence_interval(0.95)
        interval, p = (float(low), float(high)), float(tested.pvalue)
    return Difference(one.budget, one.method, other.method, points, interval, p)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number (Holm, 1979); None stays None."""
    tested = [i for i, p in enumerate(values) if p is not None]
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: values[i])):
        largest = max(largest, min(1.0, values[i] * (len(tested) - rank)))
        corrected[i] = largest
    return corrected


MARK = "†"  # Behind a method that was trained elsewhere.
HEADER = (
    "method",
    "budget",
    "parameters",
    "MACs",
    "latency, ms (p95)",
    "test accuracy, %",
    "best test epoch, %",
    "seeds",
    "training, min",
)


def markdown(
    rows: Sequence[Line], found: Iterable[Difference], about: Mapping[str, str]
) -> str:
    """The table in the paper's form, the verdict below it."""
    lines = [f"# {about['title']}", "", f"{about['recipe']} {about['date']}.", ""]
    if about.get("missing"):
        lines += [about["missing"], ""]
    lines.append(_markdown(HEADER, [cells(row) for row in rows]))
    mark = elsewhere(rows)
    lines += ["", mark, ""] if mark else [""]
    lines += [
        "Accuracy: mean ± population standard deviation over the seeds, of the epoch "
        "that validation images chose. Best test epoch: the paper's statistic, chosen "
        "on the test images themselves; only for comparison with published figures. "
        f"Latency: {about['latency']}",
        "",
        "## Verdict",
        "",
        f"{TEST}; intervals are of one pair alone.",
        "",
        *(f"* {one}" for one in sentences(found, about.get("gaps", ()))),
        "",
        "## Widths",
        "",
        _markdown(
            ("method", "budget", "widths"),
            [(row.method, row.budget, ", ".join(map(str, row.widths))) for row in rows],
        ),
    ]
    return "\n".join(lines) + "\n"


def sentences(found: Iterable[Difference], gaps: Iterable[str]) -> list[str]:
    """The verdict: what differs, and which cells are not there."""
    said = [f"{difference}." for difference in found]
    if not said:
        said = ["No two methods at one budget yet, so nothing to tell apart."]
    return said + [f"Not there: {gap}." for gap in gaps]


def elsewhere(rows: Iterable[Line]) -> str:
    """What the mark behind methods means; nothing if no method has it."""
    names = sorted({name for row in rows for name in row.elsewhere})
    if not names:
        return ""
    return f"{MARK} Not trained by ns_tf.train but elsewhere: {'; '.join(names)}."


def csv_rows(rows: Iterable[Line]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the same table for programs; lists are joined by blanks."""
    tables = [row.to_json() for row in rows]
    header = list(tables[0]) if tables else []
    return header, [[_plain(table[name]) for name in header] for table in tables]


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return "" if value is None or value != value else value


def cells(row: Line) -> list[str]:
    """A row of the table as text, under `HEADER`."""
    latency = "-"
    if row.latency_ms is not None:
        latency = f"{row.latency_ms:.2f} ({row.latency_p95_ms:.2f})"
    seeds = str(len(row.accuracies))
    if row.failures:
        seeds += f" ({len(row.failures)} failed)"
    minutes = f"{np.median(row.seconds) / 60:.1f}" if row.seconds else "-"
    return [
        f"{row.method} {MARK}" if row.elsewhere else row.method,
        row.budget,
        f"{row.params:,}",
        f"{row.macs:,}",
        latency,
        percent(row.accuracy, len(row.accuracies)),
        percent(row.best_epoch, len(row.accuracies)),
        seeds,
        minutes,
    ]


def percent(statistic: tuple[float, float], seeds: int) -> str:
    """Mean and deviation of shares, in per cent; of one seed there is no deviation."""
    mean, std = statistic
    if math.isnan(mean):
        return "-"
    return f"{100 * mean:.2f} ± {100 * std:.2f}" if seeds > 1 else f"{100 * mean:.2f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose lines change with their own cells only."""
    return tables.markdown(header, rows, align="<" * len(header), padded=False)


def _mean_std(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return math.nan, math.nan
    return float(np.mean(values)), float(np.std(values))
