"""The whole widths that a plan may have."""

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.scaling.bounds import LARGEST_WIDTH, Bounds


@dataclasses.dataclass(frozen=True)
class Grid:
    """The whole widths that are allowed: the multiples of `step` from `low` to `high`.

    >>> grid = Grid(step=8, low=8, high=64)
    >>> grid.nearest(np.array([3.0, 20.0, 21.7, 900.0])).tolist()
    [8, 24, 24, 64]

    Where layers differ, `step`, `low` and `high` are arrays. Tied layers have one
    width.
    """

    step: int | np.ndarray  # Filters; or [layers].
    low: int | np.ndarray  # A multiple of step; or [layers].
    high: int | np.ndarray  # A multiple of step; or [layers].
    # Sets of layers that have one width; their step, low and high are equal.
    tied: tuple[tuple[int, ...], ...] = ()
    # By wish of the user: the grid without it; the last is without all.
    relaxed: Mapping[str, "Grid"] = dataclasses.field(default_factory=dict, repr=False)

    def nearest(self, widths: np.ndarray) -> np.ndarray:
        """The nearest allowed widths [..., layers], int64.

        Widths half-way between two multiples go to the larger one, infinite ones to the
        largest. Tied layers begin at the geometric mean of their widths.

        >>> grid = Grid(1, np.full(3, 1), np.full(3, 99), tied=((0, 2),))
        >>> grid.nearest(np.array([4.0, 5.0, 9.0])).tolist()
        [6, 5, 6]

        Args:
            widths: Widths [..., layers], not yet whole.
        """
        # Departure: the authors truncate, which loses a filter to float error wherever
        # the law passes through a whole number.
        steps = np.floor(self.one(np.asarray(widths)) / self.step + 0.5)
        return np.clip(steps * self.step, self.low, self.high).astype(np.int64)

    def has(self, widths: Sequence[int]) -> bool:
        """Whether whole widths [layers] are allowed.

        >>> grid = Grid(step=8, low=8, high=64)
        >>> grid.has((8, 24)), grid.has((8, 20))
        (True, False)
        """
        return np.array_equal(self.nearest(np.array(widths)), widths)

    def one(self, widths: np.ndarray) -> np.ndarray:
        """Widths [..., layers], not whole, of which the tied ones are equal."""
        if not self.tied:
            return widths
        widths = np.array(widths, float)
        for layers in map(list, self.tied):
            within = np.clip(widths[..., layers], self.low[layers], self.high[layers])
            mean = np.exp(np.log(within).mean(axis=-1, keepdims=True))
            widths[..., layers] = mean
        return widths

    def numbers(self, layers: int) -> np.ndarray:
        """[layers]: which of the free numbers each width is, from 0.

        >>> Grid(1, np.full(4, 1), np.full(4, 9), tied=((0, 2),)).numbers(4).tolist()
        [0, 1, 0, 2]
        """
        leader = np.arange(layers)
        for first, *others in self.tied:
            leader[others] = first
        return np.unique(leader, return_inverse=True)[1]

    def steps(self, layers: int) -> np.ndarray:
        """[numbers, layers]: how widths change where one of the numbers grows."""
        own = np.broadcast_to(self.step, layers)
        numbers = self.numbers(layers)
        return (np.arange(numbers.max() + 1)[:, None] == numbers) * own

    def free(self, layers: int) -> "Grid":
        """The grid of the free numbers."""
        if not self.tied:
            return self
        first = np.unique(self.numbers(layers), return_index=True)[1]
        return Grid(self.step[first], self.low[first], self.high[first])


def grid_of(
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | Sequence[int] | None = None,
    bounds: Bounds | None = None,
) -> Grid:
    """The grid of the multiples of `round_to` from `min_width` to `max_width`.

    >>> grid_of(round_to=8, min_width=3, max_width=47)
    Grid(step=8, low=8, high=40, tied=())

    With a largest width for each layer, a layer that has no such multiple keeps its
    largest width: 5 of the layers below.

    >>> grid = grid_of(round_to=8, min_width=3, max_width=[47, 5])
    >>> grid.nearest(np.array([[1, 1], [99, 99]])).tolist()
    [[8, 5], [40, 5]]

    Args:
        round_to: Every width is a multiple of it.
        min_width: The least width.
        max_width: The largest width, or that of each layer; `LARGEST_WIDTH` if None.
        bounds: What a user wishes for single layers. It holds as well; only a layer
            that is kept is free of the other three.

    Raises:
        InputError: if one of them is no whole number from 1 on, or no width is left.
    """
    if max_width is not None and np.ndim(max_width):
        grid = _layerwise(grid_of(round_to, min_width), max_width)
        return _wished(grid, bounds) if bounds else grid
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
    grid = Grid(int(round_to), low, high)
    return _wished(grid, bounds) if bounds else grid


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


def _wished(grid: Grid, bounds: Bounds) -> Grid:
    """The grid on which a user's wishes hold, and those without one of them.

    Raises:
        InputError: no width of a layer is left; names the wishes.
    """
    whole = _held(grid, bounds)
    relaxed = {}
    for bound in bounds.each if len(bounds.each) > 1 else ():
        try:
            relaxed[bound.wish] = _held(grid, bounds.without(bound))
        except InputError:  # A tie to a layer that was kept.
            continue
    relaxed[", ".join(bound.wish for bound in bounds.each)] = grid
    return dataclasses.replace(whole, relaxed=relaxed)


def _held(grid: Grid, bounds: Bounds) -> Grid:
    """The grid on which bounds hold.

    Raises:
        InputError: no width of a layer is left; names the wishes.
    """
    layers = len(bounds.names)
    step, low, high = (
        np.broadcast_to(value, layers).astype(np.int64)
        for value in (grid.step, grid.low, grid.high)
    )
    for place in bounds.kept:
        step[place], low[place], high[place] = 1, *[bounds.own[place]] * 2
    # A layer without a multiple keeps its width; a wish for it may not be lost so.
    odd = low % step != 0
    step[odd] = 1
    for bound in bounds.each:
        places = list(bound.places)
        free = [place for place in places if place not in bounds.kept]
        step[free] = np.lcm(step[free], bound.step)
        low[places] = np.maximum(low[places], bound.low)
        high[places] = np.minimum(high[places], bound.high)
    for tied in map(list, bounds.tied):
        step[tied] = np.lcm.reduce(step[tied])
        low[tied], high[tied] = low[tied].max(), high[tied].min()
    low, high = -(-low // step) * step, high // step * step
    for place in np.flatnonzero(low > high):
        raise InputError(
            f"No number of filters of {bounds.names[place]!r}, of {bounds.own[place]} "
            f"now, meets {', '.join(bounds.of(place))} and the other limits; change "
            "one of them."
        )
    return Grid(step, low, high, bounds.tied)


def check_reach(
    budgets: Mapping[str, tuple[Callable[[np.ndarray], Any], float]],
    grid: Grid,
    layers: int,
    *,
    others: bool = False,
) -> None:
    """Checks that targets lie between the costs of the grid's two ends.

    One that all networks are below asks for nothing, where another one can bind.

    Args:
        budgets: By name: its cost, of widths [..., layers], and its target.
        grid: The whole widths that are allowed.
        layers: Number of widths.
        others: Whether there are budgets beside these that can bind.

    Raises:
        InputError: if all networks are larger than a target, or all are smaller than
            every one; names the wish of the user that makes it so, if one does.
    """
    ends = {name: _ends(cost, grid, layers) for name, (cost, _) in budgets.items()}
    binds = others or any(t <= ends[name][1] for name, (_, t) in budgets.items())
    for name, (cost, target) in budgets.items():
        smallest, largest = ends[name]
        if smallest <= target and (binds or target <= largest):
            continue
        wish = _blamed(cost, target, grid, layers)
        options = "--min_width or --max_width"
        if np.any(np.asarray(grid.step) > 1):
            options = f"--round_to, {options}"
        change = f"{wish}, which makes it so" if wish else options
        raise InputError(
            f"{name}={text(target)} cannot be met: the smallest network ("
            f"{_widths(grid.low)}) costs {text(smallest)}, the largest "
            f"({_widths(grid.high)}) {text(largest)}. Ask for something between, "
            f"or change {change}."
        )


def _blamed(
    cost: Callable[[np.ndarray], Any], target: float, grid: Grid, layers: int
) -> str | None:
    """The wish without which a target could be met; None if there is none."""
    for wish, other in grid.relaxed.items():
        smallest, largest = _ends(cost, other, layers)
        if smallest <= target <= largest:
            return wish
    return None


def _ends(
    cost: Callable[[np.ndarray], Any], grid: Grid, layers: int
) -> tuple[float, float]:
    """What the smallest and the largest network of a grid cost.

    The second is infinite where 64 bits do not hold it.
    """
    low, high = (np.broadcast_to(end, layers) for end in (grid.low, grid.high))
    smallest = np.asarray(cost(low)).item()
    try:
        return smallest, np.asarray(cost(high)).item()
    except InputError:
        return smallest, math.inf


def _widths(end: int | np.ndarray) -> str:
    """One end of a grid, for people."""
    if np.ndim(end) == 0:
        return f"every width {end}"
    return "widths " + ",".join(str(width) for width in end.tolist())


def text(value: float) -> str:
    """A number for people: whole and large ones in full, others with four digits.

    >>> text(600000.0), text(0.12346), text(283989.3)
    ('600,000', '0.1235', '283,989')
    """
    in_full = float(value).is_integer() or value >= 1e4
    return f"{value:,.0f}" if in_full and value < 1e15 else f"{value:,.4g}"
