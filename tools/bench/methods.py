"""Criteria, allocations and repairs side by side on one trained network.

python tools/bench/methods.py --model=runs/trunk --dataset=cifar10 --macs=0.5 \\
    --methods=random,magnitude,taylor_fg --repairs=statistics,least_squares

prints a row of Markdown for each of them: the share of the multiply-adds that is left,
accuracy on validation images after the cut, after the repair and after training,
widths, seconds of scoring, finding the widths, cutting and training. Test images are
not read. `random` is the control.
"""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

from ns_tf import cli
from ns_tf.prune.config import CutConfig, FinetuneConfig, SourceConfig
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class MethodsConfig:
    """What is compared."""

    methods: tuple[str, ...] = option(("random", "taylor_fg"), "Criteria.")
    allocations: tuple[str, ...] = option(("uniform",), "Allocations.")
    repairs: tuple[str, ...] = option(("statistics",), "Repairs.")
    rounds: int | None = option(None, "Of scoring; each method's own if empty.")
    macs: float = option(0.5, "Share of the multiply-adds that may be left.")
    epochs: int = option(0, "Epochs after the cut; 0 trains nothing.")
    rate: float = option(0.02, "Learning rate of these epochs, which falls to 0.")
    seed: int = option(0, "Of images that are read, noise and training.")


HEAD = (
    "| method | allocation | repair | MACs | cut | repaired | tuned | widths | time |",
    "|---|---|---|---|---|---|---|---|---|",
)


def main(config: MethodsConfig, source: SourceConfig) -> None:
    """Prints the table, a row as soon as it is known."""
    cli.quiet_tensorflow()
    from ns_tf.prune.source import trained_network

    network = trained_network(source.model, source.dataset, **source.data)
    for line in itertools.chain(HEAD, rows(config, network)):
        print(line, flush=True)


def rows(config: MethodsConfig, network) -> Iterator[str]:
    """A row for each method, allocation and repair.

    Scores are read once a method, or once an allocation where they are read in rounds;
    widths are found once an allocation.
    """
    for method in config.methods:
        scores, scoring = None, 0.0
        for allocation in config.allocations:
            scaling, solving = None, 0.0
            for repair in config.repairs:
                cut = CutConfig(
                    method, allocation=allocation, repair=repair, rounds=config.rounds
                )
                pruner = _pruner(config, network, cut)
                if scores is None or (scaling is None and pruner.rounds > 1):
                    scores, scoring = _timed(pruner.score)
                if scaling is None:
                    scaling, solving = _timed(functools.partial(pruner.solve, scores))
                yield _row(config, pruner, scores, scaling, [scoring, solving])


def _timed(work: Callable) -> tuple[Any, float]:
    """(what the work returns, its seconds)."""
    begun = time.monotonic()
    return work(), time.monotonic() - begun


def _pruner(config: MethodsConfig, network, cut: CutConfig):
    """The network, to be pruned by these choices."""
    from ns_tf.prune.pruner import Pruner
    from ns_tf.prune.targets import budgets_of

    problem = network.problem
    widths = problem.architecture.widths
    budgets = budgets_of({"macs": config.macs}, problem.structure, widths)
    return Pruner(network.model, problem, cut, budgets, seed=config.seed)


def _row(config: MethodsConfig, pruner, scores, scaling, seconds: list[float]) -> str:
    """One line of the table."""
    from ns_tf.engine.runtime import Runtime
    from ns_tf.train import training

    keep = pruner.channels(scores, scaling.widths)
    (small, found), cutting = _timed(functools.partial(pruner.cut_and_repair, keep))
    seconds = [*seconds, cutting]
    if config.epochs:
        settings = FinetuneConfig(finetune_epochs=config.epochs).settings(
            len(pruner.problem.dataset.train), rate=config.rate
        )
        begun = time.monotonic()
        result = training.train(
            pruner.problem, lambda: small, settings, Runtime(seed=config.seed)
        )
        seconds.append(time.monotonic() - begun)
        found["tuned"] = training.best_of(result.history).validation_score
    share = scaling.costs["macs"] / pruner.budgets.own["macs"]
    cells = [
        pruner.config.method,
        pruner.allocation.name,
        pruner.config.repair,
        f"{share:.2%}",
        *(f"{100 * found[stage]:.1f}" for stage in ("cut", "repaired")),
        f"{100 * found['tuned']:.1f}" if config.epochs else "-",
        ", ".join(str(width) for width in scaling.widths),
        " + ".join(f"{s:.0f}" for s in seconds) + " s",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    cli.run(main, MethodsConfig, SourceConfig)
