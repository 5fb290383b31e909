"""What a cost grows by when one layer grows, which a solver asks at every step."""

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ns_tf.networks.costs import CostPolynomial


@dataclasses.dataclass(frozen=True, eq=False)
class Increments:
    """What one cost grows by when one layer grows, for each layer.

    A solver asks it at every step. Of terms that always count, c w_l w_r, they are a
    matrix times the widths. A term of three widths, or one that counts where two
    differ, is computed before and after, for each of its layers.
    """

    matrix: np.ndarray  # [layers, layers + 1]: c of w_l w_r in (l, r) and in (r, l).
    square: np.ndarray  # [layers]: c of w_l^2.
    # Of the other terms: c [terms], and l, r, m, a, b [5, terms].
    others: tuple[np.ndarray, np.ndarray]
    pairs: tuple[np.ndarray, np.ndarray]  # Layers, and the other terms they are in.
    places: np.ndarray  # [5, pairs]: whether the layer is the term's l, r, m, a, b.

    @classmethod
    def of(cls, cost: "CostPolynomial", layers: int) -> "Increments":
        """The increments of a polynomial of `layers` widths."""
        plain = (cost.differ[:, 0] < 0) & (cost.third < 0)
        always, others = cost.only(plain), cost.only(~plain)
        matrix = np.zeros((layers + 1, layers + 1), np.int64)
        np.add.at(matrix, (always.left, always.right), always.coefficient)
        square = matrix.diagonal()[:-1].copy()
        indices = np.stack([others.left, others.right, others.third, *others.differ.T])
        its = indices == np.arange(layers)[:, None, None]  # [layers, 5, terms]
        pairs = its.any(axis=1).nonzero()
        places = its[pairs[0], :, pairs[1]].T
        terms = others.coefficient, indices
        return cls((matrix + matrix.T)[:-1], square, terms, pairs, places)

    @property
    def constant(self) -> bool:
        """Whether they are the same at all widths."""
        return not (self.matrix[:, :-1].any() or self.places.size)

    def __call__(self, widths: np.ndarray, step: int | np.ndarray) -> np.ndarray:
        """[layers]: the cost of `step` more filters in each layer alone.

        >>> from ns_tf.networks.costs import ALWAYS, CostPolynomial
        >>> terms = [(3, 0, 1, ALWAYS), (2, 0, 0, ALWAYS)]
        >>> cost = CostPolynomial.collect("MACs", terms)
        >>> cost.increments(2)(np.array([5, 7]), 2).tolist()  # Of 3 a b + 2 a^2.
        [90, 30]

        Args:
            widths: [layers], whole.
            step: How many filters, or [layers].
        """
        step = np.broadcast_to(step, len(widths))
        x = np.append(widths, 1)
        more = step * (self.matrix @ x) + step * step * self.square
        self._add_others(more, x, step)
        return more

    def follow(
        self, more: np.ndarray, widths: np.ndarray, step: np.ndarray, layer: int
    ) -> None:
        """Makes increments those of the widths with a step of one layer more.

        Of terms that are no products of two widths, the layer's own alone are computed.

        Args:
            more: [layers]: the increments at the widths; written to.
            widths: [layers], whole, before the step.
            step: [layers].
            layer: That grows by its step.
        """
        more += step * (step[layer] * self.matrix[:, layer])
        if self.pairs[0].size:
            its, x = self._parts[layer], np.append(widths, 1)
            its._add_others(more, x, step, -1)
            x[layer] += step[layer]
            its._add_others(more, x, step)

    def _add_others(
        self, more: np.ndarray, x: np.ndarray, step: np.ndarray, sign: int = 1
    ) -> None:
        """Adds what terms grow by that are no products of two widths.

        Args:
            more: [layers]; written to.
            x: [layers + 1]: whole widths, and 1.
            step: [layers].
            sign: 1, or -1 to subtract.
        """
        layer, term = self.pairs
        if not len(layer):
            return
        coefficient, indices = self.others
        always = indices[3] < 0
        widths = x[indices]  # -1 is the 1 at the end.
        before = coefficient * _product(widths, always)
        widths = widths[:, term] + step[layer] * self.places
        after = coefficient[term] * _product(widths, always[term])
        np.add.at(more, layer, sign * (after - before[term]))

    @functools.cached_property
    def _parts(self) -> "list[Increments]":
        """By layer: of those of its terms that are no products of two widths."""
        coefficient, indices = self.others
        found = []
        for layer in range(len(self.square)):
            its = (indices == layer).any(axis=0)
            pairs = its[self.pairs[1]]
            number = np.cumsum(its) - 1  # Of each term among those of the layer.
            found.append(
                dataclasses.replace(
                    self,
                    others=(coefficient[its], indices[:, its]),
                    pairs=(self.pairs[0][pairs], number[self.pairs[1][pairs]]),
                    places=self.places[:, pairs],
                )
            )
        return found


def _product(widths: np.ndarray, always: np.ndarray) -> np.ndarray:
    """[terms]: the product of the factors of terms where they count, else 0.

    Args:
        widths: [5, terms]: the three factors, and the two widths that must differ.
        always: [terms] bool: whether a term counts whatever these are.
    """
    left, right, third, first, second = widths
    return left * right * third * (always | (first != second))
