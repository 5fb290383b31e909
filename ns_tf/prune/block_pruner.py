"""A trained network that loses whole blocks: depth in place of width.

A "width" is 1 where a block is there, and 0 where it is not.
"""

import bisect
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Cost, InputError, Scaling, Widths
from ns_tf.devices.device import BUDGET
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.blocks import Block, BlockNetwork, blocks, without
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import Structure, analyse, as_it_is
from ns_tf.problem.problem import Problem
from ns_tf.prune.allotment import ALLOCATING
from ns_tf.prune.channel_pruner import allotment_of
from ns_tf.prune.pressure import Pressure
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.removal import Prunable
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.sites import BlockSites
from ns_tf.prune.targets import costs_of
from ns_tf.scaling.grid import text

_RANKING = "ranking"  # The allocation: the lowest scores go first.


class BlockPruner(Pruner):
    """A trained network, and the budgets for which blocks of it are dropped.

    n is the number of its blocks (`ns_tf.graph.blocks`). The arguments are those of
    `Pruner`.

    Raises:
        InputError: the network has no block that may be dropped.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.blocks = self._free()
        if not self.blocks:
            raise InputError(
                f"--level=block drops branches that are added to an identity; "
                f"{self.model.name!r} has none that may go. Use --level=channel."
            )
        # What stands for measured budgets while gates learn, by channels.
        self._allotment = allotment_of(self)
        self.prunable = Prunable(tuple(np.arange(self.size)[:, None]), ())
        self.widths: Widths = (1,) * self.size
        # By which blocks are there, as far as they were read: structures, their costs.
        self._priced: dict[Widths, tuple[Structure, Mapping[str, Cost]]] = {}
        self._found: dict[tuple[str, Widths], float] = {}
        costs = {
            name: Cost(functools.partial(self._cost, name), measured=cost.measured)
            for name, cost in self.budgets.costs.items()
        }
        self.budgets = dataclasses.replace(self.budgets, costs=costs)

    def _free(self) -> tuple[Block, ...]:
        """The blocks of which no layer is kept."""
        found = blocks(self.model, self.graph)
        return tuple(one for one in found if self.kept.isdisjoint(one.layers))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the additions that blocks end in."""
        return tuple(block.name for block in self.blocks)

    @property
    def size(self) -> int:
        """n."""
        return len(self.blocks)

    @functools.cached_property
    def sites(self) -> BlockSites:
        """As of `Pruner`."""
        return BlockSites(self.graph, self.problem.structure, self.blocks)

    def shares(self, widths: Widths) -> list[tuple[np.ndarray, float]]:
        """As of `Pruner`: all blocks together, whichever of them are left."""
        return [(np.arange(self.size), sum(widths) / self.size)]

    # Costs.

    def _costs(self, widths: Widths) -> tuple[Structure, Mapping[str, Cost]]:
        """(structure, its costs) of the network of some blocks, read off its graph."""
        if widths not in self._priced:
            structure = self.problem.structure
            if not all(widths):
                thin = self._thin(np.array(widths, bool))
                structure = as_it_is(from_model(thin, fixed=True))
            costs = costs_of(self.budgets.costs, structure, self.budgets.measure)
            self._priced[widths] = structure, costs
        return self._priced[widths]

    def _cost(self, name: str, widths: np.ndarray) -> float:
        """What the network of some of the blocks costs, [n] -> a number.

        It is measured once: what chooses the blocks is what is told of them.
        """
        blocks_left = tuple(int(width) for width in widths)
        key = name, blocks_left
        if key not in self._found:
            structure, costs = self._costs(blocks_left)
            own = np.array(structure.architecture.widths, np.int64)
            self._found[key] = float(costs[name](own))
        return self._found[key]

    def pressure(self, priced: bool) -> Pressure:
        """As of `Pruner`; a block costs what the whole network saves without it."""
        whole = np.ones(self.size)
        one_less = whole - np.eye(self.size)
        costs = {}
        limits = self._allotment.limits
        for name in limits:
            own = self._cost(name, whole)
            saved = np.array([own - self._cost(name, row) for row in one_less])
            costs[name] = functools.partial(_left, own, saved)
        return Pressure(costs, limits, self.prunable, self.size, priced, least=0)

    # What is asked for.

    def check(self) -> None:
        """Refuses what cannot be done, before anything is computed or written.

        Raises:
            InputError: an option that is of channels, a device file, or the network
                without any of the blocks is over an exact budget.
        """
        self._check_options()
        self.scorer.check()
        none = (0,) * self.size
        for name, cost in self.budgets.exact.items():
            target = self.budgets.targets.get(name, np.inf)
            least = cost(np.array(none))
            if least > target:
                raise InputError(
                    f"{name}={text(target)} is not reached: without any of its "
                    f"{self.size} blocks the network has {text(least)}. Give more, or "
                    "--level=channel."
                )

    def _check_options(self) -> None:
        """Refuses options that are of channels, and device files.

        Raises:
            InputError: names the option.
        """
        measure = self.budgets.measure
        if BUDGET in self.budgets.targets and measure and measure.device:
            raise InputError(
                f"--device has the times of one network at other widths, and "
                f"--level=block makes others: leave --device away, and {BUDGET} is "
                "measured here."
            )
        self.refuse("drops whole blocks", allocations={_RANKING})

    def read(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """The network as signals read it, a gate a block.

        Args:
            alive: [n] bool: the blocks that are there. All, if None.
        """
        return self.read_by_units(_Blocks, alive, found=self.blocks)

    def solve(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Scaling:
        """Which blocks stay: those of the lowest scores go until the budgets are met.

        Of those that went, the highest come back that still have room, unless a budget
        is measured.

        Args:
            scores: [n].
            runtime: Not read.
            checkpoint: Not read.

        Raises:
            InputError: no choice of blocks meets a measured budget.
        """
        del runtime, checkpoint
        order = np.argsort(scores, kind="stable")

        def first(count: int) -> np.ndarray:
            keep = np.ones(self.size, int)
            keep[order[:count]] = 0
            return keep

        counts = range(self.size + 1)
        gone = bisect.bisect_left(counts, True, key=lambda n: self._meets(first(n)))
        if gone > self.size:
            raise InputError(
                f"Without any of its {self.size} blocks the network is over the "
                "budgets. Give more, or --level=channel."
            )
        keep = first(gone)
        measured = any(self.budgets.costs[n].measured for n in self.budgets.targets)
        for block in () if measured else order[:gone][::-1]:
            more = keep.copy()
            more[block] = 1
            keep = more if self._meets(more) else keep
        return self.at(tuple(keep.tolist()))

    def _meets(self, widths: np.ndarray) -> bool:
        """Whether the network of some of the blocks, [n], meets all budgets."""
        costs, targets = self.budgets.costs, self.budgets.targets
        return all(costs[name](widths) <= target for name, target in targets.items())

    def at(self, widths: Widths) -> Scaling:
        """Blocks that are known, with their costs.

        Args:
            widths: [n].
        """
        costs, targets = self.budgets.costs, self.budgets.targets
        found = {name: costs[name](np.array(widths)) for name in targets}
        tau = costs["params"](np.array(widths))
        return Scaling(tuple(widths), tau, found, dict(targets))

    def chosen(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """As of `Pruner`; widths say which blocks are there."""
        del scores
        return np.array(widths, bool)

    @property
    def allotted(self) -> str:
        """As of `Pruner`."""
        return "blocks by their scores"

    # What is left.

    def _thin(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """The network of some of the blocks; weights are not set."""
        gone = [one for one, kept in zip(self.blocks, keep, strict=True) if not kept]
        return without(model or self.model, self.graph, gone)

    def cut(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """As of `Pruner`; keep is of blocks, [n]."""
        source = model or self.model
        thin = self._thin(keep, source)
        weights.assign(thin, weights.values(source))
        return thin

    def left(self, keep: np.ndarray) -> tuple[Problem, Widths]:
        """As of `Pruner`: all channels of the blocks that are left."""
        whole = self.problem
        if keep.all():
            return whole, whole.architecture.widths
        found = from_model(self._thin(keep), whole.architecture.name, fixed=True)
        structure = analyse(found, whole.structure.input_shape, whole.structure.classes)
        problem = Problem(structure, whole.dataset, whole.task)
        return problem, found.widths

    def told(self, widths: Widths) -> str:
        """As of `Pruner`: which blocks went."""
        gone = [n for n, width in zip(self.names, widths, strict=True) if not width]
        told = ", ".join(gone) or "none"
        return f"blocks: {self.size} -> {sum(widths)}, without {told}"


class _Blocks(ScoredNetwork):
    """A network as signals read it, with a gate a block."""

    def __init__(self, *arguments: Any, found: Sequence[Block], **options: Any):
        super().__init__(*arguments, **options)
        self.found = found

    @functools.cached_property
    def gated(self) -> BlockNetwork:
        """A copy of the network with its gates."""
        return BlockNetwork(self.model, self.graph, self.found)


def _left(own: float, saved: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """What is left of a cost without some blocks.

    >>> _left(100.0, np.array([10.0, 30.0]), np.array([[1, 1], [1, 0]])).tolist()
    [100.0, 70.0]

    Args:
        own: Of the whole network.
        saved: [n]: without each block.
        widths: [..., n].
    """
    return own - (1 - np.asarray(widths)) @ saved
