"""Bytes of RAM that an interpreter needs for the activations of a network.

The interpreter of microcontrollers (TensorFlow Lite for Microcontrollers) gives every
buffer a place before it runs: the largest first, each in the lowest gap beside those
that are alive at the same time. What that takes is more than the bytes alive at once
where gaps stay, so both are known here: `PeakMemory` gives the former, its `near`
the latter, a polynomial of the widths for each operation.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.priced_cost import PricedCost
from ns_tf.networks.schedule import CONV, NONE, OTHER, SUM, Live, Schedule

if TYPE_CHECKING:
    import numpy.typing as npt

ALIGNMENT = 16  # Bytes that the interpreter's buffers begin at multiples of.


def arena(sizes: Sequence[int], first: Sequence[int], last: Sequence[int]) -> int:
    """Bytes that buffers take where the interpreter puts them.

    Larger buffers come first, of equal ones the later. Each has the lowest gap that it
    fits among the buffers that are alive with it.

    >>> arena([32, 16, 48], first=[0, 1, 2], last=[1, 2, 3])
    64

    Args:
        sizes: [buffers] bytes, multiples of `ALIGNMENT`.
        first: [buffers]: the operation from which each is alive.
        last: [buffers]: the operation up to which it is.
    """
    beside = _beside(tuple(first), tuple(last))
    placed: dict[int, tuple[int, int]] = {}  # By buffer: where it begins and ends.
    for place in sorted(range(len(sizes)), key=lambda i: (-sizes[i], -i)):
        begin, size = 0, sizes[place]
        for other, end in sorted(placed[i] for i in beside[place] if i in placed):
            if other - begin >= size:
                break
            begin = max(begin, end)
        placed[place] = begin, begin + size
    return max(end for _, end in placed.values())


@functools.lru_cache(maxsize=256)
def _beside(
    first: tuple[int, ...], last: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """[buffers]: the buffers that are alive at the same time as each.

    >>> _beside((0, 1, 2), (1, 2, 3))
    ((0, 1), (0, 1, 2), (1, 2))
    """
    spans = list(zip(first, last, strict=True))
    return tuple(
        tuple(i for i, (a, b) in enumerate(spans) if a <= until and since <= b)
        for since, until in spans
    )


@dataclasses.dataclass(frozen=True, eq=False)
class PeakMemory(PricedCost):
    """Bytes of the arena of a network's LiteRT file, as a function of its widths.

    Attributes:
        unit: "bytes".
        schedule: The operations.
        layers: Number of widths.

    `near` and `floors` are lower bounds that are polynomials.
    """

    unit: str
    schedule: Schedule
    layers: int

    def __call__(self, widths: "npt.ArrayLike") -> np.ndarray:
        """Bytes [...] of networks of whole widths [..., layers]."""
        widths = np.asarray(widths)
        if widths.ndim == 0 or widths.shape[-1] != self.layers:
            raise InputError(
                f"This cost has {self.layers} widths; got {list(widths.shape)}."
            )
        count = math.prod(widths.shape[:-1])  # A network without widths is one, too.
        rows = widths.reshape(count, self.layers).astype(np.int64)
        found = [self._of(row) for row in rows]
        return np.array(found, np.int64).reshape(widths.shape[:-1])

    def _of(self, widths: np.ndarray) -> int:
        """Bytes of one network of widths [layers]."""
        equal = [(a, b) for a, b in self._conditions if widths[a] == widths[b]]
        live = self._at(frozenset(equal))
        sizes = (self._matrix @ np.append(widths, 1))[list(live.places)]
        whole = -(-sizes // ALIGNMENT) * ALIGNMENT
        return arena(whole.tolist(), live.first, live.last)

    @functools.cached_property
    def _conditions(self) -> tuple[tuple[int, int], ...]:
        return self.schedule.conditions

    @functools.cached_property
    def _matrix(self) -> np.ndarray:
        """[buffers, layers + 1]: bytes of each buffer for every filter of a layer."""
        matrix = np.zeros((len(self.schedule.buffers), self.layers + 1), np.int64)
        for row, buffer in zip(matrix, self.schedule.buffers, strict=True):
            for entries, width in buffer.terms:
                row[width] += buffer.bytes * entries
        return matrix

    @functools.cached_property
    def _at(self) -> "functools._lru_cache_wrapper[Live]":
        """The buffers by the conditions that do not hold."""
        return functools.lru_cache(maxsize=256)(self.schedule.at)

    @functools.cached_property
    def near(self) -> tuple[CostPolynomial, ...]:
        """Bytes that are alive during each operation, where all projections exist.

        An operation during which no more is alive than during another, whatever the
        widths are, is left out.
        """
        live = self._at(frozenset())
        count = max(live.last)
        alive = np.zeros((count + 1, len(live.places)), bool)
        for column, (first, last) in enumerate(zip(live.first, live.last, strict=True)):
            alive[first : last + 1, column] = True
        return self._polynomials(alive @ self._matrix[list(live.places)])

    @functools.cached_property
    def floors(self) -> tuple[CostPolynomial, ...]:
        """`near`, where no operation may be missing; else of single operations.

        What an operation that always exists reads and makes is alive while it runs,
        whatever else exists. Norms, ReLUs and borders may be folded away.
        """
        if not self._conditions:
            return self.near
        replaced = {step.makes for step in self.schedule.steps if step.instead != NONE}
        rows = [
            self._matrix[sorted({*step.reads, step.makes} - replaced)].sum(axis=0)
            for step in self.schedule.steps
            if step.differ == ALWAYS and step.kind in (CONV, SUM, OTHER)
        ]
        return self._polynomials(np.array(rows))

    def _polynomials(self, rows: np.ndarray) -> tuple[CostPolynomial, ...]:
        """The cost of each row [layers + 1] of bytes by filter that none is above."""
        rows = np.unique(rows, axis=0)
        above = (rows[None] >= rows[:, None]).all(axis=-1).sum(axis=1) > 1
        return tuple(
            CostPolynomial.collect(
                self.unit,
                (
                    (n, width, self.layers, ALWAYS)
                    for width, n in enumerate(row.tolist())
                ),
            )
            for row in rows[~above]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back."""
        return {"unit": self.unit, "layers": self.layers, **self.schedule.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PeakMemory":
        """The cost that `to_json` wrote.

        Raises:
            InputError: it cannot have written this.
        """
        try:
            layers = data["layers"]
            schedule = Schedule.from_json(data)
            widths = [w for one in schedule.buffers for _, w in one.terms]
            widths += [w for step in schedule.steps for w in step.differ if w >= 0]
            if min(widths) < 0 or max(widths) > layers:
                raise ValueError("a width that is none")
            return cls(str(data["unit"]), schedule, layers)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"This is no schedule of buffers: {type(error).__name__} at {error}. "
                "Count the cost of the network again."
            ) from error


ExactCost = CostPolynomial | PeakMemory


def cost_from_json(data: Mapping[str, Any]) -> ExactCost:
    """The cost that `to_json` of either kind wrote.

    Raises:
        InputError: neither can have written this.
    """
    kind = PeakMemory if "steps" in data else CostPolynomial
    return kind.from_json(data)
