"""What trains the cells of a comparison: a job for each, all by one recipe."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import Widths
from ns_tf.compare import pruning, supernets
from ns_tf.compare.cells import (
    FINETUNE,
    MEMBER,
    MORPHNET,
    SCRATCH,
    SUPERNET,
    Cell,
)
from ns_tf.compare.condensed import condensed_problem
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.morphing import MorphJob
from ns_tf.compare.pruning import Left
from ns_tf.descend.record import SearchRecord, new_search
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import Structure, analyse
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.prune.job import PruneJob
from ns_tf.prune.method import CHANNEL, WEIGHT
from ns_tf.run.folder import CELLS_FOLDER, KEPT, MODEL, PRUNED
from ns_tf.run.folder import SUPERNET as SUPERNET_FILE
from ns_tf.slim.job import MemberJob, SupernetJob
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig, longer
from ns_tf.train.job import Job, network_config, network_costs
from ns_tf.train.results import has_ended

# By the kind of a cell: what makes its job.
_MADE = {
    FINETUNE: pruning.prune_job,
    SUPERNET: supernets.supernet_job,
    MEMBER: supernets.member_job,
    MORPHNET: MorphJob,
}
# By the kind of a cell that starts from another one: the file that it needs of it.
_NEEDED = {FINETUNE: MODEL, MEMBER: SUPERNET_FILE, MORPHNET: MODEL}


@dataclasses.dataclass(frozen=True, eq=False)
class Jobs:
    """Makes the jobs of a comparison's cells.

    Args:
        folder: The comparison's.
        problem: The network that is compared, its data and task.
        settings: What names them.
        compare: How pruned networks are fine-tuned.
        solver: How budgets are met.
        recipe: Of every training.
        execution_config: Devices and precision,
        execution: and what was made of them.
        search: The run folder of the search that the allocation "law" reads.
    """

    folder: Path
    problem: Problem
    settings: ProblemConfig
    compare: CompareConfig
    solver: SolverConfig
    recipe: TrainConfig
    execution_config: ExecutionConfig
    execution: Execution
    search: Path | None = None

    # Cells.

    def folder_of(self, cell: Cell) -> Path:
        """Where the training of a cell is kept."""
        return self.folder / CELLS_FOLDER / cell.name

    def trunk_of(self, cell: Cell) -> Path:
        """The folder of the cell that a pruned one starts from, or is like."""
        return self.folder / CELLS_FOLDER / cell.trunk

    def needed(self, cell: Cell) -> Path | None:
        """The file of another cell that a cell cannot begin without.

        Args:
            cell: A pruned one needs a trained network, a member its supernet, and one
                that has the widths of a pruned one needs these.
        """
        if cell.trunk is None:
            return None
        name = _NEEDED.get(cell.kind, PRUNED)
        return self.trunk_of(cell) / name

    def all_needed(self, cell: Cell) -> list[Path]:
        """That file, and the list of weights that the other cell left, if it did."""
        path = self.needed(cell)
        if path is None:
            return []
        told = self._told(cell) if path.name == PRUNED else None
        of_weights = told is not None and told["level"] == WEIGHT
        return [path, *[path.parent / KEPT] * of_weights]

    def widths(self, cell: Cell) -> Widths | None:
        """The free widths of a cell's network, as `problem_of` has them.

        None before they follow from another cell.

        Raises:
            InputError: the file that they are in is damaged.
        """
        if cell.epitomes is not None:
            return self.problem_of(cell).architecture.widths
        if cell.widths is not None:
            return cell.widths
        left = self.left(cell)
        if left:
            return left.widths
        told = self._told(cell)
        return told and told["widths"]

    def _told(self, cell: Cell) -> dict[str, Any] | None:
        """Names, widths and level of what follows from another cell; None before.

        Raises:
            InputError: the file that they are in is damaged.
        """
        own = cell.kind == FINETUNE
        path = self.folder_of(cell) / PRUNED if own else self.needed(cell)
        if path not in self._tolds:
            told = pruning.units_in(path)
            if told is None:
                return None
            self._tolds[path] = told
        return self._tolds[path]

    def left(self, cell: Cell) -> Left | None:
        """What is left where whole blocks or single weights went; None elsewhere.

        None also before it follows from the cell itself, or from the one that it is
        like.

        Raises:
            InputError: a file is damaged.
        """
        if cell.widths is not None or cell.kind not in (FINETUNE, SCRATCH):
            return None
        told = self._told(cell)
        if told is None or told["level"] == CHANNEL:
            return None
        own = cell.kind == FINETUNE
        folder = self.folder_of(cell) if own else self.trunk_of(cell)
        if folder not in self._lefts:
            self._lefts[folder] = pruning.left_in(self, folder, told)
        return self._lefts[folder]

    def units(self, cell: Cell) -> Widths | None:
        """What tables have as the widths of a cell; None before they are known.

        Where kernels are made of epitomes they are those of the kernels, and where
        blocks or weights went what is left of these.
        """
        left = self.left(cell)
        return left.units if left else cell.widths or self.widths(cell)

    def network_of(self, cell: Cell) -> str:
        """The name of a cell's network, but for the widths; its widths are known."""
        left = self.left(cell)
        return cell.network + (left.name if left else "")

    def costs(self, cell: Cell) -> dict[str, int]:
        """What the network of a cell costs, by exact budget; its widths are known."""
        return network_costs(self.problem_of(cell).structure, self.widths(cell))

    def build(self, cell: Cell) -> keras.Model:
        """The network of a cell, with fresh weights; its widths are known.

        Returns:
            Logits `[batch, classes]` of the data set's images.
        """
        return self.problem_of(cell).build(self.widths(cell))

    def exported(self, cell: Cell) -> tuple[Structure, Widths] | None:
        """(structure, widths) of what a file of a cell's network holds.

        In files epitomes are the kernels that they make, so it is the network without
        them. None where it is the network itself.
        """
        if cell.epitomes is None:
            return None
        return self._named(cell.architecture).structure, cell.widths

    def problem_of(self, cell: Cell) -> Problem:
        """The network of a cell as a function of its widths, with data and task.

        Widths that are found by pruning are those of the trained network itself, whose
        identity shortcuts stay identities. The builder of an architecture may let the
        two widths of an identity come apart. So it is with members of supernets.
        """
        if cell.kind in (SUPERNET, MEMBER):
            return self.as_trained
        if cell.widths is not None:
            return self._network(cell)
        left = self.left(cell)
        return left.problem if left else self.whole_of(cell)

    def whole_of(self, cell: Cell) -> Problem:
        """The network that a cell's is a part of, where its widths follow from one."""
        if cell.widths is not None:
            return self._network(cell)
        if pruning.reads_search(cell) and not self.solver.keep:
            return self._named(cell.architecture)
        told = None if cell.kind == FINETUNE else self._told(cell)
        if told and told["names"] == self.problem.structure.names:
            return self.problem
        return self.as_trained

    # Jobs.

    def check(self, cell: Cell) -> None:
        """Refuses a cell that cannot be trained, before anything is written.

        Raises:
            InputError: the network, the batch, or how it is pruned.
        """
        if cell.kind == FINETUNE:
            pruning.check(self, cell)
        elif cell.kind == SUPERNET:
            supernets.check(self, cell)
        elif cell.kind == MORPHNET:
            MorphJob(self, cell).check()
        elif cell.kind != MEMBER and self.widths(cell) is not None:
            self._training(cell).check()

    def check_done(self, cell: Cell) -> None:
        """Refuses a control that is done, of other units than are left by now.

        Raises:
            InputError: names its folder.
        """
        if cell.kind == SCRATCH and has_ended(self.folder_of(cell)):
            needed = self.all_needed(cell)
            if self.left(cell) and all(path.exists() for path in needed):
                self._training(cell).check_network()

    def of(self, cell: Cell) -> Job | PruneJob | SupernetJob | MemberJob | MorphJob:
        """The training of a cell: the recipe, or what is made of its trunk.

        Raises:
            InputError: the trunk's network is missing or damaged.
        """
        made = _MADE.get(cell.kind)
        if made is not None:
            return made(self, cell)
        return self._training(cell)

    def recipe_of(self, cell: Cell) -> TrainConfig:
        """The recipe; cells that no table shows are not tested every epoch."""
        return dataclasses.replace(self.recipe, test_every_epoch=cell.shown)

    def _training(self, cell: Cell) -> Job:
        """The training of a cell from fresh weights."""
        problem, widths = self.problem_of(cell), self.widths(cell)
        left = self.left(cell)
        recipe = self.recipe_of(cell)
        if cell.start is not None and recipes.get(cell.start).equal_cost:
            own = network_costs(self.problem.structure, self.plain.default_widths)
            recipe = longer(recipe, own["macs"] / self.costs(cell)["macs"])
        runtime = self.runtime_of(cell)
        return Job(
            self.folder_of(cell),
            problem,
            widths,
            recipe,
            Runtime.of(runtime, self.execution),
            (network_config(self.settings, problem, widths), recipe, runtime),
            start=left and left.fresh,
            masks=left and left.masks,
            part=left and left.part,
        )

    def runtime_of(self, cell: Cell) -> RuntimeConfig:
        """Seed, devices and precision of a cell."""
        own = dataclasses.asdict(self.execution_config)
        return RuntimeConfig(seed=cell.seed, **own)

    # Problems.

    @functools.cached_property
    def plain(self) -> SearchRecord:
        """The record of the network that is compared, without any iteration."""
        problem = self.problem
        widths = problem.architecture.widths
        return new_search(problem.structure, problem.dataset.name, widths)

    @functools.cached_property
    def fresh(self) -> keras.Model:
        """The network of the default widths, not trained."""
        return self.problem.build()

    @functools.cached_property
    def as_trained(self) -> Problem:
        """The network of the default widths as a function of its own free widths."""
        name = self.problem.architecture.name
        own = from_model(self.fresh, name, keep=self.solver.keep)
        return Problem.of(own, self.problem.dataset, self.problem.task)

    @functools.cached_property
    def _tolds(self) -> dict[Path, dict[str, Any]]:
        """What `pruned.json` says, by file; it does not change."""
        return {}

    @functools.cached_property
    def _lefts(self) -> dict[Path, Left]:
        """What is left where blocks or weights went, by folder."""
        return {}

    @functools.cached_property
    def _others(self) -> dict[str, Problem]:
        """Problems by the name of their network."""
        return {self.problem.architecture.name: self.problem}

    def _network(self, cell: Cell) -> Problem:
        """The problem of a cell's architecture, or of its network with epitomes."""
        if cell.epitomes is not None and cell.network not in self._others:
            own = condensed_problem(self._named(cell.architecture), cell)
            self._others[cell.network] = own
        return self._named(cell.network)

    def _named(self, name: str) -> Problem:
        """The problem of an architecture on this comparison's data."""
        if name not in self._others:
            shapes = self.problem.structure.input_shape, self.problem.structure.classes
            structure = analyse(architectures.get(name), *shapes)
            self._others[name] = dataclasses.replace(self.problem, structure=structure)
        return self._others[name]
