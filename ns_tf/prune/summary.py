"""What came of pruning a trained network, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.prune.method import PLAIN

_NAMED = 3  # Layers that are named with their reason; others are counted.

if TYPE_CHECKING:
    from ns_tf.prune.config import FinetuneConfig
    from ns_tf.prune.pruned import Pruned
    from ns_tf.prune.pruner import Pruner


def summary(
    pruner: "Pruner", found: "Pruned", tuning: "FinetuneConfig | None" = None
) -> str:
    """Costs, accuracy after every step, widths and seconds, a line each.

    Args:
        pruner: What was pruned, and how.
        found: What is left.
        tuning: How it was trained, if it was.
    """
    lines = _lines(pruner, found)
    return "\n".join([*lines, *_other_recipe(pruner, tuning)])


def _other_recipe(pruner: "Pruner", tuning: "FinetuneConfig | None") -> Iterator[str]:
    """A line where what is left could not be trained by the recipe of its method."""
    own = pruner.method.recipe
    if tuning is None or tuning.recipe or not tuning.finetune_epochs:
        return
    used = "+".join(recipe.name for recipe in pruner.recipes(tuning))
    if used == PLAIN != own:
        yield (
            f"trained by {PLAIN}: {own}, the recipe of {pruner.config.method}, is none "
            f"for the task {pruner.problem.task.told} or these inputs"
        )


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
            # By the tables of a device it is no whole number.
            sizes = map(np.array, (scaling.widths, pruner.widths))
            now, was = (np.asarray(cost(one)).item() for one in sizes)
        share = f" of {_number(was)} ({now / was:.2%})" if was else ""
        most = scaling.targets.get(name)
        budget = "" if most is None else f", at most {_number(most)}"
        yield f"{name}: {_number(now)}{share}{budget}"


def _number(value: float) -> str:
    """A cost for people: whole ones in full.

    >>> _number(15_470_264_320), _number(0.4808691234), _number(5373.2)
    ('15,470,264,320', '0.480869', '5,373.2')
    """
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.6g}" if value < 1e4 else f"{value:,.10g}"
