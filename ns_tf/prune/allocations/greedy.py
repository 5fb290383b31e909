"""Step by step where the loss rises least (AutoSlim, Yu & Huang, 2019)."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import Curve, Widths
from ns_tf.networks.structure import Structure
from ns_tf.prune.allocations import Case, allocation
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.ranks import along

_STEPS = 16  # Removals that would empty a layer, where no step is given.


@allocation(
    "greedy",
    help="Step by step, from the layer where the loss rises least.",
    evaluates=True,
    ignores=("least_share", "search"),
)
def greedy(case: Case, *, step: int | None = None, images: int = 512) -> Curve:
    """The path on which every removal is the one after which the loss is least.

    From the whole network on, each layer in turn loses one step of its filters, those
    of lowest score, and the loss without them is read. The layer with the least loss
    keeps its removal. It goes on until all budgets are met.

    Source: Yu & Huang, AutoSlim, 2019, of a network that was trained at many widths
    (`ns_tf.supernet`, with the criterion "last"). Departures: any trained network will
    do; the loss is compared in place of the error, which has fewer ties; a step is a
    share of the layer's filters.

    Args:
        case: Its scores say which filters of a layer go. With `weigh` above 0 the rise
            of the loss is divided by that power of the share of the budgets that is
            saved.
        step: Filters that a layer loses at once; a sixteenth of its filters if None.
        images: Training images that the loss is read from.
    """
    worth = case.worth(images)
    grid, layers = case.grid.free(len(case.widths)), len(case.widths)
    count = case.grid.numbers(layers).max() + 1
    start = np.broadcast_to(grid.high, count)
    each = -(-start // _STEPS) if step is None else np.full(count, step)
    path = Slimming(
        lambda values: worth(tuple(case.widths_of(values).tolist())).loss,
        start,
        np.broadcast_to(grid.low, count),
        -(-each // grid.step) * grid.step,
        case.budgets(),
        weigh=case.weigh or 0.0,
    )
    case.run(path, path.most)
    return _curve(case.widths_of(np.array(path.rows)), case.structure)


def _curve(rows: np.ndarray, structure: Structure) -> Curve:
    """Along the path, and from its end on down by one factor for all layers.

    The end meets what stands for a measured budget, and that budget may ask for less.
    """
    path, end = along(rows, structure.params), float(structure.params(rows[-1]))
    shrink = uniform_curve(rows[-1], end)
    return Curve(lambda tau: (path if tau >= end else shrink)(tau), path.start)


class Slimming:
    """Greedy slimming, as a stepper (`ns_tf.engine.loop.Stepper`): a step a removal.

    >>> def loss(widths):
    ...     return 8 / widths[0] + 1 / widths[1]
    >>> def cost(widths):
    ...     return widths[..., 0] * widths[..., 1]
    >>> path = Slimming(loss, (8, 8), (2, 2), (2, 2), {"macs": (cost, 24)})
    >>> for _ in path.batches():
    ...     if path.finished:
    ...         break
    ...     path.step()
    >>> path.rows
    [(8, 8), (8, 6), (8, 4), (8, 2)]

    Args:
        loss: Widths -> the loss of the network of these widths.
        start: Widths at the beginning, [layers].
        least: The least widths, [layers].
        sizes: Filters that each layer loses in a removal, [layers].
        budgets: By name: cost of whole widths [..., layers], the largest allowed.
        weigh: The rise of the loss is divided by this power of the share of the budgets
            that a removal saves.
    """

    def __init__(
        self,
        loss: Callable[[Widths], float],
        start: Sequence[int],
        least: Sequence[int],
        sizes: Sequence[int],
        budgets: Mapping[str, tuple[Callable, float]],
        *,
        weigh: float = 0.0,
    ):
        self.loss, self.budgets, self.weigh = loss, budgets, weigh
        self.least, self.sizes = np.array(least), np.array(sizes)
        self.rows: list[Widths] = [tuple(int(width) for width in start)]
        self.losses: list[float] = []  # After each removal.

    @property
    def most(self) -> int:
        """The most removals that there can be; the budgets may be met earlier."""
        room = np.array(self.rows[0]) - self.least
        return int((-(-room // self.sizes)).sum())

    @property
    def steps(self) -> int:
        """Removals so far."""
        return len(self.losses)

    @property
    def finished(self) -> bool:
        """Whether all budgets are met, or nothing more can go."""
        return self._cost(self.rows[-1]) <= 1 or (self.rows[-1] <= self.least).all()

    def batches(self) -> Iterable[tuple]:
        """Removals have no data of their own."""
        return itertools.repeat(())

    def step(self) -> None:
        """Tries a removal in every layer, and keeps the best one."""
        widths = np.array(self.rows[-1])
        able = np.flatnonzero(widths > self.least)
        less = np.maximum(widths - np.diag(self.sizes)[able], self.least)
        tries = [tuple(int(width) for width in row) for row in less]
        losses = np.array([self.loss(row) for row in tries])
        best = int(np.argmin(np.nan_to_num(self._worse(tries, losses), nan=np.inf)))
        self.rows.append(tries[best])
        self.losses.append(float(losses[best]))

    def _worse(self, tries: Sequence[Widths], losses: np.ndarray) -> np.ndarray:
        """What the removals are compared by, the least first, [tries]."""
        if not self.weigh:
            return losses
        now = self.rows[-1]
        before = self.losses[-1] if self.losses else self.loss(now)
        saved = np.array([self._shares(now) - self._shares(row) for row in tries])
        return (losses - before) / np.maximum(saved, 1e-12) ** self.weigh

    def _cost(self, widths: Widths) -> float:
        """The largest cost by its budget; all are met from 1 on down."""
        return max(self._by_budget(widths))

    def _shares(self, widths: Widths) -> float:
        """The sum of all costs, each by its budget."""
        return sum(self._by_budget(widths))

    def _by_budget(self, widths: Widths) -> list[float]:
        """Costs divided by what they may be."""
        return [
            float(cost(np.array(widths))) / limit
            for cost, limit in self.budgets.values()
        ]

    def shown(self) -> dict[str, float]:
        """For progress: the loss, and the cost as a multiple of the budget."""
        return {"loss": self.losses[-1], "cost": self._cost(self.rows[-1])}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The path so far, and the losses on it."""
        return {"rows": np.array(self.rows), "losses": np.array(self.losses)}, {}

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned."""
        del facts
        self.rows = [tuple(int(width) for width in row) for row in arrays["rows"]]
        self.losses = arrays["losses"].tolist()
