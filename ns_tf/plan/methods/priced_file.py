"""Prices by a law from a JSON file: a published one, or that of another program."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ns_tf.base import PriceLaw
from ns_tf.plan.methods import Proposal, Setting, method
from ns_tf.plan.methods.file import entry_in, law_of
from ns_tf.plan.methods.priced import ASSUMED
from ns_tf.run.checks import is_positive

EXPONENT = "price_exponent"  # Of the file.


@method(
    "priced_file",
    help="Widths of most value by a law from a JSON file, priced in the budget.",
    proposes=True,
    takes_source=True,
)
def priced_file(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The network of most value by the law that `priced_file:PATH` holds.

    The JSON is that of a law as of `file`. A law alone says nothing of how the worth of
    a filter falls: one more is worth tau^-p, where the file says p by "price_exponent",
    beside alpha and beta, or p is `ASSUMED`.

    Args:
        setting: Its entry names the file.
        targets: Budgets by name; all hold.

    Raises:
        InputError: no path, no such file or iteration, numbers that are no law of this
            network, or budgets that cannot be met.
        NotApplicable: a budget has no price.
    """
    remedy = f"It needs alpha and beta for every layer, and may have {EXPONENT}."
    with entry_in(setting, "file of a law", remedy) as entry:
        law = law_of(entry, len(setting.plain.names))
        exponent = entry.get(EXPONENT, ASSUMED)
        if not is_positive(exponent):
            raise ValueError(f"{EXPONENT} is no positive number")
    # The file does not say where widths were recorded, which a price law asks of layers
    # that hardly grow: they have their widths of the default network's size.
    plain = setting.plain
    size = float(plain.costs["params"](np.array(plain.default_widths)))
    law = dataclasses.replace(law, tau_range=(size, size))
    return setting.propose(PriceLaw(law, float(exponent)), targets)
