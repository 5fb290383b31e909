"""AutoPrune (Xiao, Wang and Rajasekaran, NeurIPS 2019), of channels or weights."""

import numpy as np

from ns_tf.prune.formulas import BankGates, Now, blocks
from ns_tf.prune.gatings import gating
from ns_tf.prune.method import CHANNEL, WEIGHT

_REACH = 0.5  # Parameters stay within this distance of 0.
_STEP = 0.02  # A parameter moves that far by a derivative of the usual size.
_CLOSED_SLOPE = 0.5  # Of the estimator, for closed channels.
_MEMORY = 0.95  # Of the running mean of squares.


@gating(
    "autoprune",
    help="Binary gates by parameters that learn from images held out of the weights.",
    levels=(CHANNEL, WEIGHT),
)
class Autoprune(BankGates):
    """gate = [m > 0] for an auxiliary parameter m a channel or a weight, which learns.

    The step function has no derivative, so a straight-through estimator gives one: 1
    where m > 0 and 0.5 elsewhere (a leaky ReLU). With u = dL/dgate + pull,

        m <- clip(m - 0.02 slope(m) u / rms(u), -0.5, 0.5)

    A closed channel has a derivative too, as a gate has one at 0, so it can come back.
    Of a weight w the kernel has t = w [m > 0], and dL/dgate is the coarse gradient
    dL/dt sgn(w) (`ns_tf.graph.masks`).
    Weights and m take turns: m learns from images that the weights do not, a quarter as
    many a step.

    >>> m, u = np.array([0.02, -0.02]), np.array([0.3, -0.3])
    >>> now = Now(gradient=u, pull=0 * u, rate=u, draw=u, progress=0.0)
    >>> Autoprune().step(m, np.full(2, 0.09), now)[0].round(6).tolist()
    [0.0, -0.01]

    Departures: the paper's text is not public, so these are choices. A channel has one
    m, whose derivative is that of the gate behind the norm. Steps are divided by the
    root of a running mean of squares: the noise of dL/dgate differs a thousandfold
    between layers, and plain steps close everything.
    """

    start = 0.5
    held_out = 0.1
    drawn = False
    # An open gate does not feel the curvature that holds a gate between 0 and 1, so
    # what the budgets need would close all channels before the strength can follow.
    first = 0.1

    def value(self, raw: np.ndarray, draw: np.ndarray, progress: float) -> np.ndarray:
        """[m > 0], [n]."""
        del draw, progress
        return (raw > 0).astype(float)

    def final(self, raw: np.ndarray) -> np.ndarray:
        """[m > 0], [n]."""
        return (raw > 0).astype(float)

    def left(self, raw: np.ndarray) -> np.ndarray:
        """[m > 0], [n]: noise moves m, so no m is on its way to 0."""
        return (raw > 0).astype(float)

    def slot(self, curvature: np.ndarray, batch: int) -> np.ndarray:
        """Mean squares of the derivatives, as batches of images have them."""
        return curvature / batch

    def against_noise(self, squares: np.ndarray, steps: float) -> np.ndarray:
        """[n]: start / (0.02 steps) times the root of the mean square.

        >>> Autoprune().against_noise(np.array([0.09]), 50.0).round(6).tolist()
        [0.15]

        Args:
            squares: [n]: mean squares of the derivatives in a step.
            steps: In which a gate closes, if all but the pull is noise.
        """
        return self.start / (_STEP * steps) * np.sqrt(squares)

    def step(
        self, raw: np.ndarray, slot: np.ndarray, now: Now
    ) -> tuple[np.ndarray, np.ndarray]:
        """(m [n], running mean squares [n]) after one step."""
        moved, squares = np.empty_like(raw), np.empty_like(slot)
        for own in blocks(len(raw)):
            u = now.gradient[own] + now.pull[own]
            square = _MEMORY * slot[own] + (1 - _MEMORY) * u**2
            step = _STEP * slope(raw[own]) * u / np.sqrt(np.maximum(square, 1e-30))
            np.clip(raw[own] - step, -_REACH, _REACH, out=moved[own])
            squares[own] = square
        return moved, squares


def slope(raw: np.ndarray) -> np.ndarray:
    """Of the straight-through estimator, [n]: 1 above 0, else 0.5."""
    return _CLOSED_SLOPE + (1 - _CLOSED_SLOPE) * (raw > 0)  # `where` takes longer.
