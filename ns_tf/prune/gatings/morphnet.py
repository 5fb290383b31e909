"""MorphNet's regulariser (Gordon et al., CVPR 2018), for any exact budget."""

from typing import Any

from ns_tf.prune.formulas import NormGates
from ns_tf.prune.gatings import gating


@gating(
    "morphnet",
    help="An L1 penalty on the gammas of batch norms, weighed by what channels cost.",
    repair="mean+statistics",
    epochs=10,
)
class Morphnet(NormGates):
    """L + strength · R, where R is the cost of the channels that are alive.

    For operations of n_in and n_out channels alive, R is the sum over operations of
    k (n_in sum_out |gamma| + n_out sum_in |gamma|). The cost F = sum k n_in n_out is
    bilinear in the widths, so R = sum over layers of dF/dw · sum |gamma|: the price of
    a channel is the derivative of the cost at the widths alive. Any budget with a
    polynomial has this price, and several budgets add theirs (`ns_tf.prune.pressure`).

    A 3x3 convolution of 3 colours with 2 of 4 channels alive, then one of 2 channels:

    >>> import numpy as np
    >>> first, second = np.array([0.5, 0, 1, 0.001]), np.array([0.2, -0.4])
    >>> prices = 9 * (3 + 2), 9 * 2
    >>> total = prices[0] * abs(first).sum() + prices[1] * abs(second).sum()
    >>> round(float(total), 3)
    78.345
    >>> [float(pull) for pull in Morphnet().pull(second, 18.0)]
    [18.0, -18.0]

    The allocation of this name takes the other half of MorphNet: it expands the widths
    of half of the channels.
    """

    def pull(self, gamma: Any, price: Any) -> Any:
        """price · sign(gamma), [channels]."""
        from keras import ops

        return price * ops.sign(gamma)
