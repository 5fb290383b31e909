"""Tuning the budget and the recipe of networks along the law of one search."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ns_tf.base import InputError, RunError, Widths
from ns_tf.data.batches import steps_per_epoch
from ns_tf.descend.record import new_search
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.workers import ALONE, Workers
from ns_tf.plan import plan
from ns_tf.plan.config import BudgetConfig
from ns_tf.plan.methods import Entry
from ns_tf.plan.plan import Searched
from ns_tf.plan.sources import Sources, check_layers
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.resolve import problem_of
from ns_tf.run.watch import Watch
from ns_tf.scaling.config import Wishes
from ns_tf.train.config import TrainConfig
from ns_tf.tune import hypermodel
from ns_tf.tune import space as tune_space
from ns_tf.tune.config import TuneConfig
from ns_tf.tune.hypermodel import RATIO, ROUND, SPACE, ScaledHyperModel
from ns_tf.tune.space import Space


class TunedNetworks:
    """Trials are networks on the law of a search: a budget and a recipe each.

    Args:
        folder: The run folder of the tuning; a search by flagfile is kept in it.
        task: Architecture and data set, where they are not the search's.
        tune: The search, and the hyperparameters.
        budget: Budgets and grid that hold for all networks.
        train: The recipe, where the hyperparameters say nothing.
        runtime: Devices and threads of a search by flagfile.
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
        self._train, self._workers = train, workers
        asked = tune_space.parse(tune.space)
        # Refuses what cannot be, before data are read.
        Space(asked, hypermodel.kinds())
        self._entry = Entry.parse("neuralscale")
        self._sources = Sources(
            folder, tune.search, [self._entry], runtime, task.data_dir
        )
        self._source = self._sources.of(self._entry)
        self.settings = self._sources.complete(task)
        self.problem = problem_of(
            self.settings, self._sources.architecture(self.settings.architecture)
        )
        self._members = asked or _default(budget, bool(self.problem.dataset.pictures))
        self.space = Space(self._members, hypermodel.kinds())
        self._fixed = self._fixed_options(budget)
        self._pending = self._sources.pending()
        self._model: ScaledHyperModel | None = None
        if self._pending:
            self._check()
        else:
            self._hypermodel()
        member = self.space.members.get("batch")
        for batch in member.ends if member else (train.batch,):
            steps_per_epoch(self.problem.dataset, batch)

    def prepare(self, watch: Watch) -> None:
        """Does the search of a flagfile, if it is not finished.

        Args:
            watch: Shows progress, lets it stop.

        Raises:
            InputError: the law of the search does not reach the budgets of the space.
        """
        for source, search in self._pending.items():
            folder = self._sources.folder_of(source)
            search.run(folder, watch)
        self._hypermodel()

    def source(self) -> dict[str, Any]:
        """What trials depend on beside the flags, as plain values.

        These are the law, and the settings of network and data, of which the place of
        the data is left out.
        """
        law = self._hypermodel().search.record.state().law
        task = dataclasses.asdict(dataclasses.replace(self.settings, data_dir=None))
        return {"alpha": law.alpha.tolist(), "beta": law.beta.tolist(), "task": task}

    def adjust(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, unchanged: every network fits its budget."""
        return values

    def recipe(self, values: dict[str, Any]) -> TrainConfig:
        """How the network of these values is trained (`ScaledHyperModel.recipe`)."""
        return self._hypermodel().recipe(values)

    def find(
        self, values: dict[str, Any], folder: Path, watch: Watch
    ) -> dict[str, Any]:
        """The network of these values: {"widths": filters of every layer}.

        Args:
            values: Of the hyperparameters.
            folder: Of the trial; nothing is kept in it.
            watch: Not used.

        Raises:
            RunError: no network meets a measured budget.
        """
        del folder, watch  # A tuned search uses them.
        # A budget that is measured is met by the chief alone.
        return json.loads(self._workers.told(lambda: self._found(values)))

    def _found(self, values: dict[str, Any]) -> str:
        """What `find` returns, as JSON."""
        try:
            widths = self._hypermodel().plan_of(values).widths
        except InputError as error:  # Exact budgets were checked before.
            raise RunError(str(error)) from error
        return json.dumps({"widths": list(map(int, widths))})

    def _hypermodel(self) -> ScaledHyperModel:
        """Networks on the law; made when it is first used, after the search."""
        if self._model is None:
            record = self._sources.read(self._source, self.problem.structure)
            self._model = ScaledHyperModel(
                self._search(record.seed_widths, record.wishes, record.states),
                self._members,
                train=self._train,
                **self._fixed,
            )
        return self._model

    def _fixed_options(self, budget: BudgetConfig) -> dict[str, Any]:
        """Arguments of `Search.plan` that hold for all networks."""
        fixed = plan.keywords(budget)
        if budget.ratio is not None:
            fixed["ratio"] = budget.ratio
        # 1 is the default of the flag. Any other value collides with a hyperparameter,
        # which the hypermodel refuses.
        if ROUND in self.space.members and fixed[ROUND] == 1:
            del fixed[ROUND]
        return fixed

    def _search(self, widths: Widths, wishes: Wishes, states: tuple = ()) -> Searched:
        """A search of this network at the images and classes of the tuning.

        Args:
            widths: Of the seed network.
            wishes: Of the search.
            states: The iterations; none for a search that is not done.
        """
        plain = new_search(self.problem.structure, self.problem.dataset.name, widths)
        record = dataclasses.replace(plain, states=states, wishes=wishes)
        return Searched(record, self.problem.architecture)

    def _check(self) -> None:
        """Refuses, before the search is done, what no law could make possible.

        Uniform scaling stands for the law: where it cannot meet a budget because of the
        grid or of least widths, no curve can.

        Raises:
            InputError: naming the value.
        """
        for search in self._pending.values():
            check_layers(
                self._source, search.problem.structure.names, self.problem.structure
            )
            fixed = {**self._fixed, "method": "uniform"}
            plain = self._search(search.widths, search.configs[Wishes])
            ScaledHyperModel(plain, self._members, train=self._train, **fixed)


def _default(budget: BudgetConfig, images: bool) -> dict[str, Any]:
    """`SPACE` without what flags set, or what is of images where there are none."""
    space = hypermodel.without_images(SPACE, images)
    if budget.targets or budget.ratio is not None:
        del space[RATIO]
    if budget.round_to != 1:
        del space[ROUND]
    return space
