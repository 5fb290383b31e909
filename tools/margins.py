"""Which margins between methods hold on trained networks, by kept records.

python tools/margins.py

writes margins.md beside the records of bench/methods.py: for each claim the difference
of every seed, and whether their mean reaches the margin.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import kept
import numpy as np

from ns_tf import cli
from ns_tf.run import files
from ns_tf.run.option import option

CRITERIA = ("taylor_fo", "taylor_fg", "taylor_2016", "curl_kl", "thinet")
OTHERS = ("magnitude", "gamma", "apoz", "lasso")
GATINGS = (
    *("slimming", "morphnet", "logistic_sigmoid", "autopruner", "autoprune"),
    *("sss", "gal"),
)
SEEDS = 3  # That a claim needs.
TUNED = {"epochs": 1, "stage": "tuned"}
# Two epochs in which gates learn and three behind the cut, and a control of as many.
# Gates are cut in the order of what they learned.
GATED = {**TUNED, "allocation": "ranking", "gate_epochs": 2, "epochs": 3}
AS_MANY = {**TUNED, "epochs": 5}
# No share of a layer is kept, so that collapses can be seen.
RANKED = {"allocation": "ranking", "least_share": 0.0, **TUNED}
SOLVED = {"repair": "least_squares"}


@dataclasses.dataclass(frozen=True)
class MarginsConfig:
    """Which records are read."""

    records: str = option(
        str(kept.RECORDS / "methods_vgg11_cifar10"), "Folder of the seeds' rows."
    )


@dataclasses.dataclass(frozen=True)
class Margin:
    """A claim: one method's score is above another's by so many points.

    Args:
        claim: In words.
        points: That the mean over the seeds has to reach.
        of: The method that is better.
        over: The one that it is compared with.
    """

    claim: str
    points: float
    of: kept.Choice
    over: kept.Choice


def margins() -> Iterator[Margin]:
    """The claims, a row of the table each."""
    for name in CRITERIA:
        yield _repaired(f"`{name}` over `random`", 8, name, "random")
    for name, points in zip(CRITERIA, (-1, -1, 0.5, 0.5, 0.5), strict=True):
        yield _repaired(f"`{name}` over `magnitude`", points, name, "magnitude")
    for name in (*CRITERIA, *OTHERS):
        of, over = {"method": name, **TUNED}, {"method": "random", **TUNED}
        yield Margin(f"`{name}` over `random`, tuned", 1, of, over)
    for name in GATINGS:
        of, over = {"method": name, **GATED}, {"method": "random", **AS_MANY}
        yield Margin(f"`{name}` over `random`, 5 epochs in all", 1, of, over)
    yield from _allocations()
    for name in ("random", *CRITERIA, *OTHERS):
        of, over = {"method": name, **SOLVED}, {"method": name}
        claim = f"`{name}`: `least_squares` over `statistics`, nothing trained"
        yield Margin(claim, 5, of, over)
    for name in ("random", *CRITERIA, *OTHERS):
        of = {"method": name, **SOLVED}
        claim = f"`{name}`: `least_squares` over the whole network, nothing trained"
        yield Margin(claim, -4, of, {**of, "stage": "trained"})


def _repaired(claim: str, points: float, of: str, over: str) -> Margin:
    """A claim about networks that are cut and repaired by `statistics` alone."""
    return Margin(f"{claim}, `statistics`", points, {"method": of}, {"method": over})


def _allocations() -> Iterator[Margin]:
    """Claims about widths, and about fresh weights."""
    taylor, ranked = {"method": "taylor_fo"}, {"method": "taylor_fo", **RANKED}
    params = {"budget": "params"}
    yield Margin(
        "`taylor_fo`: ranking over uniform, tuned", 0, ranked, {**taylor, **TUNED}
    )
    yield Margin(
        "`taylor_fo`: ranking weighed by the price over not weighed, tuned",
        0.5,
        ranked,
        {**ranked, "weigh": 0},
    )
    yield Margin(
        "`taylor_fo`, half of the parameters: ranking over uniform, tuned",
        1,
        {**ranked, **params},
        {**taylor, **TUNED, **params},
    )
    yield Margin(
        "by ranking: `random` over `magnitude`, tuned",
        5,
        {"method": "random", **RANKED},
        {"method": "magnitude", **RANKED},
    )
    yield Margin(
        "`taylor_fo` over fresh weights of its widths, tuned",
        5,
        {**taylor, **TUNED},
        {**taylor, **TUNED, "recipe": "scratch"},
    )
    yield Margin(
        "`taylor_fg`: greedy over uniform, `statistics`",
        1,
        {"method": "taylor_fg", "allocation": "greedy"},
        {"method": "taylor_fg"},
    )


def table(records: Path) -> str:
    """The claims as lines of Markdown.

    Args:
        records: Folder with a file of bench/methods.py for every seed.
    """
    lines = [
        "| claim | margin | by seed | mean | |",
        "|---|---|---|---|---|",
        *(_line(records, margin) for margin in margins()),
    ]
    return "\n".join(lines) + "\n"


def _line(records: Path, margin: Margin) -> str:
    """A claim's row: points by seed, their mean, and whether it reaches the margin."""
    of = kept.sample(records, margin.of).scores
    over = kept.sample(records, margin.over).scores
    points = [100 * (of[seed] - over[seed]) for seed in sorted(of.keys() & over.keys())]
    if not points:
        return f"| {margin.claim} | {margin.points:+g} | | | not run |"
    mean = float(np.mean(points))
    said = "shown" if mean >= margin.points else "**not shown**"
    if len(points) < SEEDS:
        said = f"{len(points)} of {SEEDS} seeds"
    by_seed = ", ".join(f"{value:+.1f}" for value in points)
    return f"| {margin.claim} | {margin.points:+g} | {by_seed} | {mean:+.1f} | {said} |"


def main(config: MarginsConfig) -> None:
    """Writes the table beside the records."""
    folder = Path(config.records)
    files.write_text(folder / "margins.md", table(folder))
    print(folder / "margins.md")


if __name__ == "__main__":
    cli.run(main, MarginsConfig)
