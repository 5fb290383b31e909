"""The page docs/methods.md: what was published, and what kept records say.

python tools/methods_table.py

Published figures are in docs/published.json, each with its source. Ours are differences
of the same two methods in the records that a row names; a row without one says so.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kept
import numpy as np

from ns_tf import cli
from ns_tf.compare import verdicts
from ns_tf.run import files
from ns_tf.run.option import option

DOCS = kept.RECORDS.parent
NOT_RUN = "not run"
Pair = tuple[kept.Sample, kept.Sample]  # The method, and what it is compared with.
HEAD = """# Published against ours

What systems claim in public, and what the same comparison says here. Made by
`python tools/methods_table.py` from [published.json](published.json), which holds the
published figures with their sources, and from the records in [runs/](runs).
[results.md](results.md) has the commands of the records.

* Only **differences** are compared. Networks and data are not the published ones, and
  absolute figures say nothing across data sets. Figures are top-1 accuracy, with top-5
  behind the stroke.
* Published MACs are half of the floating point operations that the sources print.
* Ours is a mean difference in points, with the 95 % interval of Welch's t-test over the
  seeds, and p after Holm's correction over all rows of this page. Rows of the paper's
  tables use its statistic, the best test epoch. Rows of pruned networks are on
  validation images.
* "Yes": the interval excludes 0 and holds the published difference. "In sign": it
  excludes 0 on the same side and does not hold it. "No": it excludes 0 on the other
  side. "Not told apart": it holds 0.
* Seconds are of scoring, finding widths, cutting and training, or of training alone, on
  the machine of the record.
* "Not run": no record. Nothing can be said.

"""
COLUMNS = (
    *("system", "source", "network, data, cost", "figure", "claimed over", "points"),
    *("ours: network, data, epochs", "seeds", "ours, points", "agrees?", "seconds"),
)


@dataclasses.dataclass(frozen=True)
class MethodsTableConfig:
    """What is written."""

    out: str = option(str(DOCS / "methods.md"), "The page.")


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published difference, and which records can say the same of ours.

    Args:
        system: Its name.
        source: Where the figure stands.
        setting: Network, data and cost.
        figure: Accuracy in per cent, as it is printed.
        claim: What it is compared with.
        points: How much it is above that.
        ours: `setting`, `records` (a folder of docs/runs), the choices `of` and `over`.
        note: Why there are no records, if it is not that nobody ran it.
    """

    system: str
    source: str
    setting: str
    figure: str
    claim: str
    points: float
    ours: Mapping[str, Any] | None = None
    note: str = ""

    def samples(self) -> Pair | None:
        """Seeds of the two methods here; None if either was not run."""
        if self.ours is None:
            return None
        folder = kept.RECORDS / self.ours["records"]
        of, over = (kept.sample(folder, self.ours[name]) for name in ("of", "over"))
        return (of, over) if of.scores and over.scores else None


def page(claims: Sequence[Claim]) -> str:
    """The text of docs/methods.md."""
    samples = [claim.samples() for claim in claims]
    found = _differences(samples)
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    rows += [
        _row(claim, pair, found.get(place))
        for place, (claim, pair) in enumerate(zip(claims, samples, strict=True))
    ]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _differences(samples: Sequence[Pair | None]) -> dict[int, verdicts.Difference]:
    """By place, our difference; p-values corrected over all of them."""
    lines = [
        _line(str(place), name, sample)
        for place, pair in enumerate(samples)
        if pair is not None
        for name, sample in zip(("of", "over"), pair, strict=True)
    ]
    return {int(found.budget): found for found in verdicts.differences(lines)}


def _line(place: str, name: str, sample: kept.Sample) -> verdicts.Line:
    """A sample as a row that `verdicts` compares with the other row of its place."""
    scores, seconds = tuple(sample.scores.values()), tuple(sample.seconds.values())
    return verdicts.Line(name, place, (), {}, scores, scores, seconds)


def _row(
    claim: Claim, pair: Pair | None, found: verdicts.Difference | None
) -> list[str]:
    """The cells of a claim."""
    published = [claim.system, claim.source, claim.setting, claim.figure, claim.claim]
    published.append(f"{claim.points:+.2f}")
    if pair is None or found is None:
        why = f"{NOT_RUN}: {claim.note}" if claim.note else NOT_RUN
        return [*published, why, "", "", "", ""]
    of, over = pair
    sign = 1 if found.better == "of" else -1
    interval = sorted(sign * end for end in found.interval) if found.interval else None
    shown = f"{sign * found.points:+.2f}"
    if interval:
        shown += f" ({interval[0]:+.2f} to {interval[1]:+.2f}), p = {found.p:.2g}"
    setting = f"[{claim.ours['setting']}](runs/{claim.ours['records']})"
    seeds = str(min(len(of.scores), len(over.scores)))
    seconds = f"{np.mean(list(of.seconds.values())):,.0f}"
    return [*published, setting, seeds, shown, agrees(claim.points, interval), seconds]


def agrees(published: float, interval: Sequence[float] | None) -> str:
    """Whether our interval says what was published.

    >>> agrees(2.0, (1.0, 3.0)), agrees(4.0, (1.0, 3.0)), agrees(-2.0, (1.0, 3.0))
    ('yes', 'in sign', 'no')
    >>> agrees(2.0, (-1.0, 3.0)), agrees(2.0, None)
    ('not told apart', 'too few seeds')

    Args:
        published: Points.
        interval: 95 %, in points; None if there is one seed.
    """
    if interval is None:
        return "too few seeds"
    low, high = interval
    if low <= 0 <= high:
        return "not told apart"
    if low <= published <= high:
        return "yes"
    return "in sign" if (published > 0) == (low > 0) else "no"


def claims() -> list[Claim]:
    """The published differences, in the order of the page."""
    path = DOCS / "published.json"
    rows = files.read_json(path, what="table of published figures", version=1)["rows"]
    return [Claim(**row) for row in rows]


def main(config: MethodsTableConfig) -> None:
    """Writes the page."""
    files.write_text(Path(config.out), page(claims()))
    print(config.out)


if __name__ == "__main__":
    cli.run(main, MethodsTableConfig)
