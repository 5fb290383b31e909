"""Pruned from a trained network: what goes, by any criterion or gating."""

from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import NotApplicable, Proposal, Setting, method
from ns_tf.prune.method import BLOCK, CHANNEL, NONZERO, WEIGHT
from ns_tf.scaling.grid import grid_of


@method(
    "pruned",
    help="Trained at the default widths, pruned, then fine-tuned: "
    "pruned:METHOD[@LEVEL][+ALLOCATION][+REPAIR][+RECIPE].",
    proposes=True,
    takes_choice=True,
    of_weights=True,
)
def pruned(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """A network whose widths are known once the trained one was scored.

    Args:
        setting: Its entry says how the trained network is pruned.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: the budgets allow a larger network than the default one, or are
            none of what goes; or default widths that stay are not allowed.
        InputError: the entry names no method, or one that cannot do what it says.
    """
    from ns_tf.prune.choices import Choices  # Late: it needs Keras.

    if not setting.entry.source:
        raise InputError(
            "The method pruned needs a criterion: pruned:taylor_fo, "
            "pruned:thinet+distil; or gates that learn: pruned:slimming."
        )
    level = Choices.parse(setting.entry.source).level
    _check_budgets(level, targets)
    if level != CHANNEL:
        check_default_widths(setting)
    if level == BLOCK and setting.solver.device and "latency_ms" in targets:
        raise NotApplicable(
            "a device file knows other widths of one network and no other depth"
        )
    smaller(setting.plain, targets)
    return Proposal(setting.plain.architecture, None, pruning=setting.entry.source)


def _check_budgets(level: str, targets: Mapping[str, float]) -> None:
    """Refuses budgets that are none of what goes.

    Raises:
        NotApplicable: names the budget that is.
    """
    others = [name for name in targets if name != NONZERO]
    if level == WEIGHT and others:
        raise NotApplicable(
            f"single weights go, so {', '.join(others)} stays; its budget is {NONZERO}"
        )
    if level != WEIGHT and NONZERO in targets:
        raise of_other_rows()


def of_other_rows() -> NotApplicable:
    """The refusal of the budget of single weights, where none go."""
    return NotApplicable(
        f"{NONZERO} is of rows that let single weights go, as pruned:gradual@{WEIGHT}"
    )


def check_default_widths(setting: Setting) -> None:
    """Refuses default widths that are not allowed, where they stay.

    Args:
        setting: Says the network, and what widths may be.

    Raises:
        NotApplicable: they are not.
    """
    solver, plain = setting.solver, setting.plain
    options = solver.round_to, solver.min_width, solver.max_width
    grid = grid_of(*options, plain.bounds(solver.wishes))
    if not grid.has(plain.default_widths):
        raise NotApplicable(
            "it has the default widths, which the flags for widths do not allow"
        )


def smaller(plain: SearchRecord, targets: Mapping[str, float]) -> dict[str, float]:
    """The budgets, none above what the network of the default widths costs.

    Args:
        plain: Of the network that is compared.
        targets: Budgets by name; all hold. Measured ones stay as they are.

    Raises:
        NotApplicable: every budget is larger than what the network costs.
    """
    own = own_costs(plain)
    if all(target > own.get(name, np.inf) for name, target in targets.items()):
        raise NotApplicable(
            "it only makes the network of the default widths smaller, and this budget "
            "is larger"
        )
    return {n: min(target, own.get(n, np.inf)) for n, target in targets.items()}


def own_costs(plain: SearchRecord) -> dict[str, float]:
    """What the network of the default widths costs, by exact budget.

    All of its parameters count as weights that are not zero.

    Args:
        plain: Of the network that is compared.
    """
    default = np.array(plain.default_widths)
    found = {name: float(cost(default)) for name, cost in plain.costs.items()}
    return {**found, NONZERO: found["params"]}
