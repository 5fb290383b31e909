"""A search in a run folder: checked first, then done and kept by iteration."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import Architecture, DescentState, InputError, check_widths
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import Dataset
from ns_tf.descend import pictures
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.descent import (
    architecture_descent,
    check,
    checkpoint_of,
    seed_widths,
)
from ns_tf.descend.record import (
    USUAL,
    SearchRecord,
    new_search,
    read_search,
    write_search,
)
from ns_tf.descend.start import Start, check_own, owns
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.engine.workers import Workers
from ns_tf.networks import architectures, python_models
from ns_tf.networks.ratio import floor_ratio
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import load_dataset
from ns_tf.prune.config import PruneConfig
from ns_tf.registry import unknown
from ns_tf.run.folder import DESCENT, LOGS, is_new
from ns_tf.run.option import made
from ns_tf.run.watch import Watch
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes

SEARCH_CONFIGS = (SearchConfig, DataConfig, PruneConfig, RuntimeConfig, Wishes)


class SearchRun:
    """A search that is to be done: checks everything first, then does it.

    Args:
        configs: The settings by class, one of each of `SEARCH_CONFIGS`.
        architecture: The network, if no registered name finds it.
        dataset: The data set, if it comes from Python.

    Raises:
        InputError: network, data and settings that do not go together, or settings
            that record too few removals for a law; nothing was written.

    Attributes: `start` is what a search from a model's own weights begins with, or
    None.
    """

    def __init__(
        self,
        configs: Mapping[type, Any],
        *,
        architecture: Architecture | None = None,
        dataset: Dataset | None = None,
    ):
        self.configs = configs
        self.config = configs[SearchConfig]
        self.prune = configs[PruneConfig]
        # First: TensorFlow takes its number of threads when it starts.
        execution = Execution.of(configs[RuntimeConfig], several=True)
        self.runtime = Runtime.of(configs[RuntimeConfig], execution)
        data = configs[DataConfig]
        dataset = dataset or load_dataset(data)
        architecture = architecture or architectures.get(self.config.architecture)
        task = tasks.get(data.task) if data.task else None
        self.architecture = architecture  # The problem's may be of a fixed length.
        self.problem = Problem.of(architecture, dataset, task)
        architecture = self.problem.architecture  # More layers may be seen through.
        default = architecture.widths
        asked = self.config.widths or floor_ratio(default, self.config.ratio)
        asked = check_widths(architecture, asked)
        layers = self.problem.structure.layers
        self.bounds = bounds_of(configs[Wishes], layers, asked)
        self.widths = seed_widths(asked, self.bounds)
        own = owns(self.config, self.prune, architecture)
        if own:
            check_own(self.config, self.widths, architecture)
        execution.check(lambda: self.problem.build(self.widths))
        check(self.widths, self.prune, self.bounds)
        steps_per_epoch(self.problem.dataset, self.prune.search_batch)
        self.start = Start.of(self.problem, dataset) if own else None

    def run(
        self, run_dir: str | Path | None = None, watch: Watch | None = None
    ) -> SearchRecord:
        """Does the search, or continues the one in the folder.

        Args:
            run_dir: Where it is kept; None keeps nothing.
            watch: Shows progress, lets it stop; its folder is set to `run_dir`.

        Returns:
            The record with all iterations, those of earlier runs among them.

        Raises:
            InputError: the folder belongs to something else, or is damaged; or a worker
                was started otherwise.
            RunError: the loss is not finite, no law can be fitted, or a worker was
                lost.
            Interrupted: a signal asked to stop.
        """
        watch = watch or Watch()
        check_alike(self._workers, self._flags, self.problem.dataset)
        if run_dir is None:
            with self._workers.attended():
                return self._descend(watch, ())
        with run_folder(self._workers, run_dir, self._flags, "search") as folder:
            self._workers.led(lambda: self._keep(folder.path))
            done = ()
            if (folder / DESCENT).exists():
                done = read_search(folder.path).states
            if len(done) < self.config.iterations:
                folder.keep_flags()  # There may be more iterations than before.
            return self._descend(watch.at(folder.path, folder / LOGS), done)

    def check_folder(self, run_dir: str | Path) -> None:
        """Refuses a folder that holds a search of other flags, or something else.

        Args:
            run_dir: The folder; nothing is written to it.

        Raises:
            InputError: it does; names the flags.
        """
        is_new(run_dir, self._flags, "search")

    @property
    def _workers(self) -> Workers:
        """The processes that search together."""
        return self.runtime.execution.workers

    def _keep(self, folder: Path) -> None:
        """Keeps the user's own network in the folder, or sees that it is there."""
        if self.start:
            self.start.keep(folder)
        python_models.save(self.architecture, folder)

    @property
    def _flags(self) -> list[Any]:
        """The settings that the folder keeps as its flags."""
        return list(self.configs.values())

    def _descend(self, watch: Watch, done: Sequence[DescentState]) -> SearchRecord:
        """The iterations after `done`; each is written if the watch has a folder."""
        problem = self.problem
        record = new_search(problem.structure, problem.dataset.name, self.widths)
        wishes = self.configs[Wishes]
        record = dataclasses.replace(record, states=tuple(done), wishes=wishes)
        own = problem.architecture.source is not None
        if own or problem.task.name != USUAL:
            record = dataclasses.replace(record, task=problem.task.name)
        start, runtime = self.start, self.runtime.watched(watch)
        for state in architecture_descent(
            start.problem if start else problem,
            self.widths,
            self.prune,
            runtime,
            iterations=self.config.iterations,
            tolerance=self.config.tolerance,
            done=done,
            bounds=self.bounds,
            start=start.model if start else None,
        ):
            record = dataclasses.replace(record, states=(*record.states, state))
            self._workers.led(functools.partial(_write, runtime.watch, record))
        return record


def _write(watch: Watch, record: SearchRecord) -> None:
    """Draws and writes a search, if it has a folder; its checkpoint goes last."""
    if watch.folder:
        pictures.draw(watch.folder, record)
        write_search(watch.folder, record)
    iteration = record.states[-1].iteration
    watch.checkpoint(checkpoint_of(iteration)).remove()


def configure(
    kinds: Sequence[type], named: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[type, Any]:
    """Settings by class from values by field; other fields have their defaults.

    >>> settings = configure((SearchConfig,), {"ratio": 0.5}, {"iterations": 3})
    >>> settings[SearchConfig].ratio, settings[SearchConfig].iterations
    (0.5, 3)

    Args:
        kinds: The classes of settings.
        named: Values of fields that a function has arguments for.
        options: Values of further fields.

    Raises:
        InputError: a field that no class has, or that both arguments set; a value of
            another type than the field's, or out of range.
    """
    known = {f.name: kind for kind in kinds for f in dataclasses.fields(kind)}
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
        if name in named:
            raise InputError(f"{name} is given twice: as an argument and as an option.")
    values = {**named, **options}
    return {
        kind: made(kind, {n: v for n, v in values.items() if known[n] is kind})
        for kind in kinds
    }
