"""Methods x budgets x seeds, each trained by one recipe and kept as it ends."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from ns_tf.base import InputError, RunError
from ns_tf.compare import cells
from ns_tf.compare.cells import FINETUNE, SCRATCH, TRUNK, Cell, CellList
from ns_tf.compare.config import CompareConfig
from ns_tf.crew.trials import NAME, InOrder
from ns_tf.descend.record import new_search
from ns_tf.descend.work import SearchRun
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.networks import architectures, python_models
from ns_tf.networks.structure import Structure, analyse
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import Entry, Setting
from ns_tf.plan.sources import Sources, check_layers
from ns_tf.problem import resolve
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.folder import CELLS, MODEL, RESULT, RunFolder, open_run
from ns_tf.run.progress import Quiet
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import (
    Job,
    has_ended,
    network_costs,
    read_failure,
    scratch,
    write_failure,
)


class Comparison:
    """What is to be compared: checked first, then done, cell by cell.

    Its cells are the pieces of a `workers.Work`.

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
        task: ProblemConfig,
        compare: CompareConfig,
        solver: SolverConfig,
        train: TrainConfig,
        execution: ExecutionConfig,
    ):
        self.label, self.unit = "compare", "cells"
        self.folder = Path(run_dir)
        self.configs = (task, compare, solver, train, execution)
        self.compare, self.solver, self.train = compare, solver, train
        self.execution_config = execution
        self.execution = Execution.of(execution)  # Before TensorFlow starts.
        self.entries = [Entry.parse(text) for text in compare.methods]
        for text in compare.budgets:
            cells.parse_budget(text)
        self.sources = Sources(
            self.folder, compare.search, self.entries, execution, task.data_dir
        )
        self.task = self.sources.complete(task)
        self.architecture, self.structure, self.dataset = resolve.task(
            self.task, self.sources.architecture(self.task.architecture)
        )
        self._structures = {self.architecture.name: self.structure}
        self._run: RunFolder | None = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._run is not None:
            self._run.close()

    def prepare(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Cell]:
        """Does the searches that are asked for by flagfile, and lists the cells.

        From now on no other process may prepare in this folder, until this comparison
        is left.

        Returns:
            The cells by name, in the order of work.

        Raises:
            InputError: what was asked for cannot be done; nothing was written.
        """
        searches = self.sources.pending()
        plan = self._plan(searches)
        self._run = open_run(self.folder, self.configs, "comparison")
        self._run.keep_flags()  # Methods, budgets, seeds may be others than before.
        python_models.save(self.architecture, self.folder)
        for source, search in searches.items():
            folder = self.sources.folder_of(source)
            search.go(folder, progress=progress, stop=stop)
        if searches:
            plan = self._plan({})
        files.write_json(self.folder / CELLS, plan.to_json())
        return plan.asked

    def listed(self) -> bool:
        """Whether the cells of these methods, budgets and seeds are known."""
        return cells.read_kept(self.folder).wanted == self._wanted

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out the cells that are not done; None if all are."""
        listed = cells.read(self.folder)
        names = [name for name, cell in listed.items() if not self.done(cell)]
        # Only what is open waits.
        after = {name: tuple({listed[name].trunk} & set(names)) for name in names}
        return InOrder(after) if after else None

    def counts(self) -> tuple[int, int]:
        """How many cells are done, and how many there are."""
        listed = cells.read(self.folder).values()
        return sum(map(self.done, listed)), len(listed)

    def do(self, trial, *, progress: type = Quiet, stop: Any = None) -> float:
        """Trains the cell that a trial names."""
        name = trial.hyperparameters.get(NAME)
        cell = cells.read_kept(self.folder).cells[name]
        self.train_cell(cell, progress=progress, stop=stop)
        return 0.0

    def done(self, cell: Cell) -> bool:
        """Whether the cell needs no more work."""
        return has_ended(self.cell_folder(cell))

    def cell_folder(self, cell: Cell) -> Path:
        """Where the training of a cell is kept."""
        return self.folder / "cells" / cell.name

    def costs(self, cell: Cell) -> dict[str, int]:
        """What the network of a cell costs, by exact budget."""
        return network_costs(self._structure(cell.architecture), cell.widths)

    def build(self, cell: Cell) -> keras.Model:
        """The network of a cell, with fresh weights."""
        return self._structure(cell.architecture).build(cell.widths)

    def train_cell(self, cell: Cell, *, progress: type = Quiet, stop: Any = None):
        """Trains a cell, or goes on with it; a loss of NaN is a result too."""
        if self.done(cell):
            return
        try:
            cells_folder = self.folder / "cells"
            if cell.trunk and read_failure(cells_folder / cell.trunk):
                raise RunError(f"{cell.trunk}, which it starts from, failed.")
            self.job(cell).go(progress=progress, stop=stop)
        except RunError as error:
            write_failure(self.cell_folder(cell), error)

    def job(self, cell: Cell) -> Job:
        """The training of a cell."""
        found = self._structure(cell.architecture)
        train = dataclasses.replace(self.train, test_every_epoch=cell.kind != TRUNK)
        start = None
        if cell.kind == FINETUNE:
            train = dataclasses.replace(
                train,
                epochs=self.compare.finetune_epochs,
                rate=self.compare.finetune_rate,
                schedule="constant",
                warmup_epochs=0,
            )
            start = functools.partial(self._start, cell, found)
        runtime = RuntimeConfig(
            seed=cell.seed, **dataclasses.asdict(self.execution_config)
        )
        return scratch(
            self.cell_folder(cell),
            found,
            cell.widths,
            self.dataset,
            self.task,
            train,
            runtime,
            self.execution,
            start,
        )

    def _start(self, cell: Cell, found: Structure) -> keras.Model:
        path = self.folder / "cells" / cell.trunk / MODEL
        with files.readable(path, "trained network"):
            trained = keras.saving.load_model(path, compile=False)
        return methods.get(cell.start).start(trained, found, cell.widths)

    def _structure(self, name: str) -> Structure:
        if name not in self._structures:
            self._structures[name] = analyse(
                architectures.get(name), self.dataset.image_shape, self.dataset.classes
            )
        return self._structures[name]

    def _plan(self, pending: Mapping[str, SearchRun]) -> CellList:
        """The cells, but of methods whose search is pending: it is only looked at."""
        plain = new_search(self.structure, self.dataset.name, self.architecture.widths)
        settings = []
        for entry in self.entries:
            source, search = self.sources.of(entry), None
            if source in pending:
                self._check_pending(entry, source, pending[source])
                continue
            if source:
                search = self.sources.read(source, self.structure)
            settings.append(Setting(entry, self.structure, plain, self.solver, search))
        known = cells.read_kept(self.folder)
        task = {**dataclasses.asdict(self.task), "data_dir": None}
        asked = self.compare
        plan = cells.make(
            settings, asked.budgets, asked.seeds, known, task, self._wanted
        )
        if not plan.asked and not pending:
            reasons = "; ".join(f"{m} at {b}: {why}" for m, b, why in plan.gaps)
            raise InputError(f"No method can do any budget: {reasons}. Give others.")
        distinct = {(c.architecture, c.widths): c for c in plan.asked.values()}
        for cell in distinct.values():
            self.job(cell).check()
        self._check_trunks(plan.asked)
        return plan

    @property
    def _wanted(self) -> dict[str, Any]:
        """What the cells follow from."""
        names = ("methods", "budgets", "seeds")
        return {name: list(getattr(self.compare, name)) for name in names}

    def _check_trunks(self, asked: Mapping[str, Cell]) -> None:
        """Refuses cells that start from a network which a copy was made without."""
        for cell in asked.values():
            if cell.trunk is None or self.done(cell):
                continue
            trunk = self.cell_folder(asked[cell.trunk])
            trained, kept = ((trunk / name).exists() for name in (RESULT, MODEL))
            if trained and not kept:
                raise InputError(
                    f"{cell.name} starts from the network that {trunk} had, and there "
                    f"is no {MODEL} in it. Delete {trunk}: it is trained again."
                )

    def _check_pending(self, entry, source: str, run: SearchRun) -> None:
        """What can be told of a method before its search is done."""
        check_layers(source, run.structure.names, self.structure)
        if (entry.iteration or 1) > run.config.iterations:
            raise InputError(
                f"{entry.name}@{entry.iteration}: the search {source} is of "
                f"{run.config.iterations} iterations. Name one of them."
            )
        default = self.architecture.widths
        self.job(Cell("", "", "", 0, self.architecture.name, default, SCRATCH)).check()
