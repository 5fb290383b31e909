"""Generative Adversarial Learning (GAL, Lin et al., CVPR 2019)."""

import numpy as np

from ns_tf.prune.formulas import BankGates, Now
from ns_tf.prune.gatings import gating
from ns_tf.prune.method import BLOCK, CHANNEL


@gating(
    "gal",
    help="Masks that learn the whole network's outputs, without labels.",
    levels=(CHANNEL, BLOCK),
)
class Gal(BankGates):
    """Masks by FISTA on the distance to the outputs that the network had.

    Weights and masks minimise MSE(f_t, f_s) + BCE(D(f_s), 1), with the logits f_t of
    the whole network and f_s of the one with masks. The discriminator D minimises
    BCE(D(f_t), 1) + BCE(D(f_s), 0) + BCE(D(f_s), 1) (`ns_tf.prune.taught`).

    With rate e, gradient g at the point y, pull p and the soft threshold S,

        x' = max(0, S(y - e g, e p)),  t' = (1 + sqrt(1 + 4 t^2)) / 2,
        y' = max(0, x' + (t - 1) / t' (x' - x)).

    S is sign(z) max(0, |z| - e p) of z, so x' = max(0, y - e (g + p)). t is 1 again
    where a step goes against the momentum: (y - x') (x' - x) > 0. Three steps from
    x = y = 1, t = 1. The first has no momentum:

    >>> one = np.ones(1)
    >>> now = Now(gradient=0.2 * one, pull=0.5 * one, rate=0.1 * one, draw=one,
    ...           progress=0.0)
    >>> y, slot = one, Gal().slot(one, 128)
    >>> for _ in range(3):
    ...     y, slot = Gal().step(y, slot, now)
    ...     print((y - slot[0]).round(6).tolist())
    [0.93]
    [0.86]
    [0.770277]

    Departures: masks begin at 1, not at random, and move in every step, not in one of
    200. The penalty is in the proximal step alone, not in the gradient as well. A
    layer's masks, and y - x, are divided by the largest of them. Student and
    discriminator move in the same step. Momentum restarts a mask at a time (O'Donoghue
    and Candes, 2015), not where the rate drops. A class that sets `adversary = False`
    has MSE alone.
    """

    pinned = True
    # Masks that nothing holds yet fall together, ever faster, before the strength can
    # follow.
    first = 0.1
    taught = True
    adversary = True

    def pace(self, steps: int) -> float:
        """20 / steps: with FISTA's momentum k steps go as far as k^2 / 4 plain ones."""
        return min(1.0, 20 / steps)

    def slot(self, curvature: np.ndarray, batch: int) -> np.ndarray:
        """(y - x, t) of every mask, [2, n]."""
        del batch
        return np.stack([np.zeros_like(curvature), np.ones_like(curvature)])

    def step(
        self, raw: np.ndarray, slot: np.ndarray, now: Now
    ) -> tuple[np.ndarray, np.ndarray]:
        """(y [n], (y - x, t) [2, n]) after one step."""
        lead, t = slot
        before = raw - lead
        x = np.maximum(0.0, raw - now.rate * (now.gradient + now.pull))
        t = np.where((raw - x) * (x - before) > 0, 1.0, t)
        later = (1 + np.sqrt(1 + 4 * t**2)) / 2
        y = np.maximum(0.0, x + (t - 1) / later * (x - before))
        return y, np.stack([y - x, later])

    def rescaled(
        self, slot: np.ndarray, channels: np.ndarray, factor: float
    ) -> np.ndarray:
        """The slot of masks that were divided: y - x is, and t is not."""
        slot = slot.copy()
        slot[0, channels] /= factor
        return slot
