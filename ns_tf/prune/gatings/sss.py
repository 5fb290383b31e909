"""Sparse Structure Selection (Huang and Wang, ECCV 2018), of channels or blocks."""

import numpy as np

from ns_tf.prune.formulas import BankGates, Now
from ns_tf.prune.gatings import gating
from ns_tf.prune.method import BLOCK, CHANNEL


@gating(
    "sss",
    help="Scales of channels or blocks by accelerated proximal steps, to exact zeros.",
    levels=(CHANNEL, BLOCK),
)
class Sss(BankGates):
    """Scales of channels or blocks, an L1 penalty by proximal steps (APG-NAG).

    With rate e, gradient g, pull p and momentum m, equations 10 to 12 are

        z = S(scale - e g, e p),  v <- z - scale + m v,  scale <- max(0, z + m v)

    for the soft threshold S(x, t) = sign(x) max(0, |x| - t). Two steps from 1:

    >>> one, none = np.ones(1), np.zeros(1)
    >>> now = Now(gradient=0.2 * one, pull=0.5 * one, rate=0.1 * one, draw=one,
    ...           progress=0.0)
    >>> scale, v = Sss().step(one, none, now)
    >>> again, _ = Sss().step(scale, v, now)
    >>> scale.round(6).tolist(), again.round(6).tolist()
    ([0.867], [0.6773])

    Departure: the scales of a layer are divided by the largest of them, and v is not.
    Divided too, it would grow faster than m lets it decay where all scales of a layer
    fall together by more than a tenth a step.
    """

    momentum = 0.9
    pinned = True

    def step(
        self, raw: np.ndarray, slot: np.ndarray, now: Now
    ) -> tuple[np.ndarray, np.ndarray]:
        """(scales [n], v [n]) after one step."""
        moved = raw - now.rate * now.gradient
        z = np.sign(moved) * np.maximum(0.0, np.abs(moved) - now.rate * now.pull)
        v = z - raw + self.momentum * slot
        return np.maximum(0.0, z + self.momentum * v), v
