"""Li et al. (ICLR 2017): train, remove the filters of least L1 norm, fine-tune."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ns_tf.base import Widths
from ns_tf.plan.methods import (
    NotApplicable,
    Proposal,
    Setting,
    method,
    proportional,
)

if TYPE_CHECKING:
    import keras

    from ns_tf.networks.structure import Structure


def start(
    trained: "keras.Model", structure: "Structure", widths: Widths
) -> "keras.Model":
    """The trained network cut down to the filters of largest L1 norm.

    Args:
        trained: The network of the default widths.
        structure: Its structure.
        widths: Filters that stay in every layer [layers].
    """
    from ns_tf.prune.trained import pruned  # Late: it needs Keras.

    return pruned(trained, structure, widths)


@method(
    "li_l1",
    help="Trained at the default widths, pruned by L1 norm to uniform ones, then "
    "fine-tuned.",
    proposes=True,
    start=start,
)
def li_l1(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The uniform widths, if none is larger than the default one.

    Args:
        setting: Of the network that is compared.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: the budgets allow a larger network than the default one.
        InputError: the budgets cannot be met.
    """
    default = setting.plain.default_widths
    proposal = setting.propose(proportional(setting.plain, default), targets)
    if any(w > d for w, d in zip(proposal.widths, default, strict=True)):
        raise NotApplicable(
            "pruning only makes networks smaller, this budget is larger"
        )
    return proposal
