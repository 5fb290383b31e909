"""Random widths: what a method must beat before its gain means anything."""

from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.plan.methods import Proposal, Setting, method, proportional

# Standard deviation of the logarithms: of two layers, the ratio of widths moves by e
# in every third list or so, as much as searches move it.
SPREAD = 0.7


@method(
    "random",
    help="The default widths, each times a random number; random@3 is the third list.",
    proposes=True,
    takes_source=True,
)
def random(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The default widths times exp(0.7 n), n standard normal, scaled to the budgets.

    The list depends on its number and on nothing else, so that a comparison can be
    continued and its budgets share a list.

    Args:
        setting: Its entry names the list: `random@3`; the first if it names none.
        targets: Budgets by name; all hold.

    Raises:
        InputError: the entry has a source, or the budgets cannot be met.
    """
    if setting.entry.source:
        raise InputError(
            "The method random reads nothing: random@3 is the third list of widths; "
            f"got the source {setting.entry.source}."
        )
    record = setting.plain
    draws = np.random.default_rng(setting.entry.iteration or 1)
    factors = np.exp(SPREAD * draws.standard_normal(len(record.default_widths)))
    widths = np.maximum(1, np.rint(factors * record.default_widths)).astype(int)
    return setting.propose(proportional(record, tuple(widths.tolist())), targets)
