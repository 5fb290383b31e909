"""A search and what can be made of it: plans, comparisons, reports."""

import dataclasses
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.api.plans import Plan
from ns_tf.api.refined import refined
from ns_tf.base import DescentState, InputError, ScalingLaw
from ns_tf.compare import outcome as outcomes
from ns_tf.compare.arguments import budget_texts, methods_of, seeds_of
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.work import Comparison
from ns_tf.crew import work as crew
from ns_tf.data import python_data
from ns_tf.data.config import DataConfig
from ns_tf.data.python_data import subset
from ns_tf.descend.record import read_search
from ns_tf.descend.start import check_same, take_weights
from ns_tf.descend.work import SEARCH_CONFIGS, SearchRun, configure
from ns_tf.devices.device import Device
from ns_tf.engine.config import ExecutionConfig
from ns_tf.networks import architectures, python_models
from ns_tf.networks.arena import ExactCost
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.plan import Searched
from ns_tf.plan.sources import problem_config
from ns_tf.problem import tasks
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import load_dataset, problem_of, settings_in
from ns_tf.report import page
from ns_tf.run.folder import PREFIX, REPORT
from ns_tf.run.paths import as_path
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a comparison came to; printed, it is a table and a verdict."""

    text: str  # The table and the verdict, in Markdown.
    folder: Path  # The run folder of the comparison.

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Search(Searched):
    """A search: its laws, and a plan for any budget.

    `ns_tf.search` makes one, `ns_tf.load` reads one from a run folder.
    """

    run_dir: Path | None = None  # Its run folder, if it has one.
    # Network and data of the search. None in a loaded one: a folder keeps no data.
    problem: Problem | None = dataclasses.field(default=None, repr=False)
    # The settings that name network and data.
    settings: ProblemConfig | None = dataclasses.field(default=None, repr=False)

    @property
    def iterations(self) -> tuple[DescentState, ...]:
        """The iterations, each with its widths, trace and law."""
        return self.record.states

    @property
    def costs(self) -> Mapping[str, ExactCost]:
        """What networks cost as functions of their widths, by exact budget."""
        return self.record.costs

    def laws(self) -> tuple[ScalingLaw, ...]:
        """The law of every iteration."""
        return tuple(state.law for state in self.record.states)

    def plan(
        self,
        *,
        refine: int = 0,
        data: Any = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> Plan:
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            refine: Candidates that short trainings choose among
                (`ns_tf.plan.refine`); 0 trains none. Trainings are kept in the search's
                run folder, so that the same call goes on after a kill.
            data: As of `ns_tf.search`, for these trainings; the search's own if None.
            progress: `ns_tf.Progress()` shows how far they have come.
            stop: Asked at every step whether to stop.
            **options: As of `ns_tf.plan.plan.Searched.plan`: budgets by name (with
                several, all hold), `ratio`, `method`, `iteration`, `round_to`,
                `min_width`, `max_width`, `keep`, `tie`, `widths_between`,
                `multiple_of`. With `refine`, fields of
                `ns_tf.plan.config.RefineConfig` too: `refine_epochs=6, seed=1`.

        Raises:
            InputError: unknown or impossible budget.
            RunError: no candidate could be trained.
        """
        if isinstance(refine, np.ndarray) or refine:
            watch = Watch(progress or Quiet(), stop or Stop())
            plan = refined(self, {"refine": refine, **options}, data, watch)
        else:
            plan = super().plan(**options)
        fields = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}
        return Plan(**fields, search=self)

    def problem_for(self, data: Any = None) -> tuple[Problem, ProblemConfig]:
        """The network and data of this search, or its network with other data.

        Args:
            data: As of `ns_tf.search`; the search's own if None.

        Returns:
            The problem, and the settings that name network and data. They are the
            search's where the data are: given again, too. Options of the search
            (`train_images`, `validation_fraction`) hold for its own data alone.

        Raises:
            InputError: the data cannot be had, or the network cannot learn them.
        """
        settings = self.settings or ProblemConfig()
        if data is None or (isinstance(data, str) and data == settings.dataset):
            if self.problem is not None:
                return self.problem, settings
            if settings.dataset is None or settings.dataset.startswith(PREFIX):
                raise InputError(
                    "The search had its data from Python, so no folder keeps them. "
                    "Give them again: plan.train(data), plan(refine=6, data=data)."
                )
            with python_data.named_in_folder(settings.dataset):
                return problem_of(settings, self.architecture), settings
        known = dataclasses.asdict(settings)
        dataset, own = python_data.again(data, settings.dataset, known, {})
        if dataset is None:
            place = settings.data_dir
            dataset = load_dataset(DataConfig(dataset=data, data_dir=place))
        architecture = self.architecture or architectures.get(self.record.architecture)
        task = tasks.get(settings.task) if settings.task else None
        problem = Problem.of(architecture, dataset, task)
        if own:
            return problem, settings  # The search's own data, given again.
        settings = ProblemConfig(
            architecture=architecture.name,
            dataset=dataset.name,
            task=settings.task,
            data_dir=settings.data_dir,
        )
        return problem, settings

    def compare(
        self,
        methods: str | Sequence[str] = ("uniform", "morphnet", "neuralscale"),
        *,
        run_dir: str | Path,
        seeds: int | Sequence[int] = 3,
        data: Any = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> Outcome:
        """Trains networks of several methods at equal budgets, by one recipe.

        Each method gets a network at each budget, trained from each seed.

        Args:
            methods: As `--methods` has them: "uniform", "neuralscale@1"; several in a
                list, or in a text with commas.
            run_dir: Where the comparison is kept; the same call goes on there.
            seeds: How many trainings a cell has, or their seeds.
            data: As of `ns_tf.search`; the search's own if None.
            progress: `ns_tf.Progress()` shows how far it has come.
            stop: Asked at every step whether to stop.
            **options: Budgets, each a number or a list (`ratio=[0.25, 0.5]`,
                `params=600_000`), and fields of `CompareConfig`, `SolverConfig`,
                `TrainConfig` and `ExecutionConfig`.

        Returns:
            The table with mean and spread over the seeds, and the verdict.

        Raises:
            InputError: what was asked for cannot be done, in one line.
        """
        if self.run_dir is None:
            raise InputError(
                "A comparison reads the search's run folder, and this search has none. "
                "Search with run_dir=."
            )
        texts = budget_texts(options)
        named: dict[str, Any] = {
            "search": str(self.run_dir),
            "methods": methods_of(methods),
            "seeds": seeds_of(seeds),
        }
        if texts:
            named["budgets"] = tuple(texts)
        kinds = (CompareConfig, SolverConfig, TrainConfig, ExecutionConfig)
        configs = configure(kinds, named, options)
        problem, settings = self.problem_for(data)
        chosen = [configs[kind] for kind in kinds]
        watch = Watch(progress or Quiet(), stop or Stop())
        run_dir = as_path(run_dir, "run_dir")
        with Comparison(run_dir, settings, *chosen, problem=problem) as work:
            cells = work.prepare(watch)
            crew.run(work, watch)
            text = work.workers.told(lambda: outcomes.write(work, cells, watch))
        return Outcome(text, run_dir)

    def report(
        self,
        path: str | Path | None = None,
        outcome: Outcome | None = None,
        device: Device | str | Path | None = None,
    ) -> Path:
        """Writes one HTML page of the search, and of a comparison.

        Args:
            path: Where it goes; `report.html` in the run folder if None.
            outcome: Of a comparison; the page is of the search alone if None.
            device: A device file (`python -m ns_tf.measure`), by whose tables the page
                plans for milliseconds, too.

        Returns:
            The path of the page.

        Raises:
            InputError: the search has no run folder, the device file is of another
                network, or the page cannot be written.
        """
        if path is not None:
            as_path(path, "path")
        if self.run_dir is None:
            raise InputError(
                "A report reads the search's run folder, and this search has none. "
                "Search with run_dir=."
            )
        if not isinstance(outcome, Outcome | None):
            raise InputError(
                f"outcome is what compare returns; got {reprlib.repr(outcome)}."
            )
        path = Path(path or self.run_dir / REPORT)
        compared = outcome.folder if outcome else None
        page.write(self.run_dir, compared, path, device)
        return path


def load(run_dir: str | Path) -> Search:
    """The search that a run folder holds.

    Args:
        run_dir: The folder of `ns_tf.search` or of `python -m ns_tf.descend`.

    Raises:
        InputError: no run folder, or a damaged one.
    """
    run_dir = as_path(run_dir, "run_dir")
    record = read_search(run_dir)
    return Search(
        record,
        python_models.saved(record.architecture, run_dir, record.input_shape),
        run_dir=run_dir,
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
            sequential `keras.Model`. With `pretrain_epochs=0` the search begins with
            the weights of such a model (`weights="own"`), at its own widths, with its
            pixels as `ns_tf.trained` finds them, for one iteration. Else it begins with
            fresh weights.
        data: A data set's name; a `Dataset` (`ns_tf.from_arrays`); arrays
            (inputs, targets) or (inputs, targets, weights), or two such tuples, to
            train and to test; a finite `tf.data.Dataset` of such elements, in any
            order. Several inputs or outputs are dictionaries by name, or tuples.
        run_dir: Where it is kept; the same call continues it after a kill. None keeps
            nothing.
        progress: `ns_tf.Progress()` shows how far it has come; None shows nothing.
        stop: Asked at every step whether to stop (`ns_tf.run.stop.Stop`).
        **options: Fields of `SearchConfig`, `DataConfig`, `PruneConfig` and
            `RuntimeConfig`: `ratio=0.25, iterations=2, pretrain_epochs=5, seed=1,
            task="regression", data_dir=...`; the defaults are the paper's. And of
            `Wishes`: `keep="stem", tie=[("a", "b")], widths_between={"c": (8, 64)},
            multiple_of={"d*": 8}`.

    Returns:
        The finished search.

    Raises:
        InputError: what was asked for cannot be done, in one line.
        RunError: the loss is not finite.
    """
    given = isinstance(run_dir, np.ndarray) or run_dir
    run_dir = as_path(run_dir, "run_dir") if given else None
    architecture = python_models.architecture(model, run_dir)
    dataset = python_data.dataset(data, **subset(options))
    named = {
        "architecture": architecture.name if architecture else model,
        "dataset": dataset.name if dataset else data,
    }
    configs = configure(SEARCH_CONFIGS, named, options)
    run = SearchRun(configs, architecture=architecture, dataset=dataset)
    if run.start and isinstance(model, keras.Model):
        check_same(model, run.start.model, run_dir)
    elif run_dir and isinstance(model, keras.Model):
        take_weights(model, run.problem.architecture.source, run_dir)
    record = run.run(run_dir, Watch(progress or Quiet(), stop or Stop()))
    return Search(
        record,
        run.problem.architecture,
        run_dir=run_dir,
        problem=run.problem,
        settings=problem_config(configs),
    )
