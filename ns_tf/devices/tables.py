"""Milliseconds of a layer shape as a table over the channels that it reads and makes.

Between the entries of a table times are bilinear. A table never falls where a layer
grows: measured times are made monotone before they become one.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

_LEAST = 1e-4  # ms; no time is compared more closely than this.
_SMALL = 0.3  # Of a table's largest time; smaller ones count by absolute errors.


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Milliseconds of one layer shape.

    Attributes:
        about: The layer shape, for people.
        reads: [r] channels that are read, increasing; one entry if always the same.
        makes: [m] channels that are made, likewise; [1] of a layer that makes what it
            reads.
        ms: [r, m] at least 0, falling nowhere.
        price: [4] at least 0: milliseconds of 1, reads, makes and reads · makes, the
            posynomial that is nearest to the table.
    """

    about: str
    reads: np.ndarray
    makes: np.ndarray
    ms: np.ndarray
    price: np.ndarray

    def at(self, reads: np.ndarray, makes: np.ndarray) -> np.ndarray:
        """Milliseconds [...] at channels [...]; beyond the ends as in the last cell.

        >>> ones = np.ones(4)
        >>> table = Table("conv", np.array([1, 9]), np.array([1, 9]),
        ...               np.array([[0.0, 8.0], [8.0, 80.0]]), ones)
        >>> table.at(np.array([1, 5, 9]), np.array([1, 5, 5])).tolist()
        [0.0, 24.0, 44.0]
        """
        i, a = _cell(self.reads, reads)
        j, b = _cell(self.makes, makes)
        up, right = min(1, len(self.reads) - 1), min(1, len(self.makes) - 1)
        low = (1 - b) * self.ms[i, j] + b * self.ms[i, j + right]
        high = (1 - b) * self.ms[i + up, j] + b * self.ms[i + up, j + right]
        return (1 - a) * low + a * high

    @property
    def slack(self) -> float:
        """The largest share of the posynomial that is no more than the table, anywhere.

        Both are bilinear between entries, so what holds at all entries holds between.
        """
        price = monomials(self.reads, self.makes) @ self.price
        positive = price > 0
        ratios = self.ms[positive] / price[positive]
        return float(ratios.min(initial=1.0))

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Table":
        """The table that `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: a hole, a negative time, times that fall
                where a layer grows, or channels that do not increase; says which.
        """
        about = str(data["about"])
        axes = [np.array(data[key], float) for key in ("reads", "makes")]
        for key, axis in zip(("reads", "makes"), axes, strict=True):
            if axis.ndim != 1 or not len(axis) or (np.diff(axis) <= 0).any():
                raise ValueError(f"{key} of {about} do not increase")
        ms = checked(data["ms"], (len(axes[0]), len(axes[1])), about)
        if falls(ms):
            raise ValueError(f"times of {about} fall where it grows")
        price = checked(data["price"], (4,), about)
        return cls(about, *axes, ms, price)


def checked(values: Any, shape: tuple[int, ...], about: str) -> np.ndarray:
    """Times as an array of that shape, none missing, none negative.

    Args:
        values: Lists of numbers; None is a hole.
        shape: Of the table.
        about: The layer shape, for errors.

    Raises:
        ValueError: otherwise.
    """
    array = np.array(values, float)  # None becomes NaN.
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"the times of {about} have holes")
    if (array < 0).any():
        raise ValueError(f"a time of {about} is negative: {array.min():g} ms")
    return array


def falls(ms: np.ndarray) -> bool:
    """Whether times [r, m] fall anywhere along an axis, by more than rounding."""
    slack = 1e-9 * max(float(ms.max(initial=0)), _LEAST)
    return any((np.diff(ms, axis=axis) < -slack).any() for axis in (0, 1))


def monotone(ms: np.ndarray) -> np.ndarray:
    """The nearest times [r, m] that fall nowhere: of least largest difference.

    The mean of the largest entry before and of the smallest one behind (Ubhaya,
    "Isotone optimization", 1974). Times that fall nowhere stay as they are.

    >>> monotone(np.array([[1.0, 3.0, 2.0], [2.0, 4.0, 5.0]])).tolist()
    [[1.0, 2.5, 2.5], [2.0, 4.0, 5.0]]
    """
    before, behind = np.array(ms, float), np.array(ms, float)
    for axis in (0, 1):
        before = np.maximum.accumulate(before, axis=axis)
        behind = np.flip(np.minimum.accumulate(np.flip(behind, axis), axis=axis), axis)
    return (before + behind) / 2


def monomials(reads: np.ndarray, makes: np.ndarray) -> np.ndarray:
    """1, reads, makes and reads · makes of all pairs, [r, m, 4]."""
    r, m = np.meshgrid(reads, makes, indexing="ij")
    return np.stack([np.ones(r.shape), r, m, r * m], axis=-1)


def posynomial(reads: np.ndarray, makes: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """The coefficients [4] of `monomials`, at least 0, that are nearest to times.

    Non-negative least squares of the relative errors, and of the absolute ones of times
    that are small in the table. Those are noise, or 0, and a posynomial that has to
    come close to 0 is far too low elsewhere. A monomial that an axis of one entry makes
    equal to another is left out.

    >>> axis = np.array([1.0, 8.0, 16.0])
    >>> ms = monomials(axis, axis) @ np.array([0.5, 0.0, 0.25, 0.125])
    >>> posynomial(axis, axis, ms).round(9).tolist()
    [0.5, 0.0, 0.25, 0.125]
    """
    from scipy.optimize import nnls  # Late: who reads a table needs no SciPy.

    terms = monomials(reads, makes).reshape(-1, 4)
    used = [True, len(reads) > 1, len(makes) > 1, min(len(reads), len(makes)) > 1]
    scale = np.maximum(ms.ravel(), max(_LEAST, _SMALL * float(ms.max(initial=0))))
    price = np.zeros(4)
    price[used] = nnls(terms[:, used] / scale[:, None], ms.ravel() / scale)[0]
    return price


def _cell(axis: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells of an axis that positions are in, and how far within, from 0 to 1."""
    if len(axis) == 1:
        return np.zeros(np.shape(at), int), np.zeros(np.shape(at))
    place = np.clip(np.searchsorted(axis, at, side="right") - 1, 0, len(axis) - 2)
    return place, (at - axis[place]) / (axis[place + 1] - axis[place])
