"""A trained network that loses channels: narrower layers."""

import functools
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, Scaling, Widths
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.prune.allotment import ALLOCATING, Allotment
from ns_tf.prune.pressure import Pressure
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.removal import Prunable
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.sites import ChannelSites
from ns_tf.prune.trained import cut, joined


class ChannelPruner(Pruner):
    """A trained network, and the budgets for which channels of it go.

    n is the number of channels of the network's graph; widths are its layers' filters.
    The arguments are those of `Pruner`.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.allotment = allotment_of(self)
        self.prunable = self.allotment.prunable
        self.widths: Widths = self.allotment.widths

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers whose filters the widths count."""
        return self.problem.structure.names

    @property
    def size(self) -> int:
        """n."""
        return len(self.graph.owner)

    @functools.cached_property
    def sites(self) -> ChannelSites:
        """As of `Pruner`."""
        return ChannelSites(self.graph, self.problem.structure)

    def shares(self, widths: Widths) -> list[tuple[np.ndarray, float]]:
        """As of `Pruner`: layers that follow a width keep its share."""
        prunable = self.prunable
        own = [(c, w / len(c)) for c, w in zip(prunable.widths, widths, strict=True)]
        followers = [(c, own[layer][1]) for c, layer, _ in prunable.followers]
        return [*own, *followers]

    def pressure(self, priced: bool) -> Pressure:
        """As of `Pruner`."""
        exact, limits = self.budgets.exact, self.allotment.limits
        return Pressure(exact, limits, self.prunable, self.size, priced)

    def joined(self, scores: np.ndarray) -> np.ndarray:
        """As of `Pruner`: channels that identity shortcuts add go together."""
        return joined(scores, self.graph)

    def check(self) -> None:
        """As of `Pruner`; the allocation may have no curve."""
        for option in self.allocation.ignores:
            if getattr(self.config, option) is not None:
                raise InputError(
                    f"--{option} says nothing to the allocation "
                    f"{self.allocation.name}: leave it away, or give another "
                    "--allocation."
                )
        self.scorer.check()
        self.allotment.check()
        for check in (repair.check for repair in self.repairs):
            if check is not None:
                check(self.read())

    def read(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """As of `Pruner`; all channels count that a width decides."""
        wanted = np.zeros(self.size, bool)
        for channels in self.prunable.all:
            wanted[channels] = True
        loss = self.problem.task.loss(self.model)
        return ScoredNetwork(
            self.model, self.graph, loss, self.proxy(), wanted, alive=alive
        )

    def solve(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Scaling:
        """As of `Pruner`."""
        return self.allotment.solve(scores, runtime, checkpoint)

    def at(self, widths: Widths) -> Scaling:
        """As of `Pruner`."""
        sizes = np.array(widths)
        costs = {n: float(cost(sizes)) for n, cost in self.budgets.exact.items()}
        targets = self.budgets.targets
        asked = {name: costs[name] for name in targets if name in costs}
        return Scaling(tuple(widths), costs["params"], asked, dict(targets))

    def chosen(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """As of `Pruner`."""
        return self.allotment.channels(scores, widths)

    @property
    def allotted(self) -> str:
        """As of `Pruner`."""
        return f"{self.allocation.name} widths"

    def channels_left(self, keep: np.ndarray) -> np.ndarray:
        """As of `Pruner`."""
        return keep

    def cut(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """As of `Pruner`."""
        return cut(model or self.model, self.problem.structure, keep)

    def left(self, keep: np.ndarray) -> tuple[Problem, Widths]:
        """As of `Pruner`."""
        return self.problem, self.prunable.count(keep)

    def told(self, widths: Widths) -> str:
        """As of `Pruner`: the widths before and after."""
        both = zip(self.names, self.widths, widths, strict=True)
        return "widths: " + ", ".join(f"{name} {was}->{now}" for name, was, now in both)


def allotment_of(pruner: Pruner) -> Allotment:
    """How the filters of a network's layers are allotted.

    Args:
        pruner: The network, its budgets, and what was chosen.
    """
    return Allotment(
        model=pruner.model,
        graph=pruner.graph,
        problem=pruner.problem,
        prunable=Prunable.of(pruner.problem.structure, pruner.graph),
        budgets=pruner.budgets,
        method=pruner.method,
        allocation=pruner.allocation,
        grid=pruner.grid,
        proxy=pruner.proxy,
        weigh=pruner.config.weigh,
        least_share=pruner.config.least_share,
        law=pruner.law,
        seed=pruner.seed,
    )
