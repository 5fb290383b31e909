"""Gates drawn by a logit a channel, as MorphNet has them since 2020 (FiGS)."""

import numpy as np

from ns_tf.prune.formulas import BankGates, Now
from ns_tf.prune.gatings import gating

WARM, COLD = 0.5, 0.05  # The temperature at the beginning and at the end.


@gating("logistic_sigmoid", help="Gates drawn by a logit a channel, ever harder.")
class LogisticSigmoid(BankGates):
    """gate = sigmoid((logit + noise) / t), the noise logistic, one draw a step.

    Of u = 0.3 the noise is log(u / (1 - u)) = -0.847298; with the logit 2.5 and t = 0.5

    >>> u = np.array([0.3])
    >>> round(float(noise(u)[0]), 6)
    -0.847298
    >>> round(float(LogisticSigmoid().value(np.array([2.5]), u, 0.0)[0]), 6)
    0.964614

    The penalty is strength · price · gate, and the logit falls by the derivative of
    both through gate (1 - gate) / t. The network that has learned has the gates
    [logit > 0] sigmoid(logit).

    Departure: t falls from 0.5 to 0.05 over the training. At the constant 0.001 of
    Google's morph-net derivatives vanish or overflow.
    """

    start = 2.5
    momentum = 0.9

    def value(self, raw: np.ndarray, draw: np.ndarray, progress: float) -> np.ndarray:
        """Gates drawn for one step, [n]."""
        return sigmoid((raw + noise(draw)) / temperature(progress))

    def final(self, raw: np.ndarray) -> np.ndarray:
        """Gates of inference, [n]: from 0 to below 1."""
        return np.where(raw > 0, sigmoid(raw), 0.0)

    def step(
        self, raw: np.ndarray, slot: np.ndarray, now: Now
    ) -> tuple[np.ndarray, np.ndarray]:
        """(logits [n], velocities [n]) after a step with momentum."""
        gate = self.value(raw, now.draw, now.progress)
        slope = gate * (1 - gate) / temperature(now.progress)
        velocity = self.momentum * slot + (now.gradient + now.pull) * slope
        return raw - now.rate * velocity, velocity


def temperature(progress: float) -> float:
    """t, which falls by the same factor in every step.

    >>> [round(temperature(progress), 4) for progress in (0.0, 0.5, 1.0)]
    [0.5, 0.1581, 0.05]

    Args:
        progress: Share of the steps that are done.
    """
    return WARM * (COLD / WARM) ** progress


def noise(draw: np.ndarray) -> np.ndarray:
    """Logistic noise of uniform numbers [n] in (0, 1)."""
    return np.log(draw) - np.log1p(-draw)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -x))
