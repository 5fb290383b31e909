"""MorphNet by its own regulariser: shrink and expand, then train from scratch."""

from collections.abc import Mapping

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.plan.methods import NotApplicable, Proposal, Setting, method


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
        NotApplicable: a budget is measured.
        InputError: no number of rounds.
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
    plain = setting.plain
    return Proposal(plain.architecture, None, trunk=("morphnet_gamma", str(int(text))))
