"""What users type: `search`, `Search.plan`, `Plan.build`, and what follows from them.

A value knows what can be done with it next. Every method does what the command of the
same name does with a run folder.
"""

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import DescentState, InputError, ScalingLaw
from ns_tf.budgets import BUDGETS
from ns_tf.compare import outcome as outcomes
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.work import Comparison
from ns_tf.crew import work as crew
from ns_tf.data import python_data
from ns_tf.data.config import DataConfig
from ns_tf.descend.record import read_search
from ns_tf.descend.work import SEARCH_CONFIGS, SearchRun, configure
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.export.check import Outcome as FileOutcome
from ns_tf.export.config import ExportConfig
from ns_tf.export.work import Export
from ns_tf.networks import architectures, python_models
from ns_tf.networks.costs import CostPolynomial
from ns_tf.plan.choice import WidthChoice
from ns_tf.plan.config import BudgetConfig, MethodConfig, SolverConfig
from ns_tf.plan.plan import Searched, WidthPlan
from ns_tf.plan.sources import problem_config
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import load_dataset, problem_of, settings_in
from ns_tf.report import page
from ns_tf.run.folder import MODEL, PREFIX
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch
from ns_tf.train import training
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import read_history
from ns_tf.train.results import score_in
from ns_tf.train.training import Epoch
from ns_tf.train.work import TrainRun


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network."""

    model: keras.Model  # With the weights of the best epoch on validation images.
    score: float  # On test images; in classification the accuracy, 0 to 1.
    history: tuple[Epoch, ...]
    problem: Problem = dataclasses.field(repr=False)
    folder: Path | None = None  # Where the training is kept, if it is.

    def export(
        self,
        out_dir: str | Path,
        formats: Sequence[str] = ("saved_model",),
        *,
        progress: Meter | None = None,
        **options: Any,
    ) -> list[FileOutcome]:
        """Writes files for other programs, each run again and compared.

        Args:
            out_dir: The folder that they go to.
            formats: "saved_model", "keras", "litert", "litert_int8", "onnx".
            progress: `ns_tf.Progress()` shows how far it has come.
            **options: Fields of `ns_tf.export.config.ExportConfig`: `name`, `version`,
                `resize`, and so on.

        Returns:
            Of every file: where it is, its size, how well it agrees, how fast it is.

        Raises:
            InputError: a format that does not exist or cannot be written here.
            RunError: a file gives other answers than the Keras model.
        """
        named = {"format": tuple(formats), "out_dir": str(out_dir)}
        config = configure((ExportConfig,), named, options)[ExportConfig]
        name = self.folder.name if self.folder else self.problem.architecture.name
        export = Export(
            self.model,
            self.problem.dataset,
            self.problem.task,
            config,
            out_dir,
            python_models.file_name(name),
        )
        return export.run(Watch(progress or Quiet()))


@dataclasses.dataclass(frozen=True)
class Plan(WidthPlan):
    """Widths that meet a budget; `build` makes the network, `train` trains it."""

    search: "Search | None" = dataclasses.field(default=None, repr=False, compare=False)

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
            return Trained(result.model, result.test_score, result.history, problem)
        network = NetworkConfig(
            **dataclasses.asdict(settings), widths=self.widths, name=name
        )
        choice = WidthChoice(network, BudgetConfig(), MethodConfig())
        run = TrainRun(run_dir, network, choice, recipe, config, problem=problem)
        Path(run_dir).mkdir(parents=True, exist_ok=True)
        python_models.save(problem.architecture, Path(run_dir))
        result = run.run(watch)
        return Trained(
            keras.saving.load_model(run.folder / MODEL, compile=False),
            score_in(result, "test"),
            read_history(run.folder),
            problem,
            run.folder,
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a comparison says."""

    text: str  # The table and the verdict, in Markdown.
    folder: Path  # Where the comparison is kept.

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Search(Searched):
    """A search: its laws, and a plan for any budget."""

    run_dir: Path | None = None
    problem: Problem | None = dataclasses.field(default=None, repr=False)
    settings: ProblemConfig | None = dataclasses.field(default=None, repr=False)

    @property
    def iterations(self) -> tuple[DescentState, ...]:
        """The iterations, each with its widths, trace and law."""
        return self.record.states

    @property
    def costs(self) -> Mapping[str, CostPolynomial]:
        """What networks cost as functions of their widths, by exact budget."""
        return self.record.costs

    def laws(self) -> tuple[ScalingLaw, ...]:
        """The law of every iteration."""
        return tuple(state.law for state in self.record.states)

    def plan(self, **options: Any) -> Plan:
        """The widths for a budget; arguments as of `Searched.plan`."""
        plan = super().plan(**options)
        fields = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}
        return Plan(**fields, search=self)

    def problem_for(self, data: Any = None) -> tuple[Problem, ProblemConfig]:
        """The network and data of this search, or the network with other data.

        Args:
            data: As of `ns_tf.search`; the search's own if None.

        Returns:
            The problem, and the settings that name it.

        Raises:
            InputError: the data cannot be had.
        """
        settings = self.settings or ProblemConfig()
        if data is None or (isinstance(data, str) and data == settings.dataset):
            if self.problem is not None:
                return self.problem, settings
            if settings.dataset is None or settings.dataset.startswith(PREFIX):
                raise InputError(
                    "The search had its data from Python, so no folder keeps them. "
                    "Give them again, as plan.train(data)."
                )
            return problem_of(settings, self.architecture), settings
        dataset = python_data.dataset(data)
        if dataset is None:
            place = settings.data_dir
            dataset = load_dataset(DataConfig(dataset=data, data_dir=place))
        architecture = self.architecture or architectures.get(self.record.architecture)
        problem = Problem.of(architecture, dataset)
        if dataset.name.startswith(PREFIX) and dataset.name == settings.dataset:
            return problem, settings  # The search's own data, given again.
        settings = ProblemConfig(
            architecture=architecture.name,
            dataset=dataset.name,
            data_dir=settings.data_dir,
        )
        return problem, settings

    def compare(
        self,
        methods: Sequence[str] = ("uniform", "morphnet", "neuralscale"),
        *,
        run_dir: str | Path,
        seeds: int | Sequence[int] = 3,
        data: Any = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> Outcome:
        """Trains networks of several methods at equal budgets, by one recipe.

        Args:
            methods: As `--methods` has them: "uniform", "neuralscale@1".
            run_dir: Where the comparison is kept; the same call goes on there.
            seeds: How many trainings a cell has, or their seeds.
            data: As of `ns_tf.search`; the search's own if None.
            progress: `ns_tf.Progress()` shows how far it has come.
            stop: Asked at every step whether to stop.
            **options: Budgets, each a number or a list (`ratio=[0.25, 0.5]`,
                `params=600_000`), and fields of `CompareConfig`, `SolverConfig`,
                `TrainConfig` and `ExecutionConfig`.

        Raises:
            InputError: what was asked for cannot be done, in one line.
        """
        if self.run_dir is None:
            raise InputError(
                "A comparison reads the search's run folder, and this search has none. "
                "Search with run_dir=, or save it there."
            )
        texts = _budget_texts(options)
        named: dict[str, Any] = {
            "search": str(self.run_dir),
            "methods": tuple(methods),
            "seeds": tuple(range(seeds) if isinstance(seeds, int) else seeds),
        }
        if texts:
            named["budgets"] = tuple(texts)
        kinds = (CompareConfig, SolverConfig, TrainConfig, ExecutionConfig)
        configs = configure(kinds, named, options)
        problem, settings = self.problem_for(data)
        chosen = [configs[kind] for kind in kinds]
        watch = Watch(progress or Quiet(), stop or Stop())
        with Comparison(run_dir, settings, *chosen, problem=problem) as work:
            cells = work.prepare(watch)
            crew.run(work, watch)
            text = outcomes.write(work, cells, watch)
        return Outcome(text, Path(run_dir))

    def report(
        self, path: str | Path | None = None, outcome: Outcome | None = None
    ) -> Path:
        """Writes one HTML page of the search, and of a comparison.

        Args:
            path: Where it goes; `report.html` in the run folder if None.
            outcome: Of a comparison.

        Raises:
            InputError: the search has no run folder, or the page cannot be written.
        """
        if self.run_dir is None:
            raise InputError(
                "A report reads the search's run folder, and this search has none. "
                "Search with run_dir=."
            )
        path = Path(path or self.run_dir / "report.html")
        page.write(self.run_dir, outcome.folder if outcome else None, path)
        return path


def _budget_texts(options: dict[str, Any]) -> list[str]:
    """Takes the budgets out of the options, as `--budgets` has them.

    >>> _budget_texts({"ratio": [0.25, 0.5], "params": 600_000, "epochs": 3})
    ['params=600000', 'ratio=0.25', 'ratio=0.5']
    """
    texts = []
    for name in [*BUDGETS.names(), "ratio"]:
        values = options.pop(name, ())
        several = isinstance(values, (list, tuple, range))
        for value in values if several else (values,):
            if not isinstance(value, numbers.Real):
                raise InputError(
                    f"{name} is a number or a list of numbers; got {value!r}."
                )
            texts.append(f"{name}={value:.10g}")
    return texts


def load(run_dir: str | Path) -> Search:
    """The search that a run folder holds.

    Raises:
        InputError: no run folder, or a damaged one.
    """
    record = read_search(run_dir)
    return Search(
        record,
        python_models.saved(record.architecture, run_dir),
        run_dir=Path(run_dir),
        settings=settings_in(run_dir),
    )


def search(
    model: Any = "vgg11",
    data: Any = "digits",
    *,
    run_dir: str | Path | None = None,
    progress: Meter | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> Search:
    """Searches how every layer's width grows with the network (algorithm 4).

    Args:
        model: An architecture's name, an `Architecture`, or any functional or
            sequential `keras.Model`.
        data: A data set's name; a `Dataset` (`ns_tf.from_arrays`); a pair of arrays
            (images, labels), or two, to train and to test; a finite `tf.data.Dataset`
            of (image, label), in any order.
        run_dir: Where it is kept; the same call continues it after a kill. None keeps
            nothing.
        progress: `ns_tf.Progress()` shows how far it has come; None shows nothing.
        stop: Asked at every step whether to stop (`ns_tf.run.stop.Stop`).
        **options: Fields of `SearchConfig`, `DataConfig`, `PruneConfig` and
            `RuntimeConfig`: `ratio=0.25, iterations=2, pretrain_epochs=5, seed=1,
            data_dir=...`; the defaults are the paper's.

    Raises:
        InputError: what was asked for cannot be done, in one line.
        RunError: the loss is not finite.
    """
    architecture = python_models.architecture(model, run_dir)
    dataset = python_data.dataset(data)
    named = {
        "architecture": architecture.name if architecture else model,
        "dataset": dataset.name if dataset else data,
    }
    configs = configure(SEARCH_CONFIGS, named, options)
    run = SearchRun(configs, architecture=architecture, dataset=dataset)
    record = run.run(run_dir, Watch(progress or Quiet(), stop or Stop()))
    return Search(
        record,
        run.problem.architecture,
        run_dir=Path(run_dir) if run_dir else None,
        problem=run.problem,
        settings=problem_config(configs),
    )
