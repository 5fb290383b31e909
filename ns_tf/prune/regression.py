"""Sums of products, from which linear layers are fitted without keeping any rows."""

import dataclasses
from collections.abc import Iterable

import numpy as np

RIDGE = 1e-6  # Of the mean of the Gram matrix's diagonal.


@dataclasses.dataclass(frozen=True, eq=False)
class Normal:
    """Sums over rows (a, y) of a regression of y on a: all that least squares needs.

    Args:
        gram: A'A, [inputs, inputs].
        moment: A'y, [inputs, outputs].
        square: The sum of y², [outputs].
        rows: Number of rows.
    """

    gram: np.ndarray
    moment: np.ndarray
    square: np.ndarray
    rows: int

    @classmethod
    def of(cls, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> "Normal":
        """The sums over parts of the rows.

        >>> normal = Normal.of([(np.array([[1.0, 2.0]]), np.array([[3.0]]))])
        >>> normal.gram.tolist(), normal.moment.tolist()
        ([[1.0, 2.0], [2.0, 4.0]], [[3.0], [6.0]])

        Args:
            parts: Pairs of A [rows, inputs] and Y [rows, outputs], at least one.
        """
        gram = moment = square = 0.0
        rows = 0
        for a, y in parts:
            gram, moment = gram + a.T @ a, moment + a.T @ y
            square, rows = square + (y**2).sum(axis=0), rows + len(a)
        return cls(gram, moment, square, rows)

    def error(self, weights: np.ndarray) -> float:
        """Mean square of A w - Y over rows, summed over outputs.

        Args:
            weights: [inputs, outputs].
        """
        total = (
            self.square.sum()
            - 2 * (weights * self.moment).sum()
            + (weights * (self.gram @ weights)).sum()
        )
        return float(total) / self.rows

    def fitted(self, start: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
        """The w of least |A w - Y|² + r |w - start|², [inputs, outputs].

        r is `ridge` times the mean of the diagonal of A'A. What the rows leave open
        stays as in `start`, and no w has a larger error than `start` has.

        >>> x = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
        >>> normal = Normal.of([(x, 2 * x[:, :1])])
        >>> normal.fitted(np.array([[1.0], [5.0]])).round(5).tolist()
        [[2.0], [5.0]]

        Args:
            start: [inputs, outputs].
            ridge: How firmly it is held.
        """
        size = len(self.gram)
        r = ridge * np.trace(self.gram) / size
        left = self.gram + max(r, np.finfo(float).tiny) * np.eye(size)
        right = self.moment - self.gram @ start
        return start + np.linalg.lstsq(left, right, rcond=None)[0]
