"""Cells of a comparison that are pruned from a trained network, and what they leave."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ns_tf import budgets
from ns_tf.base import InputError, Widths
from ns_tf.compare.cells import FINETUNE, Cell
from ns_tf.compare.proposals import targets_of
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.weights import Key
from ns_tf.plan.config import SolverConfig, budget_config
from ns_tf.plan.methods.pruned import smaller
from ns_tf.problem.problem import Problem
from ns_tf.prune.choices import Choices
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.job import PruneJob, bits_in, scores_name
from ns_tf.prune.method import CHANNEL, NONZERO, WEIGHT
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.settings import PRUNERS, Configs
from ns_tf.prune.source import TrainedNetwork, fingerprint, kept_from, law_name
from ns_tf.prune.targets import Budgets, has_shares
from ns_tf.run import files
from ns_tf.run.folder import SCORED
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.grid import text
from ns_tf.train import recipes

if TYPE_CHECKING:
    from ns_tf.compare.jobs import Jobs

LAW = "law"  # The allocation that reads a search.
# Flags of `ns_tf.prune` that errors name: what a row has in their place.
_IN_ROWS = {
    "--level": "@LEVEL behind the method, and nothing for channels",
    "--allocation": "+ALLOCATION",
    "--repair": "+REPAIR",
    "--recipe": "+RECIPE",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Left:
    """What is left of a network that lost whole blocks or single weights.

    Args:
        folder: Of the pruned network.
        pruner: Of the whole network, without budgets; its weights are fresh.
        units: What `pruned.json` has as widths: of each block whether it is there, or
            of each kernel how many weights are left.
        nonzero: Weights that are not zero; None where all that are left may be.
    """

    folder: Path
    pruner: Pruner
    units: Widths
    nonzero: int | None

    @functools.cached_property
    def _network(self) -> tuple[Problem, Widths]:
        """The network that is left, and its widths."""
        # Zeros change no network, so which weights are left is not read for it.
        whole = np.ones(self.pruner.size, bool)
        return self.pruner.left(self.keep if self.pruner.listed else whole)

    @property
    def problem(self) -> Problem:
        """The network that is left as a function of its widths, and its data."""
        return self._network[0]

    @property
    def widths(self) -> Widths:
        """Of that network."""
        return self._network[1]

    @functools.cached_property
    def keep(self) -> np.ndarray:
        """[n] bool: the units that are left.

        Raises:
            InputError: the list of single weights is missing or damaged.
        """
        if self.pruner.listed:
            return np.array(self.units, bool)
        return bits_in(self.folder, self.pruner.size)

    @property
    def name(self) -> str:
        """What tells its network from others of its widths; zeros change no network."""
        if self.nonzero is not None:
            return ""
        return "@blocks-" + "".join(map(str, self.units))

    def part(self) -> str:
        """As of `ns_tf.train.job.Job`."""
        return hashlib.sha256(np.packbits(self.keep).tobytes()).hexdigest()[:16]

    def masks(self) -> Mapping[Key, np.ndarray]:
        """As of `ns_tf.train.job.Job`."""
        return self.pruner.masks(self.keep)

    def fresh(self) -> keras.Model:
        """The network with fresh weights."""
        return self.pruner.fresh(self.keep)


def reads_search(cell: Cell) -> bool:
    """Whether a cell is pruned to widths by the law of a search."""
    return cell.kind == FINETUNE and Choices.parse(cell.start).allocation == LAW


def units_in(path: Path) -> dict[str, Any] | None:
    """What a `pruned.json` says of the units that are left; None before it is there.

    Args:
        path: Of the file.

    Returns:
        Names, widths and level; where no channels went also the method, and of single
        weights how many are not zero.

    Raises:
        InputError: it is damaged.
    """
    if not path.exists():
        return None
    with files.readable(path, "pruned network"):
        told = files.read_json(path, what="pruned network", version=1)
        found = {name: tuple(told[name]) for name in ("names", "widths")}
        found["level"] = level = told.get("level", CHANNEL)
        if level != CHANNEL:
            found["method"] = told["method"]
            counted = level == WEIGHT
            found["nonzero"] = int(told["costs"][NONZERO]) if counted else None
        return found


def left_in(jobs: "Jobs", folder: Path, told: Mapping[str, Any]) -> Left:
    """What is left of the network that is compared, once blocks or weights went.

    Args:
        jobs: Of the comparison.
        folder: Of the pruned network.
        told: What `units_in` says of it.
    """
    cut = CutConfig(method=told["method"], level=told["level"])
    source = _source(jobs, jobs.fresh, jobs.as_trained)
    problem = kept_from(source, jobs.solver.keep, fixed=True)
    pruner = PRUNERS[cut.level](source.model, problem, cut, Budgets({}, {}, {}))
    return Left(folder, pruner, told["widths"], told["nonzero"])


def check(jobs: "Jobs", cell: Cell) -> None:
    """Refuses a cell that cannot be pruned so, before anything is written.

    Args:
        jobs: Of the comparison.
        cell: Of kind FINETUNE.

    Raises:
        InputError: a recipe of fresh weights, a layer that the method cannot read, or
            options that do not go together.
    """
    recipe = Choices.parse(cell.start).recipe
    if recipe is not None and recipes.parse(recipe)[0].fresh:
        raise InputError(
            f"{cell.method}: training from fresh weights is a row of its own, "
            "beside the pruned one: --methods=pruned:taylor_fo,scratch."
        )
    try:
        _job(jobs, cell, jobs.fresh, network="").check()
    except InputError as error:
        found = [
            f"{flag} is {own}" for flag, own in _IN_ROWS.items() if flag in str(error)
        ]
        hint = f" In a row {'; '.join(found)}." if found else ""
        raise InputError(f"{cell.method}: {error}{hint}") from error


def prune_job(jobs: "Jobs", cell: Cell) -> PruneJob:
    """What prunes the trained network of a cell, and trains on.

    Args:
        jobs: Of the comparison.
        cell: Of kind FINETUNE.

    Raises:
        InputError: the trained network is missing or damaged.
    """
    path = jobs.needed(cell)
    with files.readable(path, "trained network"):
        trunk = keras.saving.load_model(path, compile=False)
    return _job(jobs, cell, trunk, network=fingerprint(trunk))


def _job(jobs: "Jobs", cell: Cell, trunk: keras.Model, network: str) -> PruneJob:
    """The pruning of a trained network.

    Args:
        jobs: Of the comparison.
        cell: Of the network that is left.
        trunk: The trained network.
        network: Its fingerprint.
    """
    choices = Choices.parse(cell.start)
    search = _search(jobs, choices)
    targets = smaller(jobs.plain, targets_of(jobs.plain, cell.budget))
    _check_targets(targets)
    cut = CutConfig(
        method=choices.method,
        level=choices.level,
        nonzero=targets.pop(NONZERO, None),
        allocation=choices.allocation,
        repair=choices.repair,
        search=search and law_name(search.state().law),
    )
    settings = _configs(jobs, cell, cut, targets, _tuning(jobs, choices))
    if cell.widths is not None:  # They are as was wished.
        none = dataclasses.asdict(Wishes())
        budget = dataclasses.replace(settings.budget, **none)
        settings = dataclasses.replace(settings, budget=budget)
    source = _source(jobs, trunk, jobs.whole_of(cell))
    pruner = settings.pruner(source, search)
    named = jobs.settings.dataset, source.pixels
    return PruneJob(
        jobs.folder_of(cell),
        jobs.folder / SCORED / scores_name(pruner, network, named),
        pruner,
        settings.tuning,
        settings.made,
        (jobs.settings, cut, settings.tuning, settings.budget, settings.runtime),
        widths=cell.widths,
        test_every_epoch=True,
    )


def _check_targets(targets: Mapping[str, float]) -> None:
    """Refuses budgets that a pruning would take for shares.

    Args:
        targets: Budgets by name, in their own units.

    Raises:
        InputError: names the budget.
    """
    for name, value in targets.items():
        of_shares = name == NONZERO or has_shares(name, budgets.get(name))
        if of_shares and value <= 1:
            raise InputError(
                f"{name}={text(value)} is less than any network has. Give a larger "
                "budget; a share of the network is above 0 and below 1."
            )


def _configs(
    jobs: "Jobs",
    cell: Cell,
    cut: CutConfig,
    targets: Mapping[str, float],
    tuning: FinetuneConfig,
) -> Configs:
    """The settings of a pruning.

    Args:
        jobs: Of the comparison.
        cell: Says the seed.
        cut: Method, level, choices.
        targets: Budgets by name, but for `nonzero`.
        tuning: How what is left is trained.
    """
    solver = _solver(jobs.solver, cut.level)
    budget = budget_config()(**targets, **dataclasses.asdict(solver))
    runtime = jobs.runtime_of(cell)
    return Configs(cut, tuning, budget, runtime, Runtime.of(runtime, jobs.execution))


def _solver(solver: SolverConfig, level: str) -> SolverConfig:
    """How budgets are met: where no channels go, all widths are the network's own.

    That these are allowed, the method `pruned` has seen.
    """
    if level == CHANNEL:
        return solver
    kept = dataclasses.asdict(Wishes(keep=solver.keep))
    device = None if level == WEIGHT else solver.device
    plain = {"round_to": 1, "min_width": 1, "max_width": None, "device": device}
    return dataclasses.replace(solver, **kept, **plain, device_here=False)


def _source(jobs: "Jobs", trunk: keras.Model, problem: Problem) -> TrainedNetwork:
    """A trained network of the comparison, with its data as it takes them."""
    return TrainedNetwork(trunk, problem, jobs.settings.pixels or "normalised")


def _tuning(jobs: "Jobs", choices: Choices) -> FinetuneConfig:
    """How pruned networks are trained on: batch and optimizer are the recipe's."""
    return FinetuneConfig(
        recipe=choices.recipe,
        finetune_epochs=jobs.compare.finetune_epochs,
        finetune_rate=jobs.compare.finetune_rate,
        finetune_schedule=jobs.compare.finetune_schedule,
        finetune_batch=jobs.recipe.batch,
        finetune_momentum=jobs.recipe.momentum,
        finetune_weight_decay=jobs.recipe.weight_decay,
        augmentation=jobs.recipe.augmentation,
    )


def _search(jobs: "Jobs", choices: Choices) -> SearchRecord | None:
    """The search, where its law is read."""
    if choices.allocation != LAW or jobs.search is None:
        return None
    return read_search(jobs.search)
