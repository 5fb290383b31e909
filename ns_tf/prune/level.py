"""What a level says of the units that go: channels, blocks or single weights.

`ns_tf.prune.pruner` has what is done with them, whatever they are.
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, Scaling, Widths
from ns_tf.budgets import Measure
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.channels import ChannelGraph, layer_of
from ns_tf.graph.walk import OUTPUT
from ns_tf.graph.weights import Key
from ns_tf.networks.structure import Structure
from ns_tf.problem.problem import Problem
from ns_tf.prune.allocations import Allocation
from ns_tf.prune.allotment import ALLOCATING
from ns_tf.prune.config import CutConfig
from ns_tf.prune.pressure import Pressure
from ns_tf.prune.removal import Prunable
from ns_tf.prune.repairs import Repair
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.sites import Sites
from ns_tf.prune.targets import Budgets, budgets_of
from ns_tf.registry import fitting

_WHOLE = {"statistics"}  # The repairs that need no channel to be gone.


class Level:
    """What goes of a trained network, n units of it, and what is left without them.

    `ns_tf.prune.channel_pruner`, `block_pruner` and `weight_pruner` have a member each.
    What every one of them says raises `NotImplementedError` here. Scores and `keep`
    have an entry a unit.

    Attributes:
        model: The trained network.
        problem: The network as a function of its widths, data, task.
        config: Method, allocation, repair.
        budgets: What the result may cost.
        grid: `round_to`, `min_width`, `max_width` and wishes.
        graph: The network's channel graph.
        prunable: Which units each width counts.
        widths: Of the whole network.
        noisy: Whether a unit's derivative in one step is mostly noise, as that of a
            single weight is.
        listed: Whether `pruned.json` lists the units that are left. If not, they are
            too many for that and are kept as bits.
    """

    model: keras.Model
    problem: Problem
    config: CutConfig
    budgets: Budgets
    grid: Mapping[str, Any]
    allocation: Allocation
    repairs: Sequence[Repair]
    graph: ChannelGraph
    prunable: Prunable
    widths: Widths
    noisy: bool = False
    listed: bool = True

    @classmethod
    def budgets_for(
        cls,
        asked: Mapping[str, float],
        structure: Structure,
        widths: Widths,
        measure: Measure | None = None,
        *,
        whole: Structure | None = None,
    ) -> Budgets:
        """The budgets that are asked for; as `ns_tf.prune.targets.budgets_of`."""
        return budgets_of(asked, structure, widths, measure, whole=whole)

    @property
    def names(self) -> tuple[str, ...]:
        """Of what the widths count."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """n."""
        raise NotImplementedError

    @functools.cached_property
    def sites(self) -> Sites:
        """Where gates go that stand beside the weights."""
        raise NotImplementedError

    def shares(self, widths: Widths) -> list[tuple[np.ndarray, float]]:
        """(units, share of them that is kept) of each layer, by widths of what is left.

        Args:
            widths: Of what is left.
        """
        raise NotImplementedError

    def pressure(self, priced: bool) -> Pressure:
        """The budgets as gates feel them.

        Args:
            priced: Whether units of different layers have different prices.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Refuses what cannot be done, before anything is computed or written.

        Raises:
            InputError: the method cannot read a layer, an option does not go with the
                level, or the smallest network is over an exact budget.
        """
        raise NotImplementedError

    def read(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """The network as signals read it.

        Args:
            alive: [n] bool: the units whose gates are open. All, if None.
        """
        raise NotImplementedError

    def solve(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Scaling:
        """The widths that meet every budget, none above the network's own.

        Args:
            scores: [n].
            runtime: Shows progress, and continues an allocation that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            InputError: even the smallest network is over a budget.
        """
        raise NotImplementedError

    def at(self, widths: Widths) -> Scaling:
        """Widths that are known, with their costs.

        Args:
            widths: As many as the whole network has.
        """
        raise NotImplementedError

    def chosen(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """[n] bool: the units of highest score, as many as the widths have.

        Args:
            scores: [n].
            widths: As many as the whole network has.
        """
        raise NotImplementedError

    @property
    def allotted(self) -> str:
        """How it was found how many units go, and where, in a few words."""
        raise NotImplementedError

    def cut(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """What is left of the network, with its weights, not repaired.

        Args:
            keep: [n] bool.
            model: Of which it is left; the network that has learned if None.
        """
        raise NotImplementedError

    def left(self, keep: np.ndarray) -> tuple[Problem, Widths]:
        """The problem that what is left is trained for, and its widths there.

        Args:
            keep: [n] bool.
        """
        raise NotImplementedError

    def told(self, widths: Widths) -> str:
        """What becomes of the network, in a line or more.

        Args:
            widths: Of what is left.
        """
        raise NotImplementedError

    @functools.cached_property
    def kept(self) -> frozenset[str]:
        """Names of the layers that `keep` fits; of a part, as a/heads, that of a."""
        patterns = getattr(self.problem.architecture.builder, "keep", ())
        names = [layer.name for layer in self.model.layers]
        graph = self.graph
        names += [one for group in graph.groups for one in graph.layers_of(group)]
        found = {name for one in patterns for name in fitting(names, one)}
        return frozenset(map(layer_of, found))

    # What levels may say otherwise.

    def joined(self, scores: np.ndarray) -> np.ndarray:
        """Scores [n] of which those that go together have the sum of theirs.

        Args:
            scores: [n].
        """
        return scores

    def channels_left(self, keep: np.ndarray) -> np.ndarray:
        """[channels of the graph] bool: those that are left; all, unless channels go.

        Args:
            keep: [n] bool.
        """
        del keep
        return np.ones(len(self.graph.owner), bool)

    def fresh(self, keep: np.ndarray) -> keras.Model:
        """What is left, with fresh weights.

        Args:
            keep: [n] bool.
        """
        problem, widths = self.left(keep)
        return problem.build(widths)

    def masks(self, keep: np.ndarray) -> dict[Key, np.ndarray]:
        """By weight: which of its entries training moves, where it is not all.

        Args:
            keep: [n] bool.
        """
        del keep
        return {}

    def dearer(self, widths: Widths) -> float:
        """The whole network's multiply-adds over those of what is left.

        Args:
            widths: Of what is left.
        """
        macs = self.budgets.exact["macs"]
        return float(macs(np.array(self.widths)) / macs(np.array(widths)))

    @property
    def stays(self) -> list[tuple[str, str]]:
        """(name, reason) of the layers that keep their size."""
        groups = self.problem.structure.reference.groups
        kept = [one for one in groups if one.frozen not in (None, OUTPUT)]
        return [(one.name, one.frozen) for one in kept]

    def refuse(
        self, does: str, *, allocations: Collection[str], **others: bool
    ) -> None:
        """Refuses options that are of channels, where something else goes.

        Args:
            does: What the level does, in words.
            allocations: Names of those that it takes.
            **others: By option: whether it was given, though the level has no use.

        Raises:
            InputError: names the option.
        """
        grid, wishes = self.grid, self.grid.get("bounds")
        named = [one.wish.removeprefix("--") for one in wishes.each] if wishes else []
        given = {
            "allocation": self.config.allocation not in (None, *allocations),
            "repair": bool({one.name for one in self.repairs} - _WHOLE),
            "search": self.config.search is not None,
            "closed": self.config.closed is not None,
            "weigh": self.config.weigh is not None,
            "least_share": self.config.least_share is not None,
            "round_to": grid["round_to"] != 1,
            "min_width": grid["min_width"] != 1,
            "max_width": grid["max_width"] is not None,
            **dict.fromkeys(named, True),
            **others,
        }
        for name in (name for name, is_given in given.items() if is_given):
            raise InputError(
                f"--{name} is of channels, and --level={self.config.level} {does}: "
                f"leave --{name} away."
            )
