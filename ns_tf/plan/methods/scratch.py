"""The widths of a pruned network from fresh weights (Liu et al., ICLR 2019).

The control of every pruned network: did the weights that were left help?
"""

from collections.abc import Mapping

from ns_tf.plan.methods import Proposal, Setting, method


@method(
    "scratch",
    help="The widths of a pruned row, trained from scratch for as many epochs as all: "
    "scratch:LABEL; of the first pruned row without a label.",
    proposes=True,
    takes_choice=True,
    of_weights=True,
)
def scratch(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """A network of the widths of another row; "Scratch-E" in the paper.

    Args:
        setting: Its entry names the row.
        targets: Budgets by name; the other row meets them.
    """
    return Proposal(setting.plain.architecture, None, like=setting.entry.source or "")


@method(
    "scratch_b",
    help="The same, for as many multiply-adds as the whole network's training takes.",
    proposes=True,
    takes_choice=True,
    of_weights=True,
)
def scratch_b(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """A network of the widths of another row; "Scratch-B" in the paper.

    Args:
        setting: Its entry names the row.
        targets: Budgets by name; the other row meets them.
    """
    return scratch(setting, targets)
