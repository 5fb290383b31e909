"""The whole widths that a plan may have."""

import dataclasses
import numbers
from collections.abc import Callable, Mapping, Sequence
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

    Where every layer has a largest width of its own, `low` and `high` are arrays.
    """

    step: int  # Filters.
    low: int | np.ndarray  # A multiple of step; or [layers].
    high: int | np.ndarray  # A multiple of step; or [layers].

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
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | Sequence[int] | None = None,
) -> Grid:
    """The grid of the multiples of `round_to` from `min_width` to `max_width`.

    >>> grid_of(round_to=8, min_width=3, max_width=47)
    Grid(step=8, low=8, high=40)

    With a largest width for each layer, a layer that has no such multiple keeps its
    largest width: 5 of the layers below.

    >>> grid = grid_of(round_to=8, min_width=3, max_width=[47, 5])
    >>> grid.nearest(np.array([[1, 1], [99, 99]])).tolist()
    [[8, 5], [40, 5]]

    Args:
        round_to: Every width is a multiple of it.
        min_width: The least width.
        max_width: The largest width, or that of each layer; `LARGEST_WIDTH` if None.

    Raises:
        InputError: if one of them is no whole number from 1 on, or no width is left.
    """
    if max_width is not None and np.ndim(max_width):
        return _layerwise(grid_of(round_to, min_width), max_width)
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


def _layerwise(grid: Grid, most: Sequence[int]) -> Grid:
    """The grid with a largest width for each layer.

    Args:
        grid: Its step and its least width.
        most: [layers] whole numbers from 1.
    """
    most = np.asarray(most, np.int64)
    high = most // grid.step * grid.step
    high = np.where(high < grid.low, most, high)
    return Grid(grid.step, np.minimum(grid.low, high), high)


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
    ends = np.stack([np.broadcast_to(end, layers) for end in (grid.low, grid.high)])
    for name, (cost, target) in budgets.items():
        smallest, largest = np.asarray(cost(ends)).tolist()
        if not smallest <= target <= largest:
            raise InputError(
                f"{name}={text(target)} cannot be met: the smallest network ("
                f"{_widths(grid.low)}) costs {text(smallest)}, the largest "
                f"({_widths(grid.high)}) {text(largest)}. Ask for something between, "
                "or change --min_width or --max_width."
            )


def _widths(end: int | np.ndarray) -> str:
    """One end of a grid, for people."""
    if np.ndim(end) == 0:
        return f"every width {end}"
    return "widths " + ",".join(str(width) for width in end.tolist())


def text(value: float) -> str:
    """A number for people: whole ones in full, others with four digits.

    >>> text(600000.0), text(0.12346)
    ('600,000', '0.1235')
    """
    exact = float(value).is_integer() and value < 1e15
    return f"{value:,.0f}" if exact else f"{value:,.4g}"
