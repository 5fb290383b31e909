"""Tuning the numbers of a search, judged by the network that it finds."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ns_tf.base import InputError, RunError, Widths
from ns_tf.data.batches import steps_per_epoch
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.descent import check
from ns_tf.descend.record import new_search
from ns_tf.descend.work import SearchRun
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan import sources
from ns_tf.plan.config import BudgetConfig
from ns_tf.plan.plan import Searched, solver_options
from ns_tf.plan.sources import is_flagfile
from ns_tf.plan.targets import with_ratio
from ns_tf.problem.config import ProblemConfig
from ns_tf.prune.config import PruneConfig
from ns_tf.run import flagfile
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.tune import hypermodel, space
from ns_tf.tune.config import TuneConfig
from ns_tf.tune.hypermodel import EPOCHS
from ns_tf.tune.space import Range, Space

SPACE = {
    "pretrain_epochs": (0, 10),
    "filters_per_event": (5, 40),
    "steps_per_event": (10, 100),
}
# What else decides how long a search takes; it stays as it is drawn.
_LONGER = ("search_batch", "stop_fraction", "prune_min_width")
# What is changed in a draw that would take too long, in this order.
_CHEAPER = (("steps_per_event", -1), ("pretrain_epochs", -1), ("filters_per_event", 1))


class TunedSearches:
    """Trials are searches: pruned with other numbers, one budget met, trained.

    No search takes more training steps than the cap. A draw that would is changed:
    fewer steps between removals, then fewer epochs before them, then more filters at
    once.

    Args:
        folder: The tuning's.
        task: The data set's place; the rest is the search's.
        tune: The flagfile of the search, the hyperparameters, the cap.
        budget: What the network that is found may cost.
        train: The recipe.
        runtime: Devices and threads.
    """

    def __init__(
        self,
        folder: Path,
        task: ProblemConfig,
        tune: TuneConfig,
        budget: BudgetConfig,
        train: TrainConfig,
        runtime: RuntimeConfig,
    ):
        if tune.search is None or not is_flagfile(tune.search):
            raise InputError(
                "--tune=search needs the flagfile of a search, as --search=NAME.flags; "
                f"got {tune.search or 'none'}."
            )
        given = dataclasses.replace(task, data_dir=None)
        if given != ProblemConfig():
            raise InputError(
                "With --tune=search architecture and data set are those of the "
                f"flagfile {tune.search}; leave them out, or change it."
            )
        self._train = train
        self.space = Space(
            space.parse(tune.space) or SPACE, space.scalar_options(PruneConfig)
        )
        self._base = sources.settings(tune.search, runtime, task.data_dir)
        for name, member in self.space.members.items():
            for value in member.ends:
                self._prune({name: value})
        run = SearchRun(self._base)
        self.problem = run.problem
        self.settings = sources.problem_config(self._base)
        self._widths, self._iterations = run.widths, run.config.iterations
        self._budget = {**solver_options(budget), **budget.targets}
        self._budget["ratio"] = budget.ratio
        self._cap = tune.max_search_steps or self._steps({})
        self._check()

    def prepare(self, watch: Watch) -> None:
        """Nothing: every trial searches."""

    def source(self) -> dict[str, Any]:
        """What trials depend on that is no flag: the settings in the flagfile."""
        ignored = flagfile.changeable(*self._base)
        text = as_flagfile(self._base.values())
        lines = [line for line in text.split("\n") if line.startswith("--")]
        kept = [line for line in lines if line[2:].partition("=")[0] not in ignored]
        # More iterations are another search here, though not for ns_tf.descend.
        search = self._base[SearchConfig]
        return {"flags": kept, "iterations": search.iterations}

    def adjust(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, changed where their search would take more steps than allowed."""
        values = dict(values)
        for name, sign in _CHEAPER:
            if self._steps(values) <= self._cap:
                break
            if name not in self.space.members:
                continue
            for value in _cheaper(self.space.members[name], values[name], sign):
                values[name] = value
                if self._steps(values) <= self._cap:
                    break
        return values

    def recipe(self, values: Mapping[str, Any]) -> TrainConfig:
        """How the networks are trained."""
        return hypermodel.shortened(self._train, values.get(EPOCHS, self._train.epochs))

    def find(
        self, values: dict[str, Any], folder: Path, watch: Watch
    ) -> dict[str, Any]:
        """Searches with these values; the widths that meet the budget.

        Iterations after the first are done as long as the cap allows.
        """
        used, done, search = 0, 0, None
        for iteration in range(1, self._iterations + 1):
            # By number: one that goes on after a kill may have later states already.
            widths = (
                search.record.states[done - 1].scaling.widths
                if search
                else self._widths
            )
            steps = self._steps_of(values, widths)
            if search and used + steps > self._cap:
                break
            chosen = dict(self._base)
            chosen[PruneConfig] = self._prune(values)
            chosen[SearchConfig] = dataclasses.replace(
                chosen[SearchConfig], iterations=iteration
            )
            try:
                run = SearchRun(
                    chosen,
                    architecture=self.problem.architecture,
                    dataset=self.problem.dataset,
                )
            except InputError as error:  # Of values that do not go together.
                raise RunError(str(error)) from error
            record = run.run(folder / "search", watch)
            search = Searched(record, self.problem.architecture)
            if len(record.states) < iteration:  # It had settled.
                break
            used, done = used + steps, iteration
        try:
            plan = search.plan(iteration=done, **self._budget)
        except InputError as error:  # A law that never comes there.
            raise RunError(str(error)) from error
        return {"widths": list(plan.widths), "search_steps": used}

    def _check(self) -> None:
        """Refuses budgets and hyperparameters that no trial could have."""
        structure = self.problem.structure
        plain = new_search(structure, self.problem.dataset.name, self._widths)
        targets = {n: v for n, v in self._budget.items() if n in plain.costs}
        with_ratio(plain, targets, self._budget["ratio"])
        Searched(plain, self.problem.architecture).plan(
            method="uniform", **self._budget
        )
        ends = {name: member.ends for name, member in self.space.members.items()}
        cheap = {
            name: min(ends[name], key=lambda value, sign=sign: -sign * value)
            for name, sign in _CHEAPER
            if name in ends
        }
        others = [[(n, v) for v in ends[n]] for n in _LONGER if n in ends]
        least = max(
            self._steps({**cheap, **dict(one)}) for one in itertools.product(*others)
        )
        if least > self._cap:
            raise InputError(
                f"A search of this space takes at least {least:,} training steps, the "
                f"cap is {self._cap:,}. Give a larger --max_search_steps, or a --space "
                "with fewer steps per event, fewer epochs or more filters per event."
            )
        for name, values in ends.items():
            for value in values:
                check(self._widths, self._prune({name: value}))
        for batch in ends.get("search_batch", ()):
            steps_per_epoch(self.problem.dataset, batch)
        steps_per_epoch(self.problem.dataset, self._train.batch)

    def _prune(self, values: Mapping[str, Any]) -> PruneConfig:
        fields = {field.name for field in dataclasses.fields(PruneConfig)}
        return dataclasses.replace(
            self._base[PruneConfig],
            **{name: value for name, value in values.items() if name in fields},
        )

    def _steps(self, values: Mapping[str, Any]) -> int:
        """Training steps of all iterations, if each is like the first."""
        return self._iterations * self._steps_of(values, self._widths)

    def _steps_of(self, values: Mapping[str, Any], widths: Widths) -> int:
        prune = self._prune(values)
        epoch = steps_per_epoch(self.problem.dataset, prune.search_batch)
        return prune.steps(widths, epoch)


def _cheaper(member: Any, value: int, sign: int) -> list[int]:
    """The member's values from this one on, in the direction of fewer steps."""
    if isinstance(member, Range):
        values = range(int(member.low), int(member.high) + 1)
    else:
        values = member.values
    return sorted((v for v in values if sign * (v - value) > 0), key=lambda v: sign * v)
