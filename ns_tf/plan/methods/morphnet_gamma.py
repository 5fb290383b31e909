"""MorphNet by its own regulariser: shrink and expand, then train from scratch."""

from collections.abc import Mapping

import numpy as np

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.plan.methods import NotApplicable, Proposal, Setting, method
from ns_tf.plan.methods.supernet import check_counted, grid_within, joined
from ns_tf.scaling.grid import check_reach

SHRUNK = 0.5  # Of what a network costs or may cost: what a round shrinks it to.


@method(
    "morphnet_gamma",
    help="The widths that MorphNet's penalty on batch norms leaves, times one number, "
    "from scratch: morphnet_gamma:ROUNDS.",
    proposes=True,
    takes_choice=True,
)
def morphnet_gamma(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """A network whose widths are known once networks were trained and shrunk.

    Source: Gordon et al., MorphNet, CVPR 2018, algorithm 1.

    Args:
        setting: Its entry says how often; once, if it says nothing.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: a budget is measured, or no network costs half of it.
        InputError: no number of rounds, or a budget that cannot be counted.
    """
    text = setting.entry.source or "1"
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"morphnet_gamma:ROUNDS has a whole number from 1; got {text!r}."
        )
    measured = [name for name in targets if budgets.get(name).measured]
    if measured:
        raise NotApplicable(
            f"the penalty is the derivative of an exact budget, and {measured[0]} is "
            "measured"
        )
    check_counted(setting, targets)
    _check_half(setting, targets)
    plain = setting.plain
    return Proposal(plain.architecture, None, trunk=("morphnet_gamma", str(int(text))))


def _check_half(setting: Setting, targets: Mapping[str, float]) -> None:
    """Refuses budgets to whose half no network shrinks.

    Args:
        setting: Says the network, and what widths may be.
        targets: Exact budgets by name.

    Raises:
        NotApplicable: says which.
    """
    record = joined(setting)
    grid, whole = grid_within(setting, record), np.array(record.default_widths)
    halves = {}
    for name, target in targets.items():
        cost = record.costs[name]
        half = SHRUNK * min(target, float(cost(whole)))
        halves[name] = cost, min(half, float(cost(np.array(grid.high))))
    try:
        check_reach(halves, grid, layers=len(whole))
    except InputError as error:
        reason = str(error).rstrip(".")
        raise NotApplicable(
            f"half of the budget, to which a round shrinks: {reason}"
        ) from error
