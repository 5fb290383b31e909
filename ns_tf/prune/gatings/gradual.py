"""Gradual magnitude pruning (Zhu and Gupta, ICLR 2018 workshop)."""

from ns_tf.prune.formulas import ScheduledGates
from ns_tf.prune.gatings import gating
from ns_tf.prune.method import WEIGHT


@gating(
    "gradual",
    help="The smallest weights go a few at a time while the others train.",
    scope="layer",
    allocation="uniform",
    levels=(WEIGHT,),
)
class Gradual(ScheduledGates):
    """The share of zeros is s_t = s_f + (s_i - s_f) (1 - t / T)^3, with s_i = 0.

    Source: Zhu and Gupta, To prune, or not to prune, arXiv 1710.01878, equation 1. The
    final share s_f is what the budget asks for, the same in every kernel as in the
    paper (allocation "uniform"), or of all kernels together ("ranking"). T is the first
    0.7 of the steps, as of the plans of all gates. The weights that are smallest at
    that moment go, and do not come back.

    >>> [0.9 * Gradual().gone(t) for t in (0.0, 0.5, 1.0)]
    [0.0, 0.7875, 0.9]
    """

    def gone(self, ramp: float) -> float:
        """1 - (1 - t / T)^3, the share of what goes that is gone."""
        return 1 - (1 - ramp) ** 3
