"""What follows from a plan: a network, a training."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ns_tf.api.prunings import Trained
from ns_tf.base import InputError
from ns_tf.descend.work import configure
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.remake import check_readable
from ns_tf.networks import python_models
from ns_tf.plan.choice import WidthChoice
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.problem.config import NetworkConfig
from ns_tf.problem.resolve import data_options
from ns_tf.prune.config import CutConfig
from ns_tf.prune.given import at_widths
from ns_tf.prune.source import trained_network
from ns_tf.run.folder import MODEL
from ns_tf.run.option import made
from ns_tf.run.paths import as_path
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch
from ns_tf.train import training
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import read_history
from ns_tf.train.results import score_in
from ns_tf.train.work import TrainRun

if TYPE_CHECKING:
    from ns_tf.api.searches import Search


@dataclasses.dataclass(frozen=True)
class Plan(WidthPlan):
    """Widths that meet a budget; `build` makes the network, `train` trains it."""

    # The search that planned it: `train` takes network and data from there.
    search: "Search | None" = dataclasses.field(default=None, repr=False, compare=False)

    def build(
        self,
        weights: str = "fresh",
        *,
        data: Any = None,
        method: str = "taylor_fo",
        repair: str | None = None,
        proxy_images: int | None = None,
        seed: int = 0,
    ) -> keras.Model:
        """An ordinary `keras.Model` of these widths.

        Args:
            weights: "fresh", or "inherit": those of the model that was searched, which
                are taken to be trained. In each layer the channels of highest score
                stay, then the network is repaired; nothing is trained. At the model's
                own widths it is the model, bit for bit. What follows is for "inherit"
                alone.
            data: As of `ns_tf.search`, to score and repair by; the search's own if
                None. Their pixels are scaled as `ns_tf.trained` finds out.
            method: The criterion of the scores, as of `Trained.prune`.
            repair: As of `Trained.prune`; the method's own if None.
            proxy_images: Training images that scores and repair read; the method's own
                number if None.
            seed: Chooses these images.

        Returns:
            Logits `[batch, classes]` of images `[batch, *input_shape]`; what the
            searched model puts out, if weights are inherited.

        Raises:
            InputError: no model was searched, or one that is narrower in some layer
                than the plan; no data; a criterion or repair that cannot be.
            RuntimeError: the model has other parameters than were planned.
        """
        if not isinstance(weights, str) or weights not in ("fresh", "inherit"):
            raise InputError(f"weights are 'fresh' or 'inherit'; got {weights!r}.")
        if weights == "fresh":
            return super().build()
        problem, _ = self.search.problem_for(data)
        model = problem.architecture.source
        if model is None:
            raise InputError(
                f"{self.architecture} was searched with fresh weights, so there are "
                "none to inherit. Search a trained model: ns_tf.search(model, data)."
            )
        asked = {"method": method, "repair": repair, "proxy_images": proxy_images}
        config, runtime = made(CutConfig, asked), made(RuntimeConfig, {"seed": seed})
        network = trained_network(model, problem.dataset, task=problem.task.name)
        return at_widths(network, self.widths, config, seed=runtime.seed)

    def train(
        self,
        data: Any = None,
        *,
        run_dir: str | Path | None = None,
        name: str | None = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> Trained:
        """Trains a network of these widths from scratch.

        Args:
            data: As of `ns_tf.search`; the search's own if None.
            run_dir: Where it is kept, below `train/`; the same call continues it after
                a kill. None keeps nothing.
            name: Of its folder there; says the widths and the seed if None.
            progress: `ns_tf.Progress()` shows how far it has come.
            stop: Asked at every step whether to stop.
            **options: Fields of `ns_tf.train.config.TrainConfig` and
                `ns_tf.engine.config.RuntimeConfig`: `epochs=60, rate=0.05, seed=1`.

        Returns:
            The network of the best epoch on validation images, tested.

        Raises:
            InputError: what was asked for cannot be done, in one line.
            RunError: a loss is not finite.
        """
        configs = configure((TrainConfig, RuntimeConfig), {}, options)
        recipe, config = configs[TrainConfig], configs[RuntimeConfig]
        execution = Execution.of(config)  # Before TensorFlow starts.
        problem, settings = self.search.problem_for(data)
        watch = Watch(progress or Quiet(), stop or Stop())
        if run_dir is None:
            result = training.train(
                problem,
                lambda: problem.build(self.widths),
                recipe,
                Runtime.of(config, execution).watched(watch),
            )
            return Trained(
                result.model,
                result.test_score,
                result.history,
                problem,
                data=data_options(settings),
            )
        run_dir = as_path(run_dir, "run_dir")
        if problem.architecture.source is not None:
            check_readable(problem.architecture.source)
        named = {"widths": self.widths, "name": name}
        network = made(NetworkConfig, {**dataclasses.asdict(settings), **named})
        choice = WidthChoice(network, BudgetConfig(), MethodConfig())
        run = TrainRun(run_dir, network, choice, recipe, config, problem=problem)
        run_dir.mkdir(parents=True, exist_ok=True)
        python_models.save(problem.architecture, run_dir)
        result = run.run(watch)
        return Trained(
            problem.loaded(run.folder / MODEL),
            score_in(result, "test"),
            read_history(run.folder),
            problem,
            run.folder,
            data=data_options(settings),
        )
