"""Costs that a plan at a price can be solved for: those with posynomials near them."""

import abc
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ns_tf.networks.costs import CostPolynomial


class PricedCost(abc.ABC):
    """What networks cost, and posynomials near that.

    The best widths are a geometric program of the posynomials. Whole widths are
    then held to the cost itself. It may be the posynomial, a table of a device, or what
    an interpreter plans.

    Attributes:
        per_unit: What the posynomials count that makes one of the cost.
    """

    per_unit: float = 1.0

    @abc.abstractmethod
    def __call__(self, widths: "npt.ArrayLike") -> np.ndarray:
        """The costs [...] of networks of whole widths [..., layers]."""

    @property
    @abc.abstractmethod
    def near(self) -> "tuple[CostPolynomial, ...]":
        """Posynomials, the largest of which is near the cost.

        The cost itself alone, if it is one.
        """

    @property
    @abc.abstractmethod
    def floors(self) -> "tuple[CostPolynomial, ...]":
        """Posynomials without conditions, none of which is ever more than the cost.

        Those of `near` themselves, if that holds of them.
        """
