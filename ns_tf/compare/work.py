"""A comparison in a folder: its cells are listed, trained by one recipe, and kept."""

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
from ns_tf.crew import trials
from ns_tf.descend.record import new_search
from ns_tf.descend.work import SearchRun
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import architectures, python_models
from ns_tf.networks.structure import analyse
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import Entry, Setting
from ns_tf.plan.sources import Sources, check_layers
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import problem_of
from ns_tf.run import files
from ns_tf.run.folder import CELLS, CELLS_FOLDER, MODEL, RESULT, RunFolder, open_run
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job, network_config, network_costs
from ns_tf.train.results import has_ended, read_failure, write_failure


class Comparison:
    """What is to be compared: checked first, then done, cell by cell.

    Its cells are the pieces of a `ns_tf.crew.work.Work`. It is a context: `prepare`
    takes the folder's lock, and leaving the context gives it back.

    Args:
        run_dir: Where it is kept; the same comparison goes on there.
        task: Architecture and data set; what is not set is the search's.
        compare: Methods, budgets, seeds.
        solver: How budgets are met and latency is measured.
        recipe: Of every training.
        execution: Devices and precision.
        problem: Network and data given in Python, which `task` only names.

    Raises:
        InputError: methods, budgets, network or data that cannot be compared; nothing
            was written.
    """

    label, unit = "compare", "cells"

    def __init__(
        self,
        run_dir: str | Path,
        task: ProblemConfig,
        compare: CompareConfig,
        solver: SolverConfig,
        recipe: TrainConfig,
        execution: ExecutionConfig,
        *,
        problem: Problem | None = None,
    ):
        self.folder = Path(run_dir)
        self.configs = (task, compare, solver, recipe, execution)
        self.compare, self.solver, self.recipe = compare, solver, recipe
        self.execution_config = execution
        self.execution = Execution.of(execution)  # Before TensorFlow starts.
        self.entries = [Entry.parse(text) for text in compare.methods]
        for text in compare.budgets:
            cells.parse_budget(text)
        self.sources = Sources(
            self.folder, compare.search, self.entries, execution, task.data_dir
        )
        self.settings = self.sources.complete(task)
        self.problem = problem or problem_of(
            self.settings, self.sources.architecture(self.settings.architecture)
        )
        self._problems = {self.problem.architecture.name: self.problem}
        self._run: RunFolder | None = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._run is not None:
            self._run.close()

    def prepare(self, watch: Watch | None = None) -> dict[str, Cell]:
        """Does the searches by flagfile that are not finished, and lists the cells.

        Holds the folder's lock until the context of this comparison is left.

        Args:
            watch: Shows the progress of searches, lets them stop.

        Returns:
            The cells by name, in the order of work.

        Raises:
            InputError: another process holds the folder, it belongs to another
                comparison, or a cell cannot be trained; nothing was written.
            RunError: a search failed.
            Interrupted: a signal asked to stop.
        """
        searches = self.sources.pending()
        plan = self._plan(searches)
        self._run = open_run(self.folder, self.configs, "comparison")
        self._run.keep_flags()  # Methods, budgets and seeds may have changed.
        python_models.save(self.problem.architecture, self.folder)
        for source, search in searches.items():
            search.run(self.sources.folder_of(source), watch)
        if searches:
            plan = self._plan({})
        files.write_json(self.folder / CELLS, plan.to_json())
        return plan.asked

    def listed(self) -> bool:
        """Whether cells.json is of these methods, budgets and seeds."""
        return cells.read_kept(self.folder).wanted == self._wanted

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out the cells that are not done, trunks first; None if all are done."""
        listed = cells.read(self.folder)
        names = [name for name, cell in listed.items() if not self.done(cell)]
        # A trunk that is done holds nobody up.
        after = {name: tuple({listed[name].trunk} & set(names)) for name in names}
        return trials.InOrder(after) if after else None

    def counts(self) -> tuple[int, int]:
        """How many cells are done, and how many there are in all."""
        listed = cells.read(self.folder).values()
        return sum(map(self.done, listed)), len(listed)

    def do(self, trial: Any, watch: Watch | None = None) -> float:
        """Trains the cell that a trial of keras-tuner names.

        Returns:
            0.0: the oracle deals out cells and minimises nothing.
        """
        name = trial.hyperparameters.get(trials.NAME)
        self.train_cell(cells.read_kept(self.folder).cells[name], watch)
        return 0.0

    def done(self, cell: Cell) -> bool:
        """Whether the training of a cell is finished or has failed."""
        return has_ended(self.cell_folder(cell))

    def cell_folder(self, cell: Cell) -> Path:
        """Where the training of a cell is kept."""
        return self.folder / CELLS_FOLDER / cell.name

    def costs(self, cell: Cell) -> dict[str, int]:
        """What the network of a cell costs, by exact budget."""
        problem = self._problem(cell.architecture)
        return network_costs(problem.structure, cell.widths)

    def build(self, cell: Cell) -> keras.Model:
        """The network of a cell, with fresh weights.

        Returns:
            Logits `[batch, classes]` of the data set's images.
        """
        return self._problem(cell.architecture).build(cell.widths)

    def train_cell(self, cell: Cell, watch: Watch | None = None) -> None:
        """Trains a cell, or continues it.

        A loss that is not finite is kept as the cell's failure, so that it is not
        trained again; the table counts it.

        Args:
            cell: Of this comparison.
            watch: Shows the progress, lets the training stop.

        Raises:
            InputError: the folder of the cell is damaged or in use.
            Interrupted: a signal asked to stop.
        """
        if self.done(cell):
            return
        try:
            cells_folder = self.folder / CELLS_FOLDER
            if cell.trunk and read_failure(cells_folder / cell.trunk):
                raise RunError(f"{cell.trunk}, which it starts from, failed.")
            self.job(cell).run(watch)
        except RunError as error:
            write_failure(self.cell_folder(cell), error)

    def job(self, cell: Cell) -> Job:
        """The training of a cell: the recipe, or a fine-tuning from its trunk.

        Only the trunk is not tested every epoch: no table shows it.
        """
        problem, start = self._problem(cell.architecture), None
        recipe = dataclasses.replace(self.recipe, test_every_epoch=cell.kind != TRUNK)
        if cell.kind == FINETUNE:
            recipe = dataclasses.replace(
                recipe,
                epochs=self.compare.finetune_epochs,
                rate=self.compare.finetune_rate,
                schedule="constant",
                warmup_epochs=0,
            )
            start = functools.partial(self._start, cell, problem)
        runtime = RuntimeConfig(
            seed=cell.seed, **dataclasses.asdict(self.execution_config)
        )
        return Job(
            self.cell_folder(cell),
            problem,
            cell.widths,
            recipe,
            Runtime.of(runtime, self.execution),
            (network_config(self.settings, problem, cell.widths), recipe, runtime),
            start,
        )

    def _start(self, cell: Cell, problem: Problem) -> keras.Model:
        """The network of a cell, pruned from that of its trunk.

        Raises:
            InputError: the trunk's network is missing or damaged.
        """
        path = self.folder / CELLS_FOLDER / cell.trunk / MODEL
        with files.readable(path, "trained network"):
            trunk = keras.saving.load_model(path, compile=False)
        return methods.get(cell.start).start(trunk, problem.structure, cell.widths)

    def _problem(self, name: str) -> Problem:
        """The problem of an architecture on this comparison's data."""
        if name not in self._problems:
            shapes = self.problem.structure.input_shape, self.problem.structure.classes
            structure = analyse(architectures.get(name), *shapes)
            self._problems[name] = dataclasses.replace(
                self.problem, structure=structure
            )
        return self._problems[name]

    def _plan(self, pending: Mapping[str, SearchRun]) -> CellList:
        """The cells of all methods whose search is there; the others are checked.

        Args:
            pending: Searches by flagfile that are not finished, by source.

        Raises:
            InputError: a method, budget or cell that cannot be.
        """
        problem = self.problem
        structure, architecture = problem.structure, problem.architecture
        plain = new_search(structure, problem.dataset.name, architecture.widths)
        settings = []
        for entry in self.entries:
            source, search = self.sources.of(entry), None
            if source in pending:
                self._check_pending(entry, source, pending[source])
                continue
            if source:
                search = self.sources.read(source, structure)
            settings.append(Setting(entry, structure, plain, self.solver, search))
        known = cells.read_kept(self.folder)
        task = {**dataclasses.asdict(self.settings), "data_dir": None}
        plan = cells.make(
            settings,
            self.compare.budgets,
            self.compare.seeds,
            known,
            task,
            self._wanted,
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
        """Methods, budgets and seeds: what the list of cells follows from."""
        names = ("methods", "budgets", "seeds")
        return {name: list(getattr(self.compare, name)) for name in names}

    def _check_trunks(self, listed: Mapping[str, Cell]) -> None:
        """Refuses cells whose trunk is trained but has no network in its folder.

        That is so in a copy of the records alone.

        Raises:
            InputError: names the trunk and says to delete it.
        """
        for cell in listed.values():
            if cell.trunk is None or self.done(cell):
                continue
            trunk = self.cell_folder(listed[cell.trunk])
            if (trunk / RESULT).exists() and not (trunk / MODEL).exists():
                raise InputError(
                    f"{cell.name} starts from the network that {trunk} had, and there "
                    f"is no {MODEL} in it. Delete {trunk}: it is trained again."
                )

    def _check_pending(self, entry: Entry, source: str, run: SearchRun) -> None:
        """Refuses a method that will not be comparable after its search is done.

        Raises:
            InputError: the search is of another network or of too few iterations, or
                the recipe does not fit the network.
        """
        names = run.problem.structure.names
        check_layers(source, names, self.problem.structure)
        if (entry.iteration or 1) > run.config.iterations:
            raise InputError(
                f"{entry.name}@{entry.iteration}: the search {source} is of "
                f"{run.config.iterations} iterations. Name one of them."
            )
        architecture = self.problem.architecture
        cell = Cell("", "", "", 0, architecture.name, architecture.widths, SCRATCH)
        self.job(cell).check()
