"""The settings by which a trained network is pruned, together."""

import dataclasses
import hashlib
from typing import Any

from ns_tf.base import InputError
from ns_tf.devices.device import BUDGET
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.allocations.law import law_for
from ns_tf.prune.block_pruner import BlockPruner
from ns_tf.prune.channel_pruner import ChannelPruner
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.method import BLOCK, CHANNEL, NONZERO, WEIGHT
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.source import TrainedNetwork, kept_from
from ns_tf.prune.strength import AUTO
from ns_tf.prune.targets import RATIO
from ns_tf.prune.weight_pruner import WeightPruner
from ns_tf.run import files
from ns_tf.scaling.bounds import bounds_of

PRUNERS = {CHANNEL: ChannelPruner, BLOCK: BlockPruner, WEIGHT: WeightPruner}
_LONGEST_NAME = 100  # Characters; file systems end at 255 bytes.


@dataclasses.dataclass(frozen=True, eq=False)
class Configs:
    """The settings by which a trained network is pruned.

    Args:
        cut: Criterion, allocation, repair.
        tuning: How what is left is trained.
        budget: `ns_tf.plan.config.BudgetConfig`: what it may cost.
        runtime: Seed, devices, precision.
        made: The runtime of these settings.
    """

    cut: CutConfig
    tuning: FinetuneConfig
    budget: Any
    runtime: RuntimeConfig
    made: Runtime

    @property
    def name(self) -> str:
        """The name of the folder of what is left: method, budgets, choices, seed."""
        parts = [self.cut.method, *(self.cut.level,) * (self.cut.level != CHANNEL)]
        parts += [f"{name}{value:.10g}" for name, value in self.asked.items()]
        rounds = self.cut.rounds and f"rounds{self.cut.rounds}"
        choices = (self.cut.allocation, self.cut.repair, self.tuning.recipe)
        choices = (*choices, rounds, self.cut.closed, *self._gates)
        parts += [choice for choice in choices if choice is not None]
        name = files.file_name("_".join([*parts, f"seed{self.runtime.seed}"]))
        return name if len(name) <= _LONGEST_NAME else _short(name)

    @property
    def asked(self) -> dict[str, float]:
        """All budgets that are set, by name."""
        of_weights = {NONZERO: self.cut.nonzero} if self.cut.nonzero else {}
        return {**asked(self.budget), **of_weights}

    @property
    def _gates(self) -> list[str]:
        """How gates learn, where it is not as their method has it."""
        cut = self.cut
        strength = [f"strength{cut.strength}"] * (cut.strength != AUTO)
        return strength + [f"gates{cut.gate_epochs}"] * (cut.gate_epochs is not None)

    def pruner(self, network: TrainedNetwork, search: Any = None) -> Pruner:
        """A trained network, to be pruned by these settings.

        Args:
            network: The network and its data.
            search: `ns_tf.descend.record.SearchRecord` of the network, for the
                allocation "law".

        Raises:
            InputError: a budget, a layer, an allocation or repair that there is not,
                or a search of another network.
        """
        budget, fixed = self.budget, self.cut.level != CHANNEL
        idle = budget.device and BUDGET not in budget.targets
        if idle and self.cut.level != WEIGHT:  # Which has no budget of time.
            raise InputError(f"--device goes with --{BUDGET}.")
        problem = kept_from(network, budget.keep, fixed=fixed)
        widths = problem.architecture.widths
        # The widths of layers that are kept are no widths of this problem.
        wishes = dataclasses.replace(budget.wishes, keep=())
        bounds = bounds_of(wishes, problem.structure.layers, widths)
        bounds.check_ties()
        kind = PRUNERS[self.cut.level]
        budgets = kind.budgets_for(
            self.asked,
            problem.structure,
            widths,
            budget.measure,
            whole=network.problem.structure,
        )
        return kind(
            network.model,
            problem,
            self.cut,
            budgets,
            seed=self.runtime.seed,
            grid={
                "round_to": budget.round_to,
                "min_width": budget.min_width,
                "max_width": budget.max_width,
                "bounds": bounds,
            },
            law=search and law_for(search, problem.structure),
            augmentation=self.tuning.augmentation,
            precision=self.runtime.precision,
        )


def asked(budget: Any) -> dict[str, float]:
    """The budgets that are set, by name, `ratio` among them.

    Args:
        budget: `ns_tf.plan.config.BudgetConfig`.
    """
    ratio = {} if budget.ratio is None else {RATIO: budget.ratio}
    return {**budget.targets, **ratio}


def _short(name: str) -> str:
    """A long name as its beginning and a digest of the rest."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: _LONGEST_NAME - 13]}_{digest}"
