"""A trained network that is pruned: what is done with it, step by step.

`ns_tf.prune.pruned` does the steps in order; `ns_tf.prune.work` does them in a run
folder.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import Curve, InputError, Scaling, ScalingLaw, Widths
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.problem.tasks.classification import Classification
from ns_tf.prune import allocations, criteria, repairs, signals
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.criteria import by_norm
from ns_tf.prune.removal import Prunable, down_to
from ns_tf.prune.scoring import SCORING, Proxy, ScoredNetwork, tally_in
from ns_tf.prune.targets import Budgets
from ns_tf.prune.trained import cut, joined
from ns_tf.scaling.grid import check_reach, grid_of
from ns_tf.scaling.solve import at_cost
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective, Recipe

STAGES = ("trained", "cut", "repaired", "tuned")
_BATCH = 256  # Images a step of an evaluation.


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning:
    """The training after a cut.

    Args:
        fresh: Whether it starts from fresh weights.
        settings: Epochs, batch, rate.
        objective: What is minimised in place of the task's loss.
    """

    fresh: bool
    settings: TrainConfig
    objective: Objective | None


class Pruner:
    """A trained network, the budgets, and how it is pruned to them.

    n is the number of channels of the network's graph.

    Args:
        model: The trained network; not changed.
        problem: The network as a function of its widths, data, task.
        config: Criterion, allocation, repair.
        budgets: What the result may cost.
        seed: Chooses the images that scores and repairs read, and draws noise.
        grid: `round_to`, `min_width` and `max_width`, as of
            `ns_tf.scaling.solve.at_cost`.
        law: Of a search of the same network, for the allocation "law".

    Raises:
        InputError: an allocation or repair that there is not.
    """

    def __init__(
        self,
        model: keras.Model,
        problem: Problem,
        config: CutConfig,
        budgets: Budgets,
        *,
        seed: int = 0,
        grid: Mapping[str, int | None] | None = None,
        law: ScalingLaw | None = None,
    ):
        self.model, self.problem, self.budgets = model, problem, budgets
        self.config, self.seed, self.law = config, seed, law
        self.grid = {"round_to": 1, "min_width": 1, "max_width": None, **(grid or {})}
        grid_of(**self.grid)  # Refuses what is no grid.
        self.criterion = criteria.get(config.method)
        self.allocation = allocations.get(
            config.allocation or self.criterion.allocation
        )
        self.repairs = repairs.parse(config.repair or self.criterion.repair)
        self.graph = problem.structure.graph(model)
        self.prunable = Prunable.of(problem.structure, self.graph)
        self.widths: Widths = tuple(len(own) for own in self.prunable.widths)

    def proxy(self, images: int | None = None) -> Proxy:
        """Training images to read; as many as the criterion has, or as was asked for.

        Args:
            images: How many where nothing was asked for; the criterion's if None.
        """
        count = self.config.proxy_images or images or self.criterion.images
        return Proxy.of(
            self.problem.dataset,
            images=count,
            batch=self.config.proxy_batch,
            seed=self.seed,
        )

    def score(
        self, runtime: Runtime | None = None, checkpoint: str = SCORING
    ) -> np.ndarray:
        """The criterion's scores of all channels, [n].

        Args:
            runtime: Shows progress, and continues a scoring that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            InputError: the criterion cannot read a layer of this network.
        """
        network = self._scored()
        tally = tally_in(runtime, checkpoint) if runtime else signals.tally_at_once
        reading = signals.Reading(network, self.seed, tally=tally)
        member = self.criterion
        scores = signals.get(member.reads).scores(member.formula, reading)
        if member.by_norm:
            for channels in self._layers():
                scores[channels] = by_norm(scores[channels])
        return joined(scores, self.graph)

    def check(self) -> None:
        """Refuses what cannot be done, before anything is computed or written.

        Raises:
            InputError: the criterion cannot read a layer, the allocation has no curve,
                or the smallest network is over an exact budget.
        """
        check = signals.get(self.criterion.reads).check
        if check is not None:
            check(self._scored())
        self._curve(np.zeros(len(self.graph.owner)))
        grid, targets = self._grid()
        exact = self.budgets.exact
        known = {n: (exact[n], t) for n, t in targets.items() if n in exact}
        check_reach(known, grid_of(**grid), layers=len(self.widths))

    def _scored(self) -> ScoredNetwork:
        """The network as signals read it; all channels count that a width decides."""
        wanted = np.zeros(len(self.graph.owner), bool)
        for channels in self._layers():
            wanted[channels] = True
        loss = self.problem.task.loss(self.model)
        return ScoredNetwork(self.model, self.graph, loss, self.proxy(), wanted)

    def _grid(self) -> tuple[dict[str, Any], dict[str, float]]:
        """(options of the solver, targets that some network on the grid can reach).

        No network on the grid may cost as much as a budget allows, as with `round_to`.
        """
        most, targets = self.grid["max_width"], self.budgets.targets
        own = self.widths if most is None else np.minimum(self.widths, most)
        grid = {**self.grid, "max_width": own}
        high = grid_of(**grid).high
        ends = {n: float(cost(high)) for n, cost in self.budgets.exact.items()}
        return grid, {n: min(t, ends.get(n, t)) for n, t in targets.items()}

    def _layers(self) -> list[np.ndarray]:
        """Numbers of the channels of every layer that a width decides."""
        followers = [channels for channels, _, _ in self.prunable.followers]
        return [*self.prunable.widths, *followers]

    def solve(self, scores: np.ndarray) -> Scaling:
        """The widths that meet every budget, none above the network's own.

        Args:
            scores: [n].

        Raises:
            InputError: even the smallest network is over a budget.
        """
        grid, targets = self._grid()
        scaling = at_cost(self._curve(scores), self.budgets.costs, targets, **grid)
        return dataclasses.replace(scaling, targets=dict(self.budgets.targets))

    def at(self, widths: Widths) -> Scaling:
        """Widths that are known, with their costs.

        Args:
            widths: [layers].
        """
        sizes = np.array(widths)
        costs = {n: float(cost(sizes)) for n, cost in self.budgets.exact.items()}
        targets = self.budgets.targets
        asked = {name: costs[name] for name in targets if name in costs}
        return Scaling(tuple(widths), costs["params"], asked, dict(targets))

    def _curve(self, scores: np.ndarray) -> Curve:
        """The allocation's curve, for scores [n]."""
        case = allocations.Case(
            self.problem.structure,
            self.widths,
            self.prunable,
            scores,
            self.criterion,
            self.budgets.exact,
            self.budgets.targets,
            self.grid["min_width"],
            self.config.weigh,
            self.law,
        )
        return self.allocation.curve(case)

    def channels(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """[n] bool: the channels of highest score, as many as the widths have.

        Args:
            scores: [n].
            widths: [layers].
        """
        return down_to(scores, self.prunable, widths)

    def cut_and_repair(self, keep: np.ndarray) -> tuple[keras.Model, dict[str, float]]:
        """The network of these channels, repaired, and how good it is by stage.

        Args:
            keep: [n] bool.

        Returns:
            A new network, and its score on validation images by stage. If nothing goes,
            it is the whole network, bit for bit.
        """
        keras.utils.set_random_seed(self.seed)  # Of layers that draw, as dropout does.
        small = cut(self.model, self.problem.structure, keep)
        scores = {"trained": self.accuracy(self.model, "validation")}
        if keep.all():
            return small, dict.fromkeys(STAGES, scores["trained"])
        scores["cut"] = self.accuracy(small, "validation")
        self.repair(small, keep)
        repaired = self.accuracy(small, "validation") if self.repairs else scores["cut"]
        return small, {**scores, "repaired": repaired, "tuned": repaired}

    def repair(self, small: keras.Model, keep: np.ndarray) -> None:
        """Repairs the network of these channels in place.

        Args:
            small: As it was cut.
            keep: [n] bool.
        """
        case = repairs.Cut(self.model, self.graph, keep, small, self.proxy(1024))
        for member in self.repairs:
            member.apply(case)

    def recipe(self, config: FinetuneConfig) -> Recipe:
        """The recipe of the training after the cut.

        Args:
            config: Names it, if it is not the method's own.

        Raises:
            InputError: there is no such recipe, or its loss is one of classes and the
                task is another.
        """
        recipe = recipes.get(config.recipe or self.criterion.recipe)
        task = self.problem.task
        if recipe.formula is not None and not isinstance(task, Classification):
            raise InputError(
                f"The recipe {recipe.name} learns one class an example, without "
                f"weights; the task is {task.name}. Give --recipe=plain."
            )
        return recipe

    def tuning(self, widths: Widths, config: FinetuneConfig) -> Tuning:
        """How the network that is left is trained.

        Args:
            widths: Of what is left, [layers].
            config: The recipe, if it is not the method's own; epochs, rate.

        Raises:
            InputError: there is no such recipe.
        """
        recipe = self.recipe(config)
        problem, macs = self.problem, self.budgets.exact["macs"]
        times = float(macs(np.array(self.widths)) / macs(np.array(widths)))
        objective = None
        if recipe.formula is not None:
            teacher = self.model if recipe.teacher else None
            objective = Objective(recipe, problem.dataset.classes, teacher)
        return Tuning(
            recipe.fresh,
            config.settings(
                len(problem.dataset.train),
                rate=recipe.rate,
                times=times if recipe.equal_cost else 1.0,
            ),
            objective,
        )

    def accuracy(self, model: keras.Model, split: str) -> float:
        """The task's score of a network on a split.

        Args:
            model: The whole network, or what is left of it.
            split: "validation" or "test".
        """
        task = self.problem.task
        evaluate = evaluator(model, task.loss(model), task.counter(model))
        return task.score_of(evaluate(self.problem.dataset, split, _BATCH)[1])
