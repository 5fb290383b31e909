"""Li et al. (ICLR 2017): train, remove the filters of least L1 norm, fine-tune."""

import dataclasses
from collections.abc import Mapping

from ns_tf.plan.methods import Proposal, Setting, method, proportional
from ns_tf.plan.methods.pruned import smaller

PRUNING = "magnitude+uniform+none+plain"


@method(
    "li_l1",
    help="pruned:magnitude as in its paper: at uniform widths, nothing repaired.",
    proposes=True,
)
def li_l1(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The uniform widths, which are known before anything is trained.

    Args:
        setting: Of the network that is compared.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: the budgets allow a larger network than the default one.
        InputError: the budgets cannot be met.
    """
    curve = proportional(setting.plain, setting.plain.default_widths)
    proposal = setting.propose(curve, smaller(setting.plain, targets))
    return dataclasses.replace(proposal, pruning=PRUNING)
