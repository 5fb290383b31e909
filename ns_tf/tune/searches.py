"""Tuning the numbers of a search, judged by the network that it leads to."""

import dataclasses
import itertools
import json
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
from ns_tf.engine.workers import ALONE, Workers
from ns_tf.plan import sources
from ns_tf.plan.config import BudgetConfig
from ns_tf.plan.plan import Searched, keywords
from ns_tf.plan.sources import is_flagfile
from ns_tf.problem.config import ProblemConfig
from ns_tf.prune.config import PruneConfig
from ns_tf.run import flagfile
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.watch import Watch
from ns_tf.scaling.config import Wishes
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
# Also affect the number of steps; never adjusted.
_LONGER = ("search_batch", "stop_fraction", "prune_min_width")
# Adjusted in this order if a draw would take too many steps: name, and the direction
# that takes fewer.
_CHEAPER = (("steps_per_event", -1), ("pretrain_epochs", -1), ("filters_per_event", 1))


class TunedSearches:
    """Trials are searches: each prunes with other numbers and plans for one budget.

    No search takes more training steps than the cap. A draw that would is adjusted:
    fewer steps between removals, then fewer epochs before them, then more filters at
    once.

    Args:
        folder: The run folder of the tuning.
        task: Where the data are; network and data are those of the search.
        tune: The flagfile of the search, the hyperparameters, the cap.
        budget: What the network that is trained may cost.
        train: The recipe of trainings.
        runtime: Devices and threads.
        workers: Who do every trial together.

    Attributes:
        space: The hyperparameters.
        settings: Network and data, complete.
        problem: Network, data and task.

    Raises:
        InputError: no such search, or a space with values that no trial can have.
    """

    def __init__(
        self,
        folder: Path,
        task: ProblemConfig,
        tune: TuneConfig,
        budget: BudgetConfig,
        train: TrainConfig,
        runtime: RuntimeConfig,
        *,
        workers: Workers = ALONE,
    ):
        if tune.search is None or not is_flagfile(tune.search):
            raise InputError(
                "--tune=search needs the flagfile of a search, as --search=NAME.flags; "
                f"got {tune.search or 'none'}."
            )
        if dataclasses.replace(task, data_dir=None) != ProblemConfig():
            raise InputError(
                "With --tune=search architecture and data set are those of the "
                f"flagfile {tune.search}; leave them out, or change it."
            )
        self._train, self._workers = train, workers
        self.space = Space(
            space.parse(tune.space) or SPACE, space.scalar_options(PruneConfig)
        )
        self._base = sources.settings(tune.search, runtime, task.data_dir)
        asked = self._base[SearchConfig]
        if asked.weights is None:  # Trials begin alike, with and without pretraining.
            self._base[SearchConfig] = dataclasses.replace(asked, weights="fresh")
        for name, member in self.space.members.items():
            for value in member.ends:
                self._prune({name: value})
        run = SearchRun(self._base)
        self.problem = run.problem
        self.settings = sources.problem_config(self._base)
        self._widths, self._iterations = run.widths, run.config.iterations
        self._budget = {**keywords(budget), "ratio": budget.ratio}
        self._cap = tune.max_search_steps or self._steps({})
        self._check()

    def prepare(self, watch: Watch) -> None:
        """Does nothing: every trial does its own search."""

    def source(self) -> dict[str, Any]:
        """What trials depend on beside the flags, as plain values.

        These are the settings in the flagfile without those that may change between two
        runs of one search. The number of iterations counts, though: a search with more
        is another trial.
        """
        ignored = flagfile.changeable(*self._base)
        text = as_flagfile(self._base.values())
        lines = [line for line in text.split("\n") if line.startswith("--")]
        lines = [line for line in lines if line[2:].partition("=")[0] not in ignored]
        search = self._base[SearchConfig]
        return {"flags": lines, "iterations": search.iterations}

    def adjust(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, adjusted if their search would take more steps than the cap.

        One after the other, hyperparameters are set to the next cheaper value, as far
        as is needed.

        Args:
            values: Of the hyperparameters; left as they are.
        """
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
        """How the network is trained; in fewer epochs where Hyperband says so."""
        return hypermodel.shortened(self._train, values.get(EPOCHS, self._train.epochs))

    def find(
        self, values: dict[str, Any], folder: Path, watch: Watch
    ) -> dict[str, Any]:
        """Searches with these values and plans for the budget.

        Iterations after the first are done as long as the cap allows.

        Args:
            values: Of the hyperparameters.
            folder: Of the trial; the search is kept below it, and continued there.
            watch: Shows progress, lets it stop.

        Returns:
            "widths" of the network, and "search_steps": training steps of the search.

        Raises:
            RunError: the values do not go together, or the law meets no such budget.
        """
        used, done, search = 0, 0, None
        for iteration in range(1, self._iterations + 1):
            # By number: a search that is continued may already have later states.
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
            except InputError as error:  # The values do not go together.
                raise RunError(str(error)) from error
            record = run.run(folder / "search", watch)
            search = Searched(record, self.problem.architecture)
            if len(record.states) < iteration:  # The widths no longer moved.
                break
            used, done = used + steps, iteration
        # A budget that is measured is met by the chief alone.
        widths = self._workers.told(lambda: self._planned(search, done))
        return {"widths": json.loads(widths), "search_steps": used}

    def _planned(self, search: Searched, iteration: int) -> str:
        """The widths for the budget by an iteration of a search, as JSON.

        Raises:
            RunError: the law meets no such budget.
        """
        try:
            plan = search.plan(iteration=iteration, **self._budget)
        except InputError as error:  # The law reaches no such network.
            raise RunError(str(error)) from error
        return json.dumps(list(map(int, plan.widths)))

    def _check(self) -> None:
        """Passes a space whose values are trials that can be done.

        Raises:
            InputError: a budget that no network meets, a cap below the steps of the
                cheapest search, or a value that cannot be pruned with.
        """
        structure = self.problem.structure
        plain = new_search(structure, self.problem.dataset.name, self._widths)
        plain = dataclasses.replace(plain, wishes=self._base[Wishes])
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
        """The numbers of the pruning: the flagfile's, with these values."""
        fields = {field.name for field in dataclasses.fields(PruneConfig)}
        return dataclasses.replace(
            self._base[PruneConfig],
            **{name: value for name, value in values.items() if name in fields},
        )

    def _steps(self, values: Mapping[str, Any]) -> int:
        """Training steps of all iterations, if each takes as many as the first."""
        return self._iterations * self._steps_of(values, self._widths)

    def _steps_of(self, values: Mapping[str, Any], widths: Widths) -> int:
        """Training steps of an iteration that prunes a network of these widths."""
        prune = self._prune(values)
        epoch = steps_per_epoch(self.problem.dataset, prune.search_batch)
        return prune.steps(widths, epoch)


def _cheaper(member: Any, value: int, sign: int) -> list[int]:
    """Values that take fewer steps, the nearest first.

    >>> _cheaper(Range(3, 7, whole=True), 5, -1), _cheaper(Range(3, 7, True), 5, 1)
    ([4, 3], [6, 7])

    Args:
        member: The hyperparameter.
        value: Its present value.
        sign: -1 if smaller values take fewer steps, 1 if larger ones do.
    """
    if isinstance(member, Range):
        values = range(int(member.low), int(member.high) + 1)
    else:
        values = member.values
    return sorted((v for v in values if sign * (v - value) > 0), key=lambda v: sign * v)
