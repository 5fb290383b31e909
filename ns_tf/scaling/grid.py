"""The whole widths that a plan may have."""

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ns_tf.base import InputError

LARGEST_WIDTH = 2**16  # The largest width of a grid without `max_width`.


@dataclasses.dataclass(frozen=True)
class Grid:
    """The whole widths that are allowed: the multiples of `step` from `low` to `high`.

    >>> grid = Grid(step=8, low=8, high=64)
    >>> grid.nearest(np.array([3.0, 20.0, 21.7, 900.0])).tolist()
    [8, 24, 24, 64]
    """

    step: int  # Filters.
    low: int  # A multiple of step.
    high: int  # A multiple of step.

    def nearest(self, widths: np.ndarray) -> np.ndarray:
        """The nearest allowed widths [..., layers], int64.

        Widths half-way between two multiples go to the larger one, infinite ones to the
        largest.

        Args:
            widths: Widths [..., layers], not yet whole.
        """
        # Departure: the authors truncate, which loses a filter to float error wherever
        # the law passes through a whole number.
        steps = np.floor(np.asarray(widths) / self.step + 0.5)
        return np.clip(steps * self.step, self.low, self.high).astype(np.int64)


def grid_of(
    round_to: int = 1, min_width: int = 1, max_width: int | None = None
) -> Grid:
    """The grid of the multiples of `round_to` from `min_width` to `max_width`.

    >>> grid_of(round_to=8, min_width=3, max_width=47)
    Grid(step=8, low=8, high=40)

    Args:
        round_to: Every width is a multiple of it.
        min_width: The least width.
        max_width: The largest width; `LARGEST_WIDTH` if None.

    Raises:
        InputError: if one of them is no whole number from 1 on, or no width is left.
    """
    largest = LARGEST_WIDTH if max_width is None else max_width
    options = {"round_to": round_to, "min_width": min_width, "max_width": largest}
    for name, value in options.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise InputError(f"--{name} is a whole number from 1; got {value!r}.")
    low = -(-int(min_width) // int(round_to)) * int(round_to)
    high = int(largest) // int(round_to) * int(round_to)
    if low > high:
        raise InputError(
            f"No width is a multiple of --round_to={round_to}, at least --min_width="
            f"{min_width} and at most --max_width={largest}; change one of them."
        )
    return Grid(int(round_to), low, high)


def check_reach(
    budgets: Mapping[str, tuple[Callable[[np.ndarray], Any], float]],
    grid: Grid,
    layers: int,
) -> None:
    """Checks that targets lie between the costs of the grid's two ends.

    Args:
        budgets: By name: its cost, of widths [..., layers], and its target.
        grid: The whole widths that are allowed.
        layers: Number of widths.

    Raises:
        InputError: if all networks are larger than a target, or all are smaller.
    """
    ends = np.repeat([[grid.low], [grid.high]], layers, axis=1)
    for name, (cost, target) in budgets.items():
        smallest, largest = np.asarray(cost(ends)).tolist()
        if not smallest <= target <= largest:
            raise InputError(
                f"{name}={text(target)} cannot be met: the smallest network (every "
                f"width {grid.low}) costs {text(smallest)}, the largest (every width "
                f"{grid.high}) {text(largest)}. Ask for something between, or change "
                "--min_width or --max_width."
            )


def text(value: float) -> str:
    """A number for people: whole ones in full, others with four digits.

    >>> text(600000.0), text(0.12346)
    ('600,000', '0.1235')
    """
    exact = float(value).is_integer() and value < 1e15
    return f"{value:,.0f}" if exact else f"{value:,.4g}"
