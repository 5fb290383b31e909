"""Tuning the budget and the recipe of networks along one search's law."""

import dataclasses
from pathlib import Path
from typing import Any

from ns_tf import api, configs, methods, pipeline, plans, runs, trainings, tuning
from ns_tf.base import InputError, RunError, Widths
from ns_tf.progress import Quiet
from ns_tf.search_sources import Sources, check_layers
from ns_tf.space import Space, parse
from ns_tf.tune_config import TuneConfig


class TunedNetworks:
    """Trials are networks of the search: a budget and a recipe each.

    Args:
        folder: The tuning's.
        task: Architecture and data set, where they are not the search's.
        tune: The search, and the hyperparameters.
        budget: What all networks keep to.
        train: The recipe, where the hyperparameters say nothing.
        runtime: Devices and threads of a search by flagfile.
    """

    def __init__(
        self,
        folder: Path,
        task: configs.TaskConfig,
        tune: TuneConfig,
        budget: configs.BudgetConfig,
        train: configs.TrainConfig,
        runtime: configs.RuntimeConfig,
    ):
        self._train = train
        self._given = parse(tune.space) or _default(budget)
        self.space = Space(self._given, tuning.kinds())
        self._entry = methods.Entry.parse("neuralscale")
        self._sources = Sources(
            folder, tune.search, [self._entry], runtime, task.data_dir
        )
        self._source = self._sources.of(self._entry)
        self.task = self._sources.complete(task)
        self.architecture, self.structure, self.dataset = trainings.task(
            self.task, self._sources.architecture(self.task.architecture)
        )
        self._fixed = self._fixed_options(budget)
        self._pending = self._sources.pending()
        self._model: tuning.ScaledHyperModel | None = None
        if self._pending:
            self._check()
        else:
            self._hypermodel()
        member = self.space.members.get("batch")
        for batch in member.ends if member else (train.batch,):
            pipeline.steps_per_epoch(self.dataset, batch)

    def prepare(self, *, progress: type = Quiet, stop: Any = None) -> None:
        """Does the search, if it is not done."""
        for source, search in self._pending.items():
            folder = self._sources.folder_of(source)
            search.go(folder, progress=progress, stop=stop)
        self._hypermodel()

    def source(self) -> dict[str, Any]:
        """What trials depend on that is no flag: the law, and the held-out images."""
        law = self._hypermodel().search.record.state().law
        task = dataclasses.asdict(dataclasses.replace(self.task, data_dir=None))
        return {"alpha": law.alpha.tolist(), "beta": law.beta.tolist(), "task": task}

    def adjust(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values: every network fits its budget."""
        return values

    def recipe(self, values: dict[str, Any]) -> configs.TrainConfig:
        """How the network of these values is trained."""
        return self._hypermodel().recipe(values)

    def find(
        self, values: dict[str, Any], folder: Path, *, progress: type, stop: Any
    ) -> dict[str, Any]:
        """Widths on the law that meet the budget of these values."""
        try:
            return {"widths": list(self._hypermodel().plan_of(values).widths)}
        except InputError as error:  # Of a measured budget: the ends were checked.
            raise RunError(str(error)) from error

    def _hypermodel(self) -> tuning.ScaledHyperModel:
        if self._model is None:
            found = self._sources.read(self._source, self.structure)
            self._model = tuning.ScaledHyperModel(
                self._search(found.seed_widths, found.states),
                self._given,
                train=self._train,
                **self._fixed,
            )
        return self._model

    def _fixed_options(self, budget: configs.BudgetConfig) -> dict[str, Any]:
        """What `Search.plan` takes, but for what is a hyperparameter."""
        given = {**plans.solver_options(budget), **budget.targets}
        if budget.ratio is not None:
            given["ratio"] = budget.ratio
        if tuning.ROUND in self.space.members and given[tuning.ROUND] == 1:
            del given[tuning.ROUND]  # Any other was asked for.
        return given

    def _search(self, widths: Widths, states: tuple = ()) -> api.Search:
        """A search of this network at this task's images and classes."""
        plain = runs.new_search(self.structure, self.dataset.name, widths)
        record = dataclasses.replace(plain, states=states)
        return api.Search(record, None, self.architecture)

    def _check(self) -> None:
        """Refuses, before the search is done, what no law could mend."""
        for found in self._pending.values():
            check_layers(self._source, found.structure.names, self.structure)
        fixed = {**self._fixed, "method": "uniform"}
        search = self._search(self.architecture.widths)
        tuning.ScaledHyperModel(search, self._given, train=self._train, **fixed)


def _default(budget: configs.BudgetConfig) -> dict[str, Any]:
    """The usual space, without what is set by flags."""
    space = dict(tuning.SPACE)
    if budget.targets or budget.ratio is not None:
        del space[tuning.RATIO]
    if budget.round_to != 1:
        del space[tuning.ROUND]
    return space
