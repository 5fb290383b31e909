"""How many filters of a trained network stay in each layer, under its budgets.

An allocation gives a curve of widths (`ns_tf.prune.allocations`), the one solver the
widths on it that are never over a budget.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import Scaling, ScalingLaw, Widths
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.channels import ChannelGraph
from ns_tf.problem.problem import Problem
from ns_tf.prune import allocations
from ns_tf.prune.allocations import Allocation, Case
from ns_tf.prune.masked import MaskedNetwork, Worth
from ns_tf.prune.method import Method
from ns_tf.prune.refitted import RefittedNetwork
from ns_tf.prune.removal import Prunable, down_to
from ns_tf.prune.scoring import Proxy
from ns_tf.prune.targets import Budgets
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.grid import check_reach, grid_of
from ns_tf.scaling.solve import at_cost

ALLOCATING = "allocating.npz"  # The checkpoint of the allocation under way.


@dataclasses.dataclass(frozen=True, eq=False)
class Allotment:
    """An allocation on a trained network of n channels, under budgets.

    Args:
        model: The trained network.
        graph: Its channel graph.
        problem: The network as a function of its widths, data, task.
        prunable: Which channels the widths count.
        budgets: What the result may cost.
        method: Whose scores say which filters of a layer go.
        allocation: How many go in each.
        grid: `round_to`, `min_width` and `max_width`, as of
            `ns_tf.scaling.solve.at_cost`.
        proxy: Number of training images -> these images.
        weigh: As of `Case`.
        least_share: As of `Case`.
        law: Of a search of the same network, for the allocation "law".
        seed: Of what an allocation draws.
    """

    model: keras.Model
    graph: ChannelGraph
    problem: Problem
    prunable: Prunable
    budgets: Budgets
    method: Method
    allocation: Allocation
    grid: Mapping[str, int | None]
    proxy: Callable[[int], Proxy]
    weigh: float | None
    least_share: float | None
    law: ScalingLaw | None
    seed: int

    @functools.cached_property
    def widths(self) -> Widths:
        """Of the whole network, [layers]."""
        return tuple(len(own) for own in self.prunable.widths)

    def check(self) -> None:
        """Refuses what cannot be met, before anything is computed.

        Raises:
            InputError: the allocation has no curve, or the smallest network is over an
                exact budget.
        """
        if not self.allocation.evaluates:
            self.allocation.curve(self._case(np.zeros(len(self.graph.owner))))
        grid, targets = self._grid()
        exact = self.budgets.exact
        known = {n: (exact[n], t) for n, t in targets.items() if n in exact}
        check_reach(known, grid_of(**grid), layers=len(self.widths))

    def solve(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Scaling:
        """As `ns_tf.prune.pruner.Pruner.solve`."""
        grid, targets = self._grid()
        curve = self.allocation.curve(self._case(scores, runtime, checkpoint))
        scaling = at_cost(curve, self.budgets.costs, targets, **grid)
        return dataclasses.replace(scaling, targets=dict(self.budgets.targets))

    def part_way(self, scores: np.ndarray, share: float) -> np.ndarray:
        """[n] bool: the channels left when a share of the way to the budgets is gone.

        On the way costs fall by the same factor for every share. An allocation that
        runs the network is asked at the end alone.

        Args:
            scores: [n].
            share: 0 to 1.
        """
        member, exact = self.allocation, self.budgets.exact
        if member.evaluates:
            ranked = self.method.scope == "global"
            member = allocations.get("ranking" if ranked else "uniform")
        grid, _ = self._grid()
        high = grid_of(**grid).high
        targets = {}
        for name, limit in self.limits.items():
            most = float(exact[name](high))
            # No rounding past either end: the whole network would not be met, or go.
            targets[name] = max(limit, most * (limit / most) ** share)
        curve = member.curve(self._case(scores))
        return self.channels(scores, at_cost(curve, exact, targets, **grid).widths)

    def channels(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """[n] bool: the channels of highest score, as many as the widths have."""
        return down_to(scores, self.prunable, widths)

    @functools.cached_property
    def limits(self) -> dict[str, float]:
        """As `Case.limits`: exact targets, which stand for measured ones too."""
        grid, targets = self._grid()
        exact = self.budgets.exact
        limits = {n: t for n, t in targets.items() if n in exact}
        if len(limits) < len(targets):
            whole = float(self.problem.structure.params(self.widths))
            curve = uniform_curve(self.widths, whole)
            found = at_cost(curve, self.budgets.costs, targets, **grid)
            macs = float(exact["macs"](np.array(found.widths)))
            limits["macs"] = min(macs, limits.get("macs", macs))
        return limits

    def _grid(self) -> tuple[dict[str, Any], dict[str, float]]:
        """(options of the solver, targets that some network on the grid can reach).

        No network on the grid may cost as much as a budget allows, as with `round_to`.
        Nobody knows what layers take that are wider than the tables of a device.
        """
        own, targets = self.widths, self.budgets.targets
        for most in (self.grid["max_width"], self.budgets.largest):
            own = own if most is None else np.minimum(own, most)
        grid = {**self.grid, "max_width": own}
        high = grid_of(**grid).high
        ends = {n: float(cost(high)) for n, cost in self.budgets.exact.items()}
        return grid, {n: min(t, ends.get(n, t)) for n, t in targets.items()}

    def _case(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Case:
        """What the allocation may know; arguments as of `solve`."""
        names = {"label": "allocate", "checkpoint": checkpoint}
        return Case(
            model=self.model,
            graph=self.graph,
            structure=self.problem.structure,
            widths=self.widths,
            prunable=self.prunable,
            scores=scores,
            method=self.method,
            costs=self.budgets.exact,
            targets=self.budgets.targets,
            grid=grid_of(**self._grid()[0]),
            min_width=self.grid["min_width"],
            weigh=self.weigh,
            least_share=self.least_share,
            law=self.law,
            seed=self.seed,
            limits=lambda: self.limits,
            worth=functools.partial(self._worth, scores),
            refitted=functools.partial(self._refitted, scores),
            run=lambda work, most: loop.run(work, most, runtime or Runtime(), **names),
        )

    def _worth(self, scores: np.ndarray, images: int) -> Callable[[Widths], Worth]:
        """`Case.worth`, for scores [n]."""
        task = self.problem.task
        network = MaskedNetwork(self.model, self.graph, task, self.proxy(images))
        return lambda widths: network.worth(self.channels(scores, widths))

    def _refitted(self, scores: np.ndarray, images: int) -> Callable[[Widths], Worth]:
        """`Case.refitted`, for scores [n]."""
        network = RefittedNetwork(
            self.model,
            self.graph,
            self.problem.structure,
            self.problem.task,
            self.proxy(images),
        )
        return lambda widths: network.worth(self.channels(scores, widths))
