"""Methods x budgets x seeds, each trained by one recipe and kept as it ends."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import keras

from ns_tf import (
    api,
    architectures,
    cells,
    configs,
    flagset,
    methods,
    python_inputs,
    records,
    runs,
    structure,
    trainings,
)
from ns_tf.base import InputError, RunError
from ns_tf.cells import Cell
from ns_tf.compare_config import CompareConfig
from ns_tf.execution import Execution
from ns_tf.progress import Quiet

FAILURE = "failure.json"
SEARCHES = "searches"


class Comparison:
    """What is to be compared: checked first, then done, cell by cell.

    Args:
        run_dir: Where it is kept; the same comparison goes on there.
        task: Architecture and data set, where they are not the search's.
        compare: Methods, budgets, seeds.
        solver: How budgets are met and latency is measured.
        train: The recipe of every training.
        execution: Devices and precision.
    """

    def __init__(
        self,
        run_dir: str | Path,
        task: configs.TaskConfig,
        compare: CompareConfig,
        solver: configs.SolverConfig,
        train: configs.TrainConfig,
        execution: configs.ExecutionConfig,
    ):
        self.folder = Path(run_dir)
        self.configs = (task, compare, solver, train, execution)
        self.compare, self.solver, self.train = compare, solver, train
        self.execution_config = execution
        self.execution = Execution.of(execution)  # Before TensorFlow starts.
        self.entries = [methods.Entry.parse(text) for text in compare.methods]
        for text in compare.budgets:
            cells.parse_budget(text)
        self.task = self._complete(task)
        self.architecture, self.structure, self.dataset = trainings.task(
            self.task, Path(self.compare.search or ".")
        )

    def prepare(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Cell]:
        """Does the searches that are asked for by flagfile, and lists the cells.

        Returns:
            The cells by name, in the order of work.

        Raises:
            InputError: what was asked for cannot be done; nothing was written.
        """
        sources = [self._source(entry) for entry in self.entries]
        wanted = dict.fromkeys(s for s in sources if s and _is_flagfile(s))
        searches = {s: self._search_run(s) for s in wanted}
        if not searches:
            self._plan(sources)  # Refuses before anything is written.
        text = flagset.as_flagfile(self.configs)
        compare = flagset.comparison(*(type(config) for config in self.configs))
        with records.open_run(
            self.folder, text, compare=compare, what="comparison"
        ) as run:
            python_inputs.save(self.architecture, run.path)
            for source, search in searches.items():
                search.go(self._folder_of(source), progress=progress, stop=stop)
            plan = self._plan(sources)
            records.write_json(run / cells.CELLS, plan.to_json())
        return {cell.name: cell for cell in plan.cells}

    def done(self, cell: Cell) -> bool:
        """Whether the cell needs no more work."""
        folder = self.cell_folder(cell)
        return any((folder / name).exists() for name in (trainings.RESULT, FAILURE))

    def cell_folder(self, cell: Cell) -> Path:
        """Where the training of a cell is kept."""
        return self.folder / "cells" / cell.name

    def costs(self, cell: Cell) -> dict[str, int]:
        """What the network of a cell costs, by exact budget."""
        return trainings.costs(self._structure(cell.architecture), cell.widths)

    def build(self, cell: Cell) -> keras.Model:
        """The network of a cell, with fresh weights."""
        return self._structure(cell.architecture).build(cell.widths)

    def train_cell(self, cell: Cell, *, progress: type = Quiet, stop: Any = None):
        """Trains a cell, or goes on with it; a loss of NaN is a result too."""
        if self.done(cell):
            return
        try:
            if cell.trunk and self._failed(cell.trunk):
                raise RunError(f"{cell.trunk}, which it starts from, failed.")
            self._job(cell).go(progress=progress, stop=stop)
        except RunError as error:
            folder = self.cell_folder(cell)
            folder.mkdir(parents=True, exist_ok=True)
            failure = {"version": 1, "error": str(error)}
            records.write_json(folder / FAILURE, failure)

    def _failed(self, name: str) -> bool:
        return (self.folder / "cells" / name / FAILURE).exists()

    def _job(self, cell: Cell) -> trainings.Job:
        found = self._structure(cell.architecture)
        train = dataclasses.replace(
            self.train, test_every_epoch=cell.kind != cells.TRUNK
        )
        start = None
        if cell.kind == cells.FINETUNE:
            train = dataclasses.replace(
                train,
                epochs=self.compare.finetune_epochs,
                rate=self.compare.finetune_rate,
                schedule="constant",
                warmup_epochs=0,
            )
            start = functools.partial(self._start, cell, found)
        runtime = configs.RuntimeConfig(
            seed=cell.seed, **dataclasses.asdict(self.execution_config)
        )
        network = configs.NetworkConfig(
            **{
                **dataclasses.asdict(self.task),
                "architecture": cell.architecture,
                "widths": cell.widths,
            }
        )
        return trainings.Job(
            self.cell_folder(cell),
            found,
            cell.widths,
            self.dataset,
            train,
            runtime,
            self.execution,
            (network, train, runtime),
            start,
        )

    def _start(self, cell: Cell, found: structure.Structure) -> keras.Model:
        path = self.folder / "cells" / cell.trunk / trainings.MODEL
        with records.readable(path, "trained network"):
            trained = keras.saving.load_model(path, compile=False)
        return methods.get(cell.start).start(trained, found, cell.widths)

    def _structure(self, name: str) -> structure.Structure:
        if name == self.architecture.name:
            return self.structure
        return structure.analyse(
            architectures.get(name), self.dataset.image_shape, self.dataset.classes
        )

    def _plan(self, sources: list[str | None]) -> cells.Plan:
        plain = runs.new_search(
            self.structure, self.dataset.name, self.architecture.widths
        )
        settings = []
        for entry, source in zip(self.entries, sources, strict=True):
            search = self._read_search(source) if source else None
            settings.append(
                methods.Setting(entry, self.structure, plain, self.solver, search)
            )
        known = {}
        if (self.folder / cells.CELLS).exists():
            known = cells.read(self.folder)
        plan = cells.make(settings, self.compare.budgets, self.compare.seeds, known)
        for cell in {c.widths: c for c in plan.cells}.values():
            self._job(cell).check()
        return plan

    def _read_search(self, source: str) -> runs.SearchRecord:
        folder = self._folder_of(source)
        search = runs.read_search(folder)
        if search.names != self.structure.names:
            raise InputError(
                f"{folder} holds a search of {search.architecture}, whose layers are "
                f"not those of {self.architecture.name}; name a search of the network "
                "that is compared."
            )
        return search

    def _source(self, entry: methods.Entry) -> str | None:
        """The search that a method uses: a run folder or a flagfile; None for none."""
        if not methods.get(entry.name).needs_search:
            return None
        source = entry.source or self.compare.search
        if source is None:
            raise InputError(
                f"The method {entry.name} needs a search: give --search=RUN_DIR, or "
                f"name one, as {entry.name}:RUN_DIR."
            )
        if not _is_flagfile(source) and not Path(source).is_dir():
            raise InputError(
                f"There is no search at {source}. Give the run folder of one, or a "
                "flagfile (NAME.flags) to search by."
            )
        return source

    def _folder_of(self, source: str) -> Path:
        if _is_flagfile(source):
            return self.folder / SEARCHES / Path(source).stem
        return Path(source)

    def _search_run(self, source: str) -> api.SearchRun:
        chosen = flagset.read_file(source, *api.SEARCH_CONFIGS)
        here = dataclasses.asdict(self.execution_config)
        chosen[configs.RuntimeConfig] = dataclasses.replace(
            chosen[configs.RuntimeConfig],
            **{name: here[name] for name in ("threads", "checkpoint_seconds")},
        )
        chosen[configs.DataConfig] = dataclasses.replace(
            chosen[configs.DataConfig], data_dir=self.task.data_dir
        )
        return api.SearchRun(chosen)

    def _complete(self, task: configs.TaskConfig) -> configs.TaskConfig:
        """The task, what is left empty taken from the search."""
        source = self.compare.search
        if source is None or not _is_flagfile(source):
            search = trainings.search_in(source) if source else None
            return trainings.completed(task, search, Path(source or self.folder))
        chosen = flagset.read_file(source, *api.SEARCH_CONFIGS)
        searched = {
            **dataclasses.asdict(chosen[configs.DataConfig]),
            "architecture": chosen[configs.SearchConfig].architecture,
        }
        given = dataclasses.asdict(task)
        given |= {n: v for n, v in searched.items() if given[n] is None}
        return dataclasses.replace(task, **given)


def _is_flagfile(source: str) -> bool:
    return source.endswith(".flags")
