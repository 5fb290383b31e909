"""Network Slimming (Liu et al., ICCV 2017)."""

from typing import Any

from ns_tf.prune.formulas import NormGates
from ns_tf.prune.gatings import gating


@gating(
    "slimming",
    help="An L1 penalty on the gammas of batch norms.",
    repair="mean+statistics",
    epochs=10,
    units=False,
)
class Slimming(NormGates):
    """L + strength · sum |gamma|, its subgradient at 0 being 0.

    One step at the rate 0.1 and strength 0.01, where the loss has no gradient:

    >>> import numpy as np
    >>> gamma = np.array([0.5, -0.2, 0.0])
    >>> step = gamma - 0.1 * 0.01 * np.asarray(Slimming().pull(gamma, 1.0))
    >>> step.round(6).tolist()
    [0.499, -0.199, 0.0]
    """

    priced = False

    def pull(self, gamma: Any, price: Any) -> Any:
        """sign(gamma), [channels]; a channel's price is not read."""
        from keras import ops

        del price
        return ops.sign(gamma)
