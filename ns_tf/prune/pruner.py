"""A trained network that is pruned: what is done with it, step by step.

`ns_tf.prune.pruned` does the steps in order, `ns_tf.prune.work` in a run folder.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

from ns_tf.base import InputError, Scaling, ScalingLaw, Widths
from ns_tf.engine import loop
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.problem.tasks.classification import Classification
from ns_tf.prune import allocations, criteria, repairs, rounds, signals
from ns_tf.prune.allotment import ALLOCATING, Allotment
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.criteria import by_norm
from ns_tf.prune.removal import Prunable
from ns_tf.prune.results import STAGES
from ns_tf.prune.rounds import REOPEN, Rounds
from ns_tf.prune.scoring import SCORING, Proxy, ScoredNetwork, tally_in
from ns_tf.prune.targets import Budgets
from ns_tf.prune.trained import cut, joined
from ns_tf.scaling.grid import grid_of
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective, Recipe

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
        self.rounds = config.rounds or self.criterion.rounds
        self.closed = config.closed or self.criterion.closed
        self.graph = problem.structure.graph(model)
        self.prunable = Prunable.of(problem.structure, self.graph)
        self.widths: Widths = tuple(len(own) for own in self.prunable.widths)
        self.allotment = Allotment(
            model=model,
            graph=self.graph,
            problem=problem,
            prunable=self.prunable,
            budgets=budgets,
            criterion=self.criterion,
            allocation=self.allocation,
            grid=self.grid,
            proxy=self.proxy,
            weigh=config.weigh,
            law=law,
            seed=seed,
        )

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
        every = np.ones(len(self.graph.owner), bool)
        if self.rounds == 1:
            return self._score(every, 0, runtime, checkpoint)
        work = Rounds(
            self.rounds,
            lambda alive, number: self._score(alive, number, runtime, checkpoint),
            self.allotment.part_way,
            len(every),
            reopen=self.closed == REOPEN,
        )
        loop.run(
            work,
            self.rounds,
            runtime or Runtime(),
            label="rounds",
            checkpoint=rounds.all_of(checkpoint),
        )
        return work.scores

    def checkpoints(self, checkpoint: str) -> list[str]:
        """The files that `score` continues from, to be removed when scores are kept."""
        if self.rounds == 1:
            return [checkpoint]
        own = [rounds.name_of(checkpoint, number) for number in range(self.rounds)]
        return [rounds.all_of(checkpoint), *own]

    @property
    def between(self) -> tuple:
        """What decides which channels close between rounds; empty if there is one."""
        if self.rounds == 1:
            return ()
        config = self.config
        return (
            *(self.rounds, self.closed, sorted(self.budgets.targets.items())),
            *(config.allocation, config.weigh, config.search, self.grid),
        )

    def _score(
        self, alive: np.ndarray, number: int, runtime: Runtime | None, checkpoint: str
    ) -> np.ndarray:
        """[n]: scores of one round, in which the channels `alive` [n] are open."""
        tally = signals.tally_at_once
        if runtime:
            tally = tally_in(runtime, rounds.name_of(checkpoint, number))
        network = self._scored(alive)
        reading = signals.Reading(network, self.seed, number, tally)
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
        self.allotment.check()

    def _scored(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """The network as signals read it; all channels count that a width decides.

        Args:
            alive: [n] bool: the channels that are open. All, if None.
        """
        wanted = np.zeros(len(self.graph.owner), bool)
        for channels in self._layers():
            wanted[channels] = True
        loss = self.problem.task.loss(self.model)
        return ScoredNetwork(
            self.model, self.graph, loss, self.proxy(), wanted, alive=alive
        )

    def _layers(self) -> list[np.ndarray]:
        """Numbers of the channels of every layer that a width decides."""
        followers = [channels for channels, _, _ in self.prunable.followers]
        return [*self.prunable.widths, *followers]

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
        return self.allotment.solve(scores, runtime, checkpoint)

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

    def channels(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """[n] bool: the channels of highest score, as many as the widths have.

        Args:
            scores: [n].
            widths: [layers].
        """
        return self.allotment.channels(scores, widths)

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
        score = self._scorer(small)
        scores["cut"] = score("validation")
        self.repair(small, keep)
        repaired = score("validation") if self.repairs else scores["cut"]
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
        return self._scorer(model)(split)

    def _scorer(self, model: keras.Model) -> Callable[[str], float]:
        """split -> the task's score there by the present weights; compiled once."""
        task, dataset = self.problem.task, self.problem.dataset
        evaluate = evaluator(model, task.loss(model), task.counter(model))
        return lambda split: task.score_of(evaluate(dataset, split, _BATCH)[1])
