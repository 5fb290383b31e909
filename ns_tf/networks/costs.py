"""What a network costs, as an exact function of its widths.

A weight has at most three axes that widths set: most have two, those of an attention's
dense layers heads and the size of a head beside the channels. So parameters, bytes and
multiply-adds are polynomials of degree three, summed in whole numbers: none is rounded.
"""

import dataclasses
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.networks.increments import Increments
from ns_tf.networks.priced_cost import PricedCost

if TYPE_CHECKING:
    import numpy.typing as npt

EPITOME = "epitome"  # A weight that a kernel is made of (`ns_tf.networks.layers`).
ALWAYS = (-1, -1)  # `differ` of a term that counts whatever the widths are.
_LARGEST = 2**63 - 1  # Of int64.


@dataclasses.dataclass(frozen=True, eq=False)
class CostPolynomial(PricedCost):
    """cost(w) = sum over t of c_t x[l_t] x[r_t] x[m_t] where w[a_t] != w[b_t], exactly.

    x is w with a 1 appended, so that the index `layers` means a factor of one. The
    condition w[a] != w[b] is that of a projection, which a residual block has where
    its two widths differ; a term with (a, b) = `ALWAYS` counts at all widths.

    Attributes:
        unit: What is counted: "parameters", "MACs".
        coefficient: [terms] c, int64.
        left: [terms] l, indices into x.
        right: [terms] r, indices into x.
        differ: [terms, 2] (a, b), indices into w, or -1, -1.
        third: [terms] m, indices into x; -1 is a factor of one. All -1 if None.

    A 3x3 convolution of an image of 3 colours to w[0] filters with bias, and a 1x1
    projection from w[0] to w[1] filters where these differ:

    >>> terms = [(27, 0, 2, ALWAYS), (1, 0, 2, ALWAYS), (1, 0, 1, (0, 1))]
    >>> cost = CostPolynomial.collect("parameters", terms)
    >>> cost(np.array([[5, 7], [5, 5]])).tolist()
    [175, 140]
    """

    unit: str
    coefficient: np.ndarray
    left: np.ndarray
    right: np.ndarray
    differ: np.ndarray
    third: np.ndarray | None = None

    def __post_init__(self):
        third = [-1] * len(self.left) if self.third is None else self.third
        columns = {
            "third": np.asarray(third, np.intp).reshape(-1),
            "coefficient": np.asarray(self.coefficient, np.int64).reshape(-1),
            "left": np.asarray(self.left, np.intp).reshape(-1),
            "right": np.asarray(self.right, np.intp).reshape(-1),
            "differ": np.asarray(self.differ, np.intp).reshape(-1, 2),
        }
        switched = np.flatnonzero(columns["differ"][:, 0] >= 0)
        derived = {
            "_switched": switched,
            "_differ": columns["differ"][switched].T,  # [2, switched]
            "_cubic": np.flatnonzero(columns["third"] >= 0),
            # The fewest widths that every index fits.
            "_top": max(
                columns["left"].max(initial=0),
                columns["right"].max(initial=0),
                columns["third"].max(initial=0),
                columns["differ"].max(initial=-1) + 1,
            ),
            "_weight": sum(abs(int(c)) for c in columns["coefficient"]),
        }
        for name, value in {**columns, **derived}.items():
            object.__setattr__(self, name, value)

    def __call__(self, widths: "npt.ArrayLike") -> np.ndarray:
        """The costs of networks.

        Args:
            widths: [..., layers] whole numbers.

        Returns:
            [...] int64.

        Raises:
            InputError: too few widths, widths that are not whole numbers, or a cost
                that 64 bits cannot hold.
        """
        widths = np.asarray(widths, None if np.size(widths) else int)  # [] is floats.
        if widths.ndim == 0 or widths.dtype.kind not in "iu":
            raise InputError(
                f"A cost needs whole widths [..., layers]; got {widths.dtype} "
                f"{list(widths.shape)}."
            )
        layers = widths.shape[-1]
        if layers < self._top:
            raise InputError(f"This cost has {self._top} widths; got {layers}.")
        x = np.ones((*widths.shape[:-1], layers + 1), np.int64)
        x[..., :-1] = widths
        largest = int(x.max(initial=1))
        degree = 3 if self._cubic.size else 2
        if self._weight * largest**degree <= _LARGEST:
            return self._sum(x, self.coefficient)
        try:  # The bound is not sharp: sum in Python's unbounded integers.
            total = self._sum(x.astype(object), self.coefficient.astype(object))
            return np.asarray(total, dtype=np.int64)
        except OverflowError as error:
            raise InputError(
                f"Widths of up to {largest} cost more {self.unit} than 64 bits hold; "
                "give smaller widths (--max_width)."
            ) from error

    def _sum(self, x: np.ndarray, coefficient: np.ndarray) -> np.ndarray:
        """Costs [...] of x [..., layers + 1], in the dtype of x."""
        terms = x.take(self.left, axis=-1)
        terms *= x.take(self.right, axis=-1)
        terms *= coefficient
        if self._cubic.size:
            terms[..., self._cubic] *= x.take(self.third[self._cubic], axis=-1)
        if self._switched.size:
            a, b = self._differ
            terms[..., self._switched] *= x.take(a, axis=-1) != x.take(b, axis=-1)
        return terms.sum(axis=-1)

    @classmethod
    def collect(cls, unit: str, terms: Iterable[tuple]) -> "CostPolynomial":
        """The polynomial of these terms, equal ones added up and zeros left out.

        Args:
            unit: What is counted.
            terms: (coefficient, left, right, differ) each, or (coefficient, left,
                right, third, differ); factors may be swapped, and so may the two of
                differ.

        >>> terms = [(3, 0, 1, ALWAYS), (4, 1, 0, ALWAYS), (2, 0, 0, ALWAYS)]
        >>> CostPolynomial.collect("MACs", terms).coefficient.tolist()
        [2, 7]
        """
        sums: dict[tuple, int] = {}
        for coefficient, left, right, *third, differ in terms:
            factors = sorted((int(left), int(right), *(int(i) for i in third)))
            none = [factors.pop(0)] if len(factors) == 3 and factors[0] < 0 else []
            factors += none or [-1] * (3 - len(factors))
            key = (*factors, *sorted(int(i) for i in differ))
            sums[key] = sums.get(key, 0) + int(coefficient)
        keys = sorted(key for key, coefficient in sums.items() if coefficient)
        return cls(
            unit,
            coefficient=[sums[key] for key in keys],
            left=[key[0] for key in keys],
            right=[key[1] for key in keys],
            differ=[key[3:] for key in keys],
            third=[key[2] for key in keys],
        )

    @property
    def near(self) -> tuple["CostPolynomial", ...]:
        """Itself."""
        return (self,)

    @property
    def floors(self) -> tuple["CostPolynomial", ...]:
        """The terms that count whatever the widths are: no larger a cost anywhere."""
        always = self.differ[:, 0] < 0
        return self.near if always.all() else (self.only(always),)

    def joined(self, numbers: Sequence[int]) -> "CostPolynomial":
        """The cost as a function of fewer numbers, some of which are several widths.

        >>> terms = [(3, 0, 1, ALWAYS), (2, 1, 2, (0, 1))]
        >>> cost = CostPolynomial.collect("MACs", terms)
        >>> int(cost.joined([0, 0])(np.array([5]))), int(cost(np.array([5, 5])))
        (75, 75)

        Args:
            numbers: [layers]: which number each width is, from 0.
        """
        # The last, which -1 is as well, means a factor of 1.
        place = np.append(numbers, max(numbers) + 1)
        differ = np.append(numbers, -1)[self.differ]
        exist = (differ[:, 0] < 0) | (differ[:, 0] != differ[:, 1])
        third = np.where(self.third < 0, -1, place[self.third])
        factors = place[self.left], place[self.right], third
        columns = (self.coefficient, *factors, differ)
        return CostPolynomial.collect(
            self.unit, zip(*(column[exist] for column in columns), strict=True)
        )

    def only(self, terms: np.ndarray) -> "CostPolynomial":
        """Some of the terms.

        Args:
            terms: [terms] bool.
        """
        columns = (self.coefficient, self.left, self.right, self.differ, self.third)
        return CostPolynomial(self.unit, *(column[terms] for column in columns))

    def increments(self, layers: int) -> "Increments":
        """What a step in each layer costs, as a function of widths.

        Args:
            layers: How many widths there are, at least those of the terms.
        """
        return Increments.of(self, layers)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and text that `from_json` reads back.

        >>> CostPolynomial.collect("MACs", [(9, 0, 1, ALWAYS)]).to_json()["differ"]
        [[-1, -1]]
        """
        columns = ["coefficient", "left", "right", "differ"]
        columns += ["third"] if self._cubic.size else []
        return {"unit": self.unit} | {c: getattr(self, c).tolist() for c in columns}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CostPolynomial":
        """The polynomial that `to_json` wrote.

        Args:
            data: As read from a file that may be damaged.

        Raises:
            InputError: an entry is missing, columns differ in length, a coefficient is
                no whole number of 64 bits, or an index is none.
        """
        try:
            unit = data["unit"]
            coefficient = [_whole(c) for c in data["coefficient"]]
            left = [_whole(i) for i in data["left"]]
            right = [_whole(i) for i in data["right"]]
            differ = [tuple(_whole(i) for i in pair) for pair in data["differ"]]
            third = [_whole(i) for i in data.get("third", [-1] * len(left))]
        except (KeyError, TypeError, AttributeError) as error:
            raise _damaged(f"{type(error).__name__} at {error}") from error
        if not isinstance(unit, str):
            raise _damaged(f"its unit is {unit!r}")
        columns = coefficient, left, right, differ, third
        if len({len(column) for column in columns}) > 1:
            raise _damaged("its columns have different lengths")
        if any(abs(c) > _LARGEST for c in coefficient):
            raise _damaged("a coefficient needs more than 64 bits")
        indices = [*left, *right, *third, *(i for pair in differ for i in pair)]
        least = min([*left, *right, *(i + 1 for i in third)], default=0)
        if least < 0 or max(indices, default=0) >= 2**31:
            raise _damaged("an index is negative or too large")
        for pair in differ:
            if pair != ALWAYS and not (len(pair) == 2 and 0 <= min(pair) < max(pair)):
                raise _damaged(f"differ holds {pair}")
        return cls(unit, *columns)


def _whole(value: Any) -> int:
    """The value as an int.

    Raises:
        TypeError: it is a bool, or no whole number.
    """
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return operator.index(value)


def _damaged(reason: str) -> InputError:
    """The error for JSON that `to_json` cannot have written."""
    return InputError(
        f"This is no cost polynomial: {reason}. Count the cost of the network again."
    )
