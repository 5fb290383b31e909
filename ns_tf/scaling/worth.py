"""What filters are worth by a law, and what a network of some widths is worth."""

import dataclasses

import numpy as np

from ns_tf.base import InputError, ScalingLaw

FLOOR = 1.1  # The exponent is at least this times the largest beta.
# A layer whose beta is a smaller share of the largest one counts as one of this share:
# its width hardly depends on the size of the network, and on its price.
STEADY = 0.05


@dataclasses.dataclass(frozen=True)
class Value:
    """What widths are worth: -sum_l c_l w_l^(-q_l), up to a constant.

    c and q are `[layers]`, positive.
    """

    log_c: np.ndarray  # [layers]
    q: np.ndarray  # [layers]
    exponent: float  # p, after the floor.
    floored: bool  # Whether the exponent that was asked for was smaller.
    law: ScalingLaw  # Of positive betas: what it was made of.
    steady: np.ndarray  # [layers] bool: whose beta was raised, so tau says nothing.

    def log_taus(self, widths: np.ndarray) -> np.ndarray:
        """ln of the tau where the law gives each layer its width, [layers]."""
        return np.log(widths / self.law.alpha) / self.law.beta

    def log_loss(self, widths: np.ndarray) -> np.ndarray:
        """ln of sum_l c_l w_l^(-q_l) [...] of widths [..., layers]; it may be tiny."""
        return np.logaddexp.reduce(self.log_c - self.q * np.log(widths), axis=-1)

    def log_of_more(
        self,
        widths: np.ndarray,
        step: float | np.ndarray = 1.0,
        layers: np.ndarray | slice = slice(None),
    ) -> np.ndarray:
        """ln of what `step` more filters in each of some layers add to the value.

        Args:
            widths: Of these layers.
            step: Of these layers, or one for all.
            layers: Their numbers; all if not given.
        """
        x, q = np.log(widths), self.q[layers]
        shrunk = -q * (np.log(np.asarray(widths, float) + step) - x)
        return self.log_c[layers] - q * x + np.log(-np.expm1(shrunk))


def value_of(law: ScalingLaw, exponent: float) -> Value:
    """The value of widths by a law, where one more filter is worth tau^-exponent.

    An exponent at or below a layer's beta gives that layer a value that grows without
    end: the optimum would be a corner. So it is floored at `FLOOR` times the largest
    beta. A layer that did not grow with the network has no value by its law. It counts
    as one that hardly grows, through its width in the middle of the recorded range.

    Args:
        law: alpha, beta `[layers]`.
        exponent: p; the floor if it is smaller.

    Raises:
        InputError: no beta is positive.

    >>> law = ScalingLaw(np.array([1.0, 2.0]), np.array([0.5, 0.25]))
    >>> value = value_of(law, 1.0)
    >>> value.q.tolist(), np.exp(value.log_c).round(6).tolist()
    ([1.0, 3.0], [1.0, 5.333333])
    """
    given, law = law, _growing(law)
    p = max(float(exponent), FLOOR * float(law.beta.max()))
    q = p / law.beta - 1
    log_c = p / law.beta * np.log(law.alpha) - np.log(q)
    return Value(log_c, q, p, p > exponent, law, law.beta > np.asarray(given.beta))


def _growing(law: ScalingLaw) -> ScalingLaw:
    """The law with a positive beta in every layer.

    Raises:
        InputError: no beta is positive.
    """
    alpha, beta = np.asarray(law.alpha, float), np.asarray(law.beta, float)
    if not beta.max() > 0:
        raise InputError(
            "A plan at a price needs widths that grow with the network; the largest "
            f"beta of this law is {beta.max():.3g}. Search longer."
        )
    least = STEADY * beta.max()
    middle = float(np.sqrt(np.prod(law.tau_range))) if law.tau_range else 1.0
    grown = np.maximum(beta, least)
    return ScalingLaw(alpha * middle ** (beta - grown), grown)
