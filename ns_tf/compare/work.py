"""A comparison in a folder: its cells are listed, trained by one recipe, and kept.

Where several workers do every cell together, the chief lists the cells and writes.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner

from ns_tf.base import InputError, RunError
from ns_tf.compare import cells
from ns_tf.compare.cells import SCRATCH, Cell, CellList
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.figures import Figures
from ns_tf.compare.jobs import Jobs
from ns_tf.compare.listing import make
from ns_tf.compare.proposals import parse_budget
from ns_tf.compare.pruning import reads_search
from ns_tf.crew import trials
from ns_tf.crew.work import execution_of
from ns_tf.descend.work import SearchRun
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.networks import python_models
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import Entry, Setting
from ns_tf.plan.sources import Sources, check_layers
from ns_tf.plan.targets import device_for
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import problem_of
from ns_tf.prune import criteria
from ns_tf.run import files
from ns_tf.run.folder import CELLS, PRUNED, RESULT, RunFolder
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import failure_kept
from ns_tf.train.results import has_ended, read_failure, read_result


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
        # Before TensorFlow starts.
        self.execution = execution_of(execution, compare.workers)
        self.workers = self.execution.workers
        self.entries = [Entry.parse(text) for text in compare.methods]
        for text in compare.budgets:
            parse_budget(text)
        self.sources = Sources(
            self.folder, compare.search, self.entries, execution, task.data_dir
        )
        self.settings = self.sources.complete(task)
        self.problem = problem or problem_of(
            self.settings, self.sources.architecture(self.settings.architecture)
        )
        default = self.sources.default
        self.jobs = Jobs(
            self.folder,
            self.problem,
            self.settings,
            compare,
            solver,
            recipe,
            execution,
            self.execution,
            search=default and self.sources.folder_of(default),
        )
        named = solver.device  # Milliseconds are by its tables, in place of measuring.
        self.device = device_for(self.jobs.plain, named) if named else None
        self._held = contextlib.ExitStack()  # The folder, while cells are done.

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._held.__exit__(*exception)

    def prepare(self, watch: Watch | None = None) -> dict[str, Cell]:
        """Does the searches by flagfile that are not finished, and lists the cells.

        Holds the folder's lock until the context of this comparison is left.

        Args:
            watch: Shows the progress of searches, lets them stop.

        Returns:
            The cells by name, in the order of work.

        Raises:
            InputError: another process holds the folder, it belongs to another
                comparison, or a cell cannot be trained; nothing was written. Or a
                worker was started otherwise.
            RunError: a search failed, or a worker was lost.
            Interrupted: a signal asked to stop.
        """
        workers, searches = self.workers, self.sources.pending()
        self._held.enter_context(workers.attended())
        check_alike(workers, self.configs, self.problem.dataset)
        plan = workers.led(lambda: self._plan(searches))
        run = run_folder(workers, self.folder, self.configs, "comparison")
        run = self._held.enter_context(run)
        workers.led(lambda: self._begin(run, plan))
        for source, search in searches.items():
            search.run(self.sources.folder_of(source), watch)
        workers.led(lambda: self._list(self._plan({}) if searches else plan))
        return cells.read(self.folder)

    def _begin(self, run: RunFolder, plan: CellList) -> None:
        """Checks what was done before, and keeps what is compared."""
        self._check_results(plan.asked)
        run.keep_flags()  # Methods, budgets and seeds may have changed.
        python_models.save(self.problem.architecture, self.folder)

    def _list(self, plan: CellList) -> None:
        """Writes the list of cells."""
        files.write_json(self.folder / CELLS, plan.to_json())

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
        return has_ended(self.jobs.folder_of(cell))

    def train_cell(self, cell: Cell, watch: Watch | None = None) -> None:
        """Trains a cell, or continues it.

        A loss that is not finite is kept as the cell's failure, so that it is not
        trained again; the table counts it.

        Args:
            cell: Of this comparison.
            watch: Shows the progress, lets the training stop.

        Raises:
            InputError: the folder of the cell is damaged or in use.
            RunError: a worker was lost.
            Interrupted: a signal asked to stop.
        """
        if self.workers.agree(lambda: self.done(cell)):
            return
        with failure_kept(self.jobs.folder_of(cell), self.workers):
            self.workers.led(lambda: self._check_needed(cell))
            self.jobs.of(cell).run(watch)

    def _check_needed(self, cell: Cell) -> None:
        """Refuses a cell that needs another one which failed.

        Raises:
            RunError: that cell failed before it had what this one needs.
        """
        path = self.jobs.needed(cell)
        if path is not None and not path.exists() and read_failure(path.parent):
            raise RunError(f"{cell.trunk}, which it starts from, failed.")

    def _plan(self, pending: Mapping[str, SearchRun]) -> CellList:
        """The cells of all methods whose search is there; the others are checked.

        Args:
            pending: Searches by flagfile that are not finished, by source.

        Raises:
            InputError: a method, budget or cell that cannot be.
        """
        structure, plain, settings = self.problem.structure, self.jobs.plain, []
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
        plan = make(
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
        self._check_cells(plan.asked, searching=bool(pending))
        self._check_needed_files(plan.asked)
        return plan

    @property
    def _wanted(self) -> dict[str, Any]:
        """Methods, budgets and seeds: what the list of cells follows from."""
        names = ("methods", "budgets", "seeds")
        return {name: list(getattr(self.compare, name)) for name in names}

    def _check_cells(self, listed: Mapping[str, Cell], *, searching: bool) -> None:
        """Refuses cells that cannot be trained.

        Args:
            listed: The cells by name.
            searching: Whether a search is still to be done; what reads it is checked
                afterwards.

        Raises:
            InputError: names what does not go.
        """
        distinct = {
            (c.network, c.widths, c.kind, c.start, c.budget): c for c in listed.values()
        }
        for cell in distinct.values():
            if not (searching and reads_search(cell)):
                self.jobs.check(cell)

    def _check_results(self, listed: Mapping[str, Cell]) -> None:
        """Refuses results that are damaged, or of other networks than the cells are.

        Raises:
            InputError: names the file or the folder.
        """
        for cell in listed.values():
            folder = self.jobs.folder_of(cell)
            if has_ended(folder) and read_failure(folder) is None:
                read_result(folder)
            if (folder / PRUNED).exists():
                files.read_json(folder / PRUNED, what="pruned network", version=1)
            self.jobs.check_done(cell)
        Figures.kept(self)

    def _check_needed_files(self, listed: Mapping[str, Cell]) -> None:
        """Refuses cells that need a file of a cell that is done and has it no more.

        That is so in a copy of the records alone.

        Raises:
            InputError: names the folder and says to delete it.
        """
        for cell in listed.values():
            if self.done(cell):
                continue
            for path in self.jobs.all_needed(cell):
                folder = path.parent
                if path.exists() or not (folder / RESULT).exists():
                    continue
                raise InputError(
                    f"{cell.name} needs what {folder} had, and there is no "
                    f"{path.name} in it. Delete {folder}: it is trained again."
                )

    def _check_pending(self, entry: Entry, source: str, run: SearchRun) -> None:
        """Refuses a method that will not be comparable after its search is done.

        Raises:
            InputError: the search is of another network or of too few iterations, it
                keeps no scores that the method reads, or the recipe does not fit the
                network.
        """
        names = run.problem.structure.names
        check_layers(source, names, self.problem.structure)
        if (entry.iteration or 1) > run.config.iterations:
            raise InputError(
                f"{entry.name}@{entry.iteration}: the search {source} is of "
                f"{run.config.iterations} iterations. Name one of them."
            )
        scores = criteria.get(run.prune.criterion)
        if entry.name == "ranking" and scores.scope != "global":
            raise InputError(
                f"The method ranking needs scores that compare layers, and the search "
                f"{source} has --criterion={scores.name}. Give --criterion=taylor_fo."
            )
        architecture = self.problem.architecture
        cell = Cell("", "", "", 0, architecture.name, architecture.widths, SCRATCH)
        self.jobs.check(cell)
