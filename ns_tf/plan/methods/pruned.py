"""Pruned from a trained network: which filters go, by any criterion or gating."""

from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import NotApplicable, Proposal, Setting, method


@method(
    "pruned",
    help="Trained at the default widths, pruned, then fine-tuned: "
    "pruned:METHOD[+ALLOCATION][+REPAIR][+RECIPE].",
    proposes=True,
    takes_choice=True,
)
def pruned(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """A network whose widths are known once the trained one was scored.

    Args:
        setting: Its entry says how the trained network is pruned.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: the budgets allow a larger network than the default one.
        InputError: the entry names no method.
    """
    if not setting.entry.source:
        raise InputError(
            "The method pruned needs a criterion: pruned:taylor_fo, "
            "pruned:thinet+distil; or gates that learn: pruned:slimming."
        )
    smaller(setting.plain, targets)
    return Proposal(setting.plain.architecture, None, pruning=setting.entry.source)


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

    Args:
        plain: Of the network that is compared.
    """
    default = np.array(plain.default_widths)
    return {name: float(cost(default)) for name, cost in plain.costs.items()}
