"""What came of pruning a trained network, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

_NAMED = 3  # Layers that are named with their reason; others are counted.

if TYPE_CHECKING:
    from ns_tf.prune.pruned import Pruned
    from ns_tf.prune.pruner import Pruner


def summary(pruner: "Pruner", found: "Pruned") -> str:
    """Costs, accuracy after every step, widths and seconds, a line each.

    Args:
        pruner: What was pruned, and how.
        found: What is left.
    """
    return "\n".join(_lines(pruner, found))


def _lines(pruner: "Pruner", found: "Pruned") -> Iterator[str]:
    """The lines of `summary`."""
    config = pruner.config
    rounds = f" in {pruner.rounds} rounds" if pruner.rounds > 1 else ""
    yield (
        f"{pruner.problem.architecture.name} pruned by {config.method}{rounds}, "
        f"{pruner.allotted}, repair "
        f"{'+'.join(one.name for one in pruner.repairs) or 'none'}"
    )
    yield from _costs(pruner, found)
    score = pruner.problem.task.score
    stages = [f"{name} {score.text(value)}" for name, value in found.accuracies.items()]
    yield f"{score.name} on validation examples: {' -> '.join(stages)}"
    yield f"{score.name} on test examples: {score.text(found.test_score)}"
    yield pruner.told(found.scaling.widths)
    yield from _kept(pruner)
    seconds = [f"{name} {value:.1f}" for name, value in found.seconds.items()]
    yield f"seconds: {', '.join(seconds)}"


def _kept(pruner: "Pruner") -> Iterator[str]:
    """A line on the layers that keep their size, with the reasons of the first."""
    kept = pruner.stays
    if kept:
        named = [f"{name} ({reason})" for name, reason in kept[:_NAMED]]
        more = len(kept) - _NAMED
        yield (f"keep their size: {', '.join(named)}{f' and {more} more' * (more > 0)}")


def _costs(pruner: "Pruner", found: "Pruned") -> Iterator[str]:
    """A line for each exact budget, and for each measured one that was asked for."""
    scaling, budgets = found.scaling, pruner.budgets
    for name, cost in {**budgets.exact, **budgets.costs}.items():
        if cost.measured:
            now, was = scaling.costs[name], budgets.own.get(name)
        else:
            now = int(cost(np.array(scaling.widths)))
            was = int(cost(np.array(pruner.widths)))
        share = f" of {was:,.10g} ({now / was:.2%})" if was else ""
        most = scaling.targets.get(name)
        budget = "" if most is None else f", at most {most:,.10g}"
        yield f"{name}: {now:,.10g}{share}{budget}"
