"""Criteria, gatings, allocations and repairs side by side on one trained network.

python tools/bench/methods.py --model=runs/trunk --dataset=cifar10 --share=0.5 \\
    --methods=random,magnitude,taylor_fg --repairs=statistics,least_squares \\
    --out=runs/methods/seed0.json

prints a row of Markdown for each of them: the share of the budget that is left,
accuracy on validation images after the cut, after the repair and after training,
widths, seconds of scoring, finding the widths, cutting and training. Of gates that
learn also the share of the budget that was alive at their end. Test images are not
read. `random` is the control. The rows are kept in `--out`: the same command makes
those that are missing, and margins.py reads them.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf import cli
from ns_tf.prune.config import CutConfig, FinetuneConfig, SourceConfig
from ns_tf.run import files
from ns_tf.run.option import option

BUDGETS = ("macs", "params")


@dataclasses.dataclass(frozen=True)
class MethodsConfig:
    """What is compared."""

    methods: tuple[str, ...] = option(
        ("random", "taylor_fg"), "Criteria, and gates that learn."
    )
    allocations: tuple[str, ...] = option(("uniform",), "Allocations.")
    repairs: tuple[str, ...] = option(("statistics",), "Repairs.")
    rounds: int | None = option(None, "Of scoring; each method's own if empty.")
    weigh: float | None = option(None, "Power of the prices; the allocation's own.")
    least_share: float | None = option(
        None, "Of rankings: share that every layer keeps; each method's own if empty."
    )
    strength: str | None = option(None, "Of gates that learn; auto if empty.")
    gate_epochs: int | None = option(None, "Their epochs; each method's own if empty.")
    budget: str = option("macs", "What is bounded: macs or params.", choices=BUDGETS)
    share: float = option(0.5, "Share of it that may be left.")
    recipe: str = option("plain", "Of the training after the cut.")
    epochs: int = option(0, "Epochs after the cut; 0 trains nothing.")
    rate: float = option(0.02, "Learning rate of these epochs, which falls to 0.")
    seed: int = option(0, "Of images that are read, noise and training.")
    out: str | None = option(None, "JSON file that keeps the rows.")


HEAD = (
    "| method | allocation | repair | left | cut | repaired | tuned | widths | time |",
    "|---|---|---|---|---|---|---|---|---|",
)
OF_CUT = ("rounds", "weigh", "least_share", "strength", "gate_epochs")
CHOICES = (*OF_CUT, "budget", "share", "recipe", "epochs", "rate", "seed")
Row = dict[str, Any]  # Plain values, kept as JSON.


def main(config: MethodsConfig, source: SourceConfig) -> None:
    """Prints the table, a row as soon as it is known."""
    cli.quiet_tensorflow()
    from ns_tf.prune.source import trained_network

    network = trained_network(source.model, source.dataset, **source.data)
    kept = read_rows(config.out)
    tell(config, kept, rows(config, network, kept))


def tell(config: MethodsConfig, kept: list[Row], made: Iterable[Row]) -> None:
    """Prints rows as they are made, and adds them to those that are kept."""
    print(*HEAD, sep="\n", flush=True)
    for row in made:
        print(line(row), flush=True)
        if config.out:
            kept.append(row)
            files.write_json(config.out, {"version": 1, "rows": kept})


def read_rows(path: str | None) -> list[Row]:
    """The rows that an earlier command kept; none if there is none."""
    if path is None or not Path(path).exists():
        return []
    return files.read_json(path, what="record of methods", version=1)["rows"]


def rows(config: MethodsConfig, network, kept: list[Row]) -> Iterator[Row]:
    """A row for each method, allocation and repair that is not among those kept.

    Scores are read once a method, or once an allocation where they are read in rounds;
    widths are found once an allocation.
    """
    from ns_tf.prune.pruned import Clock

    clock, scored, solved = Clock(), None, None
    for row in missing(config, config.methods, kept):
        pruner = pruned_by(config, network, row)
        method, allocation = row["method"], row["allocation"]
        by = (method, allocation if pruner.rounds > 1 else None)
        if scored != by:
            with clock.of("score"):
                found = pruner.scored()
        pruner = pruner.after(found)
        if (scored, solved) != (by, (method, allocation)):
            with clock.of("solve"):
                scaling = pruner.solve(found.scores)
        scored, solved = by, (method, allocation)
        keep = pruner.chosen(found.scores, scaling.widths)
        alive = found.table.get(f"alive_{config.budget}")
        row |= {} if alive is None else {"alive": float(alive[-1])}
        yield row | outcome(config, pruner, keep, clock)


def missing(
    config: MethodsConfig, methods: Sequence[str], kept: list[Row]
) -> Iterator[Row]:
    """The choices of every row that is asked for and not kept."""
    known = {choice(row) for row in kept}
    wanted = itertools.product(methods, config.allocations, config.repairs)
    for method, allocation, repair in wanted:
        row = {"method": method, "allocation": allocation, "repair": repair}
        row |= {name: getattr(config, name) for name in CHOICES}
        if choice(row) not in known:
            yield row


def choice(row: Row) -> str:
    """What was chosen for a row, as text that two rows of the same choices share."""
    names = ("method", "allocation", "repair", *CHOICES)
    # Rows of an older command do not say how gates learn.
    return json.dumps([row.get(name) for name in names])


def pruned_by(config: MethodsConfig, network, row: Row):
    """The network, to be pruned by these choices."""
    from ns_tf.prune.channel_pruner import ChannelPruner
    from ns_tf.prune.targets import budgets_of

    chosen = {n: row[n] for n in ("method", "allocation", "repair", *OF_CUT)}
    cut = CutConfig(**{n: v for n, v in chosen.items() if v is not None})
    problem = network.problem
    widths = problem.architecture.widths
    budgets = budgets_of({config.budget: config.share}, problem.structure, widths)
    return ChannelPruner(network.model, problem, cut, budgets, seed=config.seed)


def outcome(config: MethodsConfig, pruner, keep: np.ndarray, clock) -> Row:
    """What is left, how good it is by stage, and the seconds of each step.

    Args:
        config: Says how it is trained.
        pruner: The network and its budgets.
        keep: [n] bool: the channels that are left.
        clock: Of `ns_tf.prune.pruned`, with the seconds so far.
    """
    from ns_tf.train import training

    with clock.of("cut"):
        small, found = pruner.cut_and_repair(keep)
    widths = pruner.prunable.count(keep)
    seconds = {**clock.seconds, "tune": 0.0}
    if config.epochs:
        result = _tuned(config, pruner, small, keep)
        seconds["tune"] = result.seconds
        found["tuned"] = training.best_of(result.history).validation_score
    budgets = pruner.budgets
    costs = {name: int(budgets.exact[name](np.array(widths))) for name in BUDGETS}
    return {
        "widths": list(widths),
        "left": costs[config.budget] / budgets.own[config.budget],
        "costs": costs,
        "accuracies": dict(found),
        "seconds": {name: round(taken, 2) for name, taken in seconds.items()},
    }


def _tuned(config: MethodsConfig, pruner, small, keep: np.ndarray):
    """The training of what is left, or of fresh weights if the recipe says so."""
    from ns_tf.engine.runtime import Runtime
    from ns_tf.prune.tuning import tuned

    finetune = FinetuneConfig(
        recipe=config.recipe,
        finetune_epochs=config.epochs,
        finetune_rate=config.rate,
    )
    works = pruner.tunings(pruner.prunable.count(keep), finetune)
    problem, _ = pruner.left(keep)
    runtime = Runtime(seed=config.seed)
    return tuned(problem, lambda: pruner.fresh(keep), works, small, runtime)


def line(row: Row) -> str:
    """A row of Markdown."""
    found, seconds = row["accuracies"], row["seconds"]
    alive = f" ({row['alive']:.2%} alive)" if "alive" in row else ""
    cells = [
        *(row[name] for name in ("method", "allocation", "repair")),
        f"{row['left']:.2%}{alive}",
        *(f"{100 * found[stage]:.1f}" for stage in ("cut", "repaired")),
        f"{100 * found['tuned']:.1f}" if row["epochs"] else "-",
        ", ".join(str(width) for width in row["widths"]),
        " + ".join(f"{taken:.0f}" for taken in seconds.values()) + " s",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    cli.run(main, MethodsConfig, SourceConfig)
