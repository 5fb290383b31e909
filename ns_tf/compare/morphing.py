"""MorphNet in a comparison: widths by shrinking and expanding, round after round."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from ns_tf.base import InputError, Widths
from ns_tf.compare.cells import Cell
from ns_tf.compare.proposals import targets_of
from ns_tf.descend.record import new_search
from ns_tf.engine.runtime import Runtime
from ns_tf.networks.from_model import from_model
from ns_tf.plan.config import budget_config
from ns_tf.plan.methods import proportional
from ns_tf.plan.methods.morphnet_gamma import SHRUNK
from ns_tf.plan.targets import solve_joined
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.job import PruneJob, scores_name
from ns_tf.prune.settings import Configs
from ns_tf.prune.source import TrainedNetwork, fingerprint
from ns_tf.run import files
from ns_tf.run.folder import MODEL, PRUNED, RESULT, SCORED, open_run
from ns_tf.run.watch import Watch
from ns_tf.train.job import Job, network_config, network_costs
from ns_tf.train.results import read_result

if TYPE_CHECKING:
    from ns_tf.compare.jobs import Jobs

METHOD = "morphnet"  # The gating.


@dataclasses.dataclass(frozen=True, eq=False)
class MorphJob:
    """The search for the widths of a budget, in a folder of its own.

    A round trains a network, the first one the trunk's; trains on with MorphNet's
    penalty, which shrinks it to half of the budgets; and multiplies the widths that are
    left by the largest number within the budgets. The next round begins with these
    widths and fresh weights.

    Source: Gordon et al., MorphNet, CVPR 2018, algorithm 1. The paper leaves open how
    far a round shrinks: its strength is given.

    Args:
        jobs: Of the comparison.
        cell: Says budget, seed, and the number of rounds.
    """

    jobs: "Jobs"
    cell: Cell

    def check(self) -> None:
        """Refuses what cannot be shrunk, before anything is written.

        Raises:
            InputError: several workers, or a network without norms.
        """
        workers = self.jobs.execution.workers.count
        if workers > 1:
            raise InputError(
                f"MorphNet finds widths in one process, not in {workers} together. "
                "Leave the rows morphnet_gamma out, or --workers_at."
            )
        try:
            self._shrinking(1, self.jobs.as_trained.build()).check()
        except InputError as error:
            raise InputError(f"morphnet_gamma: {error}") from error

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Finds the widths, or continues; returns at once if the folder has a result.

        Args:
            watch: Shows progress and requests stops.

        Returns:
            What `result.json` holds.

        Raises:
            RunError: a loss is not finite.
            InputError: the trunk's network is missing or damaged.
            Interrupted: a signal asked to stop; the state was saved.
        """
        folder = self.jobs.folder_of(self.cell)
        with open_run(folder, self._flags, "search of widths") as run:
            if not (folder / RESULT).exists():
                run.keep_flags()
                self._find(watch or Watch())
            return read_result(folder)

    def _find(self, watch: Watch) -> None:
        """Does the rounds, and writes the widths of the last one."""
        rounds, seconds = [], 0.0
        for number in range(1, int(self.cell.start) + 1):
            widths = rounds[-1]["widths"] if rounds else None
            model, spent = self._trained(number, widths, watch)
            told = self._shrinking(number, model).run(watch)
            seconds += spent + sum(told["seconds"].values())
            left = tuple(told["widths"])
            rounds.append({"shrunk": left, "widths": self._expanded(left)})
        folder, names = self.jobs.folder_of(self.cell), self.jobs.as_trained
        found = {"version": 1, "widths": rounds[-1]["widths"]}
        named = {**found, "names": names.structure.names, "rounds": rounds}
        files.write_json(folder / PRUNED, named)
        files.write_json(folder / RESULT, {**found, "seconds": seconds})

    def _trained(
        self, number: int, widths: Widths | None, watch: Watch
    ) -> tuple[keras.Model, float]:
        """The trained network that a round begins with, and the seconds that it took.

        Args:
            number: Of the round, from 1.
            widths: Of the network; None for the trunk.
            watch: Shows progress and requests stops.
        """
        jobs, path, seconds = self.jobs, self.jobs.needed(self.cell), 0.0
        if widths is not None:
            runtime = jobs.runtime_of(self.cell)
            named = network_config(jobs.settings, jobs.as_trained, widths)
            job = Job(
                jobs.folder_of(self.cell) / f"round{number}_trained",
                jobs.as_trained,
                widths,
                jobs.recipe_of(self.cell),
                Runtime.of(runtime, jobs.execution),
                (named, jobs.recipe_of(self.cell), runtime),
            )
            seconds = job.run(watch)["seconds"]
            path = job.folder / MODEL
        with files.readable(path, "trained network"):
            return keras.saving.load_model(path, compile=False), seconds

    def _shrinking(self, number: int, model: keras.Model) -> PruneJob:
        """The shrinking of a trained network to half of what it may cost.

        Args:
            number: Of the round, from 1.
            model: The network.
        """
        jobs, runtime = self.jobs, self.jobs.runtime_of(self.cell)
        dataset, task = jobs.problem.dataset, jobs.problem.task
        own = from_model(model, jobs.problem.architecture.name)
        problem = Problem.of(own, dataset, task)
        costs = network_costs(problem.structure, own.widths)
        targets = {
            name: SHRUNK * min(target, costs[name])
            for name, target in self._targets.items()
        }
        budget = budget_config()(**targets, **dataclasses.asdict(jobs.solver))
        cut, tuning = CutConfig(method=METHOD), FinetuneConfig(finetune_epochs=0)
        made = Runtime.of(runtime, jobs.execution)
        pixels = jobs.settings.pixels or "normalised"
        source = TrainedNetwork(model, problem, pixels)
        pruner = Configs(cut, tuning, budget, runtime, made).pruner(source)
        named = scores_name(pruner, fingerprint(model), (jobs.settings.dataset, pixels))
        return PruneJob(
            jobs.folder_of(self.cell) / f"round{number}_shrunk",
            jobs.folder / SCORED / named,
            pruner,
            tuning,
            made,
            (jobs.settings, cut, tuning, budget, runtime),
        )

    def _expanded(self, shrunk: Sequence[int]) -> Widths:
        """The widths times the largest number at which all budgets hold.

        Args:
            shrunk: What the penalty left, [layers].
        """
        structure = self.jobs.as_trained.structure
        name, widths = self.jobs.problem.dataset.name, structure.architecture.widths
        record = new_search(structure, name, widths)
        curve = proportional(record, shrunk)
        return solve_joined(record, curve, self._targets, self.jobs.solver).widths

    @property
    def _targets(self) -> dict[str, float]:
        """The budgets of the row, in their own units."""
        return targets_of(self.jobs.plain, self.cell.budget)

    @property
    def _flags(self) -> tuple:
        """Settings that the folder keeps as its flags."""
        jobs = self.jobs
        recipe, runtime = jobs.recipe_of(self.cell), jobs.runtime_of(self.cell)
        return (jobs.settings, CutConfig(method=METHOD), recipe, runtime)
