"""A trained network that is pruned: what is done with it, step by step.

`ns_tf.prune.pruned` does the steps in order, `ns_tf.prune.work` in a run folder.
"""

import functools
from collections.abc import Callable, Mapping

import keras
import numpy as np

from ns_tf.base import Scaling, ScalingLaw, Widths
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.problem.problem import Problem
from ns_tf.prune import allocations, method, repairs
from ns_tf.prune.allotment import ALLOCATING, Allotment
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.method import Scored
from ns_tf.prune.pressure import Pressure
from ns_tf.prune.removal import Prunable
from ns_tf.prune.results import STAGES
from ns_tf.prune.scoring import SCORING, Proxy, ScoredNetwork
from ns_tf.prune.sites import ChannelSites, Sites
from ns_tf.prune.targets import Budgets
from ns_tf.prune.trained import copied, cut, joined
from ns_tf.prune.tuning import Tuning, recipes_of, tunings_of
from ns_tf.scaling.grid import grid_of
from ns_tf.train.recipes import Recipe

_BATCH = 256  # Images a step of an evaluation.


class Pruner:
    """A trained network, the budgets, and how it is pruned to them.

    n is the number of channels of the network's graph.

    Args:
        model: The trained network; not changed.
        problem: The network as a function of its widths, data, task.
        config: Method, allocation, repair.
        budgets: What the result may cost.
        seed: Chooses the images that scores and repairs read, and draws noise.
        grid: `round_to`, `min_width` and `max_width`, as of
            `ns_tf.scaling.solve.at_cost`.
        law: Of a search of the same network, for the allocation "law".
        whole: The network as it was trained, where gates have learned since; `model` if
            None. It is judged before the cut, and teaches.

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
        whole: keras.Model | None = None,
    ):
        self.model, self.problem, self.budgets = model, problem, budgets
        self.whole = model if whole is None else whole
        self.config, self.seed, self.law = config, seed, law
        self.grid = {"round_to": 1, "min_width": 1, "max_width": None, **(grid or {})}
        grid_of(**self.grid)  # Refuses what is no grid.
        self.method = method.get(config.method)
        self.allocation = allocations.get(config.allocation or self.method.allocation)
        self.repairs = repairs.parse(config.repair or self.method.repair)
        self.rounds = config.rounds or self.method.rounds
        self.closed = config.closed or self.method.closed
        self.graph = problem.structure.graph(model)
        self.prunable = Prunable.of(problem.structure, self.graph)
        self.widths: Widths = tuple(len(own) for own in self.prunable.widths)
        self.allotment = Allotment(
            model=model,
            graph=self.graph,
            problem=problem,
            prunable=self.prunable,
            budgets=budgets,
            method=self.method,
            allocation=self.allocation,
            grid=self.grid,
            proxy=self.proxy,
            weigh=config.weigh,
            law=law,
            seed=seed,
        )
        self.scorer = self.method.scorer(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Of what the widths count."""
        return self.problem.structure.names

    @property
    def size(self) -> int:
        """n."""
        return len(self.graph.owner)

    @functools.cached_property
    def sites(self) -> Sites:
        """Where gates go that stand beside the weights."""
        return ChannelSites(self.graph)

    def pressure(self, priced: bool) -> Pressure:
        """The budgets as gates feel them.

        Args:
            priced: Whether channels of different layers have different prices.
        """
        exact, limits = self.budgets.exact, self.allotment.limits
        return Pressure(exact, limits, self.prunable, self.size, priced)

    def joined(self, scores: np.ndarray) -> np.ndarray:
        """Scores [n] of which those that go together have the sum of theirs.

        Args:
            scores: [n].
        """
        return joined(scores, self.graph)

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

    def scored(
        self, runtime: Runtime | None = None, checkpoint: str = SCORING
    ) -> Scored:
        """The scores of all channels, and weights where gates have learned.

        Args:
            runtime: Shows progress, and continues a scoring that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            InputError: the method cannot read a layer of this network.
            RunError: a loss is not finite.
        """
        return self.scorer.score(runtime or Runtime(seed=self.seed), checkpoint)

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
        )

    def check(self) -> None:
        """Refuses what cannot be done, before anything is computed or written.

        Raises:
            InputError: the method cannot read a layer, the allocation has no curve, or
                the smallest network is over an exact budget.
        """
        self.scorer.check()
        self.allotment.check()

    def read(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """The network as signals read it; all channels count that a width decides.

        Args:
            alive: [n] bool: the channels that are open. All, if None.
        """
        wanted = np.zeros(len(self.graph.owner), bool)
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

    def cut(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """What is left of the network, with its weights, not repaired.

        Args:
            keep: [n] bool.
            model: Of which it is left; the network that has learned if None.
        """
        return cut(model or self.model, self.problem.structure, keep)

    def left(self, keep: np.ndarray) -> tuple[Problem, Widths]:
        """The problem that what is left is trained for, and its widths there.

        Args:
            keep: [n] bool.
        """
        return self.problem, self.prunable.count(keep)

    def told(self, widths: Widths) -> str:
        """What becomes of the network, in a line.

        Args:
            widths: Of what is left, [layers].
        """
        both = zip(self.names, self.widths, widths, strict=True)
        return "widths: " + ", ".join(f"{name} {was}->{now}" for name, was, now in both)

    def repair(self, small: keras.Model, keep: np.ndarray) -> None:
        """Repairs the network of these channels in place.

        Args:
            small: As it was cut.
            keep: [n] bool.
        """
        case = repairs.Cut(self.model, self.graph, keep, small, self.proxy(1024))
        for member in self.repairs:
            member.apply(case)

    def recipes(self, config: FinetuneConfig) -> tuple[Recipe, ...]:
        """The recipes of the trainings after the cut.

        Args:
            config: Names them, if they are not the method's own.

        Raises:
            InputError: there is no such recipe, or it does not fit the task.
        """
        return recipes_of(config.recipe or self.method.recipe, self.problem.task)

    def tunings(self, widths: Widths, config: FinetuneConfig) -> tuple[Tuning, ...]:
        """How the network that is left is trained, one training after another.

        Args:
            widths: Of what is left, [layers].
            config: The recipes, if they are not the method's own; epochs, rate.

        Raises:
            InputError: there is no such recipe.
        """
        macs = self.budgets.exact["macs"]
        times = float(macs(np.array(self.widths)) / macs(np.array(widths)))
        dataset = self.problem.dataset
        return tunings_of(self.recipes(config), config, dataset, times, self.whole)

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
