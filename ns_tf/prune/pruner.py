"""A trained network that is pruned: what is done with it, step by step.

`ns_tf.prune.pruned` does the steps in order, `ns_tf.prune.work` in a run folder.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, ScalingLaw, Widths
from ns_tf.data.dataset import Dataset, augmented
from ns_tf.data.variants import check_expandable
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.evaluate import kept_evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.problem.problem import Problem
from ns_tf.prune import allocations, method, repairs
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.level import Level
from ns_tf.prune.method import PLAIN, Scored
from ns_tf.prune.results import STAGES
from ns_tf.prune.scoring import SCORING, Proxy, ScoredNetwork
from ns_tf.prune.targets import Budgets
from ns_tf.prune.trained import copied
from ns_tf.prune.tuning import Tuning, check_mixable, recipes_of, tunings_of
from ns_tf.scaling.grid import grid_of
from ns_tf.train.recipes import Recipe

_BATCH = 256  # Images a step of an evaluation.


class Pruner(Level):
    """A trained network, the budgets, and how it is pruned to them.

    What goes are units, n of them; a level (`ns_tf.prune.level`) says what they cost,
    which go, and what is left without them.

    Args:
        model: The trained network; not changed.
        problem: The network as a function of its widths, data, task.
        config: Method, allocation, repair.
        budgets: What the result may cost; made by `budgets_for`.
        seed: Chooses the images that scores and repairs read, and draws noise.
        grid: `round_to`, `min_width` and `max_width`, as of
            `ns_tf.scaling.solve.at_cost`.
        law: Of a search of the same network, for the allocation "law".
        whole: The network as it was trained, where gates have learned since; `model` if
            None. It is judged before the cut, and teaches.
        augmentation: How training images are varied while gates learn.
        precision: At which gates learn.

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
        grid: Mapping[str, Any] | None = None,
        law: ScalingLaw | None = None,
        whole: keras.Model | None = None,
        augmentation: str = FinetuneConfig.augmentation,
        precision: str = ExecutionConfig.precision,
    ):
        self.model, self.problem, self.budgets = model, problem, budgets
        self.whole = model if whole is None else whole
        self.config, self.seed, self.law = config, seed, law
        self.augmentation, self.precision = augmentation, precision
        self.grid = {"round_to": 1, "min_width": 1, "max_width": None, **(grid or {})}
        grid_of(**self.grid)  # Refuses what is no grid.
        self.method = method.get(config.method)
        self.allocation = allocations.get(config.allocation or self.method.allocation)
        self.repairs = repairs.parse(config.repair or self.method.repair)
        self.rounds = config.rounds or self.method.rounds
        self.closed = config.closed or self.method.closed
        self.graph = problem.structure.graph(model)
        self.scorer = self.method.scorer(self)

    @property
    def law_numbers(self) -> tuple[list[float], list[float]] | None:
        """(alpha, beta) of the law, as digests of settings take them; None if none."""
        if self.law is None:
            return None
        return np.asarray(self.law.alpha).tolist(), np.asarray(self.law.beta).tolist()

    def proxy(self, images: int | None = None) -> Proxy:
        """Training images to read; as many as the method has, or as was asked for.

        Args:
            images: How many where nothing was asked for; the method's if None.
        """
        count = self.config.proxy_images or images or self.method.images
        return Proxy.of(
            self.problem.dataset,
            images=count,
            batch=self.config.proxy_batch,
            seed=self.seed,
        )

    def read_by_units(
        self, kind: type[ScoredNetwork], alive: np.ndarray | None, **own: Any
    ) -> ScoredNetwork:
        """The network as signals read it where units are no channels.

        Args:
            kind: Whose gates are those of the units.
            alive: [n] bool: the units whose gates are open. All, if None.
            **own: What `kind` takes beside what every `ScoredNetwork` does.
        """
        every = np.ones(self.size, bool)
        loss = self.problem.task.loss(self.model)
        alive = every if alive is None else alive
        return kind(
            self.model, self.graph, loss, self.proxy(), every, alive=alive, **own
        )

    def scored(
        self, runtime: Runtime | None = None, checkpoint: str = SCORING
    ) -> Scored:
        """The scores of all units, and weights where gates have learned.

        Args:
            runtime: Shows progress, and continues a scoring that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            InputError: the method cannot read a layer of this network, or a score is
                not a number.
            RunError: a loss is not finite.
        """
        found = self.scorer.score(runtime or Runtime(seed=self.seed), checkpoint)
        for name, units in zip(self.names, self.prunable.widths, strict=True):
            if np.isnan(found.scores[units]).any():
                raise InputError(
                    f"A score of {name!r} by {self.method.name} is not a number: are "
                    "the network's weights and the data finite?"
                )
        return found

    def score(
        self, runtime: Runtime | None = None, checkpoint: str = SCORING
    ) -> np.ndarray:
        """The scores [n] alone; arguments as of `scored`."""
        return self.scored(runtime, checkpoint).scores

    def after(self, scored: Scored) -> "Pruner":
        """The pruner of the network that has learned; this one if nothing has.

        Args:
            scored: What `scored` returned, perhaps in another process.
        """
        if scored.weights is None:
            return self
        model = copied(self.model, self.problem.structure)
        weights.assign(model, scored.weights)
        return type(self)(
            model,
            self.problem,
            self.config,
            self.budgets,
            seed=self.seed,
            grid=self.grid,
            law=self.law,
            whole=self.whole,
            augmentation=self.augmentation,
            precision=self.precision,
        )

    def cut_and_repair(self, keep: np.ndarray) -> tuple[keras.Model, dict[str, float]]:
        """The network of these units, repaired, and how good it is by stage.

        Args:
            keep: [n] bool.

        Returns:
            A new network, and its score on validation images by stage. If nothing goes,
            it is the whole network, bit for bit.
        """
        keras.utils.set_random_seed(self.seed)  # Of layers that draw, as dropout does.
        model = self.whole if keep.all() else self.model
        small = self.cut(keep, model)
        scores = {"trained": self.accuracy(self.whole, "validation")}
        if keep.all():
            return small, dict.fromkeys(STAGES, scores["trained"])
        score = self._scorer(small)
        scores["cut"] = score("validation")
        self.repair(small, keep)
        repaired = score("validation") if self.repairs else scores["cut"]
        return small, {**scores, "repaired": repaired, "tuned": repaired}

    def repair(self, small: keras.Model, keep: np.ndarray) -> None:
        """Repairs the network that is left in place.

        Args:
            small: As it was cut.
            keep: [n] bool.
        """
        left, proxy = self.channels_left(keep), self.proxy(1024)
        case = repairs.Cut(self.model, self.graph, left, small, proxy)
        for member in self.repairs:
            member.apply(case)

    def recipes(self, config: FinetuneConfig) -> tuple[Recipe, ...]:
        """The recipes of the trainings after the cut.

        Args:
            config: Names them, if they are not the method's own. Where its own do not
                fit the task or the data, what is left is trained as any network.

        Raises:
            InputError: there is no such recipe, or one that was asked for does not fit
                the task or the data.
        """
        dataset = augmented(self.problem.dataset, config.augmentation)
        if config.recipe:
            return self._recipes(config.recipe, config, dataset)
        try:
            return self._recipes(self.method.recipe, config, dataset)
        except InputError:
            return recipes_of(PLAIN, self.problem.task)

    def _recipes(
        self, text: str, config: FinetuneConfig, dataset: Dataset
    ) -> tuple[Recipe, ...]:
        """The recipes of a text, if they fit the task and the data.

        Raises:
            InputError: they do not, or there is none of a name.
        """
        found = recipes_of(text, self.problem.task)
        if config.finetune_epochs and any(one.table_rate is not None for one in found):
            check_expandable(dataset)
        if config.finetune_epochs and any(one.mixup > 0 for one in found):
            check_mixable(self.model, dataset)
        return found

    def tunings(self, widths: Widths, config: FinetuneConfig) -> tuple[Tuning, ...]:
        """How the network that is left is trained, one training after another.

        Args:
            widths: Of what is left.
            config: The recipes, if they are not the method's own; epochs, rate.

        Raises:
            InputError: there is no such recipe.
        """
        found, dataset = self.recipes(config), self.problem.dataset
        return tunings_of(found, config, dataset, self.dearer(widths), self.whole)

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
        evaluate = kept_evaluator(model, task)
        return lambda split: task.score_of(evaluate(dataset, split, _BATCH)[1])
