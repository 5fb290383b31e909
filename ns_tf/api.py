"""The three lines that most people need: `search`, `Search.plan`, `Plan.build`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ns_tf import architectures as networks
from ns_tf import (
    configs,
    datasets,
    descent,
    flagset,
    pipeline,
    plots,
    python_inputs,
    records,
    run_folders,
    scalars,
    structure,
)
from ns_tf.base import Architecture, DescentState, InputError
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.execution import Execution
from ns_tf.plans import Plan, make_plan
from ns_tf.progress import Quiet
from ns_tf.registry import unknown
from ns_tf.runs import (
    Checkpoint,
    SearchRecord,
    new_search,
    read_search,
    write_search,
)
from ns_tf.scaling import floor_ratio

SEARCH_CONFIGS = (
    configs.SearchConfig,
    configs.DataConfig,
    configs.PruneConfig,
    configs.RuntimeConfig,
)


@dataclasses.dataclass(frozen=True)
class Search:
    """A search: its laws, and a plan for any budget."""

    record: SearchRecord
    run_dir: Path | None = None
    architecture: Architecture | None = dataclasses.field(default=None, repr=False)

    @property
    def states(self) -> tuple[DescentState, ...]:
        """The iterations, each with its widths, trace and law."""
        return self.record.states

    def plan(
        self,
        *,
        method: str = "neuralscale",
        iteration: int | None = None,
        ratio: float | None = None,
        round_to: int = 1,
        min_width: int = 1,
        max_width: int | None = None,
        measure: Measure | None = None,
        **targets: float,
    ) -> Plan:
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            method: "neuralscale", or "uniform" or "morphnet" to compare with.
            iteration: Of the search; the last if None.
            ratio: A budget: the parameters of the default network with every width
                times this.
            round_to: Widths are multiples of this.
            min_width: Filters that every layer has at least.
            max_width: Filters that a layer has at most.
            measure: How `latency_ms` is measured.
            **targets: Budgets by name; with several, all hold.

        Raises:
            InputError: unknown or impossible budget.
        """
        for name in targets:
            if name not in BUDGETS.names():
                raise unknown("budget", name, [*BUDGETS.names(), "ratio"])
        return make_plan(
            self.record,
            targets,
            method=method,
            iteration=iteration,
            ratio=ratio,
            round_to=round_to,
            min_width=min_width,
            max_width=max_width,
            measure=measure,
            builder=self.architecture,
        )


def load(run_dir: str | Path) -> Search:
    """The search that a run folder holds.

    Raises:
        InputError: no run folder, or a damaged one.
    """
    record = read_search(run_dir)
    return Search(
        record, Path(run_dir), python_inputs.saved(record.architecture, run_dir)
    )


def search(
    model: Any = "vgg11",
    data: Any = "digits",
    *,
    run_dir: str | Path | None = None,
    progress: type = Quiet,
    stop: Any = None,
    **options: Any,
) -> Search:
    """Searches how every layer's width grows with the network (algorithm 4).

    Args:
        model: An architecture's name, an `Architecture`, or any functional or
            sequential `keras.Model`.
        data: A data set's name; a `Dataset` (`datasets.from_arrays`); a pair of arrays
            (images, labels), or two, to train and to test; a finite `tf.data.Dataset`
            of (image, label), in any order.
        run_dir: Where it is kept; the same call continues it after a kill. None keeps
            nothing.
        progress: `ns_tf.Progress` shows how far it has come.
        stop: Asked at every step whether to stop (`ns_tf.cli.Stop`).
        **options: Fields of `ns_tf.configs`: `ratio=0.25, iterations=2,
            pretrain_epochs=5, seed=1, data_dir=...`; the defaults are the paper's.

    Raises:
        InputError: what was asked for cannot be done, in one line.
        RunError: the loss is not finite.
    """
    architecture = python_inputs.architecture(model, run_dir)
    dataset = python_inputs.dataset(data)
    chosen = _configure(
        {
            "architecture": architecture.name if architecture else model,
            "dataset": dataset.name if dataset else data,
        },
        options,
    )
    run = SearchRun(chosen, architecture=architecture, dataset=dataset)
    return run.go(run_dir, progress=progress, stop=stop)


class SearchRun:
    """A search that is to be done: checks everything first, then does it."""

    def __init__(
        self,
        chosen: dict[type, Any],
        *,
        architecture: Architecture | None = None,
        dataset: pipeline.Dataset | None = None,
    ):
        self.configs = chosen
        self.config = chosen[configs.SearchConfig]
        self.runtime = chosen[configs.RuntimeConfig]
        self.execution = Execution.of(self.runtime)  # Before TensorFlow starts.
        self.architecture = architecture or networks.get(self.config.architecture)
        dataset = dataset or load_dataset(chosen[configs.DataConfig])
        self.structure = structure.analyse(
            self.architecture, dataset.image_shape, dataset.classes
        )
        self.dataset = pipeline.for_network(dataset, self.structure.scales_pixels)
        default = self.architecture.widths
        self.widths = self.config.widths or floor_ratio(default, self.config.ratio)
        # Refuses what cannot be done, before anything is written.
        prune = chosen[configs.PruneConfig]
        self.execution.check(lambda: self.structure.build(self.widths))
        descent.check(self.widths, prune)
        pipeline.steps_per_epoch(self.dataset, prune.search_batch)

    def go(self, run_dir=None, *, progress: type = Quiet, stop: Any = None) -> Search:
        """Does the search, or goes on with it; keeps it in `run_dir`, if given."""
        if run_dir is None:
            record = self._descend(progress, (), None, stop)
            return Search(record, None, self.architecture)
        with run_folders.open_run(run_dir, **self._flags) as folder:
            python_inputs.save(self.architecture, folder.path)
            done = ()
            if (folder / "descent.json").exists():
                done = read_search(folder.path).states
            if len(done) < self.config.iterations:  # Which may be more than before.
                folder.keep_flags(self._flags["flagfile_text"])
            progress = scalars.logged(progress, folder / "logs")
            record = self._descend(progress, done, folder.path, stop)
        return Search(record, Path(run_dir), self.architecture)

    def check_folder(self, run_dir: str | Path) -> None:
        """Refuses a folder that holds another search, or something else.

        Raises:
            InputError: it does.
        """
        run_folders.is_new(Path(run_dir), what="search", **self._flags)

    @property
    def _flags(self) -> dict[str, Any]:
        """This search's flags, and how they compare with those of a run folder."""
        return {
            "flagfile_text": flagset.as_flagfile(self.configs.values()),
            "compare": flagset.comparison(*self.configs),
        }

    def _descend(self, progress, done, folder: Path | None = None, stop=None):
        record = new_search(self.structure, self.dataset.name, self.widths)
        record = dataclasses.replace(record, states=tuple(done))
        checkpoint = self._checkpoints(folder, stop)
        for state in descent.architecture_descent(
            self.structure,
            self.widths,
            self.dataset,
            self.configs[configs.PruneConfig],
            iterations=self.config.iterations,
            tolerance=self.config.tolerance,
            seed=self.runtime.seed,
            execution=self.execution,
            progress=progress,
            checkpoint=checkpoint,
            done=done,
        ):
            record = dataclasses.replace(record, states=(*record.states, state))
            if folder:
                draw(folder, record)
                write_search(folder, record)
                checkpoint(state.iteration).remove()
        return record

    def _checkpoints(self, folder: Path | None, stop) -> Callable[[int], Checkpoint]:
        def checkpoint(iteration: int) -> Checkpoint:
            name = f"prune_{iteration:02d}.npz"
            path = folder / "checkpoints" / name if folder else None
            return Checkpoint(path, seconds=self.runtime.checkpoint_seconds, stop=stop)

        return checkpoint


def draw(folder: Path, record: SearchRecord) -> None:
    """Draws the last state's growth and the widths of all iterations."""
    (folder / "plots").mkdir(exist_ok=True)
    state = record.states[-1]
    name = f"growth_{state.iteration:02d}.png"
    with records.replacing(folder / "plots" / name) as file:
        plots.growth(state.trace, state.law, record.names, file)
    widths = [s.widths for s in record.states] + [state.scaling.widths]
    with records.replacing(folder / "plots" / "widths.png") as file:
        plots.descent(widths, record.names, file)


def load_dataset(config: configs.DataConfig) -> pipeline.Dataset:
    """The data set that the settings name."""
    return datasets.load(
        config.dataset,
        data_dir=config.data_dir,
        image_size=config.image_size,
        validation_fraction=config.validation_fraction,
        seed=config.split_seed,
    )


def _configure(given: dict[str, Any], options: dict[str, Any]) -> dict[type, Any]:
    """The config objects, with these fields set.

    Raises:
        InputError: a field that does not exist, or is given twice.
    """
    known = {f.name: c for c in SEARCH_CONFIGS for f in dataclasses.fields(c)}
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
        if name in given:
            raise InputError(f"{name} is given twice: as an argument and as an option.")
    named = {**given, **options}
    return {
        c: c(**{n: v for n, v in named.items() if known[n] is c})
        for c in SEARCH_CONFIGS
    }
