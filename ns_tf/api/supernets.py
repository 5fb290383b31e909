"""Networks of every width in one set of weights: `supernet(...).fit(...).at(0.5)`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.api.prunings import Trained
from ns_tf.base import InputError, Widths, check_widths
from ns_tf.budgets import exact_costs
from ns_tf.data import python_data
from ns_tf.data.config import DataConfig
from ns_tf.data.python_data import subset
from ns_tf.descend.work import configure
from ns_tf.engine.config import RuntimeConfig
from ns_tf.networks import architectures, python_models
from ns_tf.problem import tasks
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import data_config, data_options, load_dataset
from ns_tf.prune.targets import budgets_of
from ns_tf.run.checks import is_positive
from ns_tf.run.folder import PREFIX
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.solve import at_cost
from ns_tf.slim.config import SWITCHABLE, SupernetConfig
from ns_tf.slim.results import ShareResult, table
from ns_tf.slim.work import Fitted, SupernetRun, joined
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import Epoch


class Supernet:
    """One set of weights that is a network at several widths, or at any.

    Made by `ns_tf.supernet`. `fit` trains it, `at` gives an ordinary `keras.Model`.
    Printed, it says what each share costs and how good it is.

    Args:
        problem: Network and data.
        settings: The settings that name them.
        config: Shares, norms, rule.
    """

    def __init__(
        self, problem: Problem, settings: ProblemConfig, config: SupernetConfig
    ):
        self.problem, self.settings, self.config = problem, settings, config
        self._found: Fitted | None = None

    def fit(
        self,
        *,
        run_dir: str | Path | None = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> "Supernet":
        """Trains all networks at once, from fresh weights.

        Source: Yu et al., Slimmable Neural Networks, ICLR 2019; Yu & Huang, Universally
        Slimmable Networks, ICCV 2019.

        Args:
            run_dir: Where it is kept, each share's network as a training too; the same
                call continues it after a kill. None keeps nothing.
            progress: `ns_tf.Progress()` shows how far it has come.
            stop: Asked at every step whether to stop.
            **options: Fields of `ns_tf.train.config.TrainConfig` and of
                `ns_tf.engine.config.RuntimeConfig`: `epochs=100, rate=0.05, seed=1`.
                Gradients of the networks of a step are added up, so a network without
                batch norms needs a lower rate than it would alone.

        Returns:
            This supernet.

        Raises:
            InputError: what was asked for cannot be done, in one line.
            RunError: a loss is not finite.
        """
        configs = configure((TrainConfig, RuntimeConfig), {}, options)
        run = SupernetRun(
            self._kept(run_dir),
            self.settings,
            self.config,
            configs[TrainConfig],
            configs[RuntimeConfig],
            run_dir=run_dir,
        )
        self._found = run.run(Watch(progress or Quiet(), stop or Stop()))
        return self

    def _kept(self, run_dir: str | Path | None) -> Problem:
        """The problem, with the model of the same settings that a folder keeps.

        Files of the folder use the names of its layers, and Keras numbers unnamed ones
        anew in every process.
        """
        known = self.problem
        if run_dir is None or not known.architecture.name.startswith(PREFIX):
            return known
        kept = python_models.architecture(known.architecture.source, run_dir)
        return Problem.of(kept, known.dataset, known.task)

    @property
    def _fitted(self) -> Fitted:
        """What `fit` found.

        Raises:
            InputError: it was not called.
        """
        if self._found is None:
            raise InputError("The supernet has fresh weights; call fit(...) first.")
        return self._found

    @property
    def shares(self) -> tuple[ShareResult, ...]:
        """Widths, costs and scores of every share."""
        return self._fitted.rows

    @property
    def history(self) -> tuple[Epoch, ...]:
        """Losses and validation score of every epoch, means over the shares."""
        return self._fitted.history

    def __str__(self) -> str:
        return table(self.shares, self.problem.task.score)

    def at(
        self,
        share: float | None = None,
        *,
        widths: Sequence[int] | None = None,
        **budgets: float,
    ) -> keras.Model:
        """The network of a share, of some widths, or the largest within budgets.

        Args:
            share: Multiple of every width: `at(0.5)`.
            widths: Filters of every layer, at most the whole network's, [layers].
            **budgets: As of `ns_tf.Trained.prune`: `macs=0.5`, `params=200_000`; all
                hold. Widths are uniform, but for filters more where they still fit.
                With switchable norms it is the largest of the shares.

        Returns:
            A new model, of plain Keras layers. Statistics of shared norms were measured
            for it, on training images.

        Raises:
            InputError: not one of the three, widths that the supernet does not have, or
                budgets that no network meets.
        """
        given = [share is not None, widths is not None, bool(budgets)]
        if sum(given) != 1:
            raise InputError(
                "Give a share, widths or budgets: at(0.5), at(widths=[...]), "
                "at(macs=0.5)."
            )
        work = self._fitted.training
        if share is not None:
            if not is_positive(share) or share > 1:
                raise InputError(f"A share is above 0 and at most 1; got {share!r}.")
            return work.at(work.network.widths(share))
        return work.at(
            self._checked(widths) if widths is not None else self._within(budgets)
        )

    def _checked(self, widths: Sequence[int]) -> Widths:
        """Widths that the supernet has.

        Raises:
            InputError: too many, too few, or wider ones than the whole network's.
        """
        architecture = self._fitted.training.problem.architecture
        found = check_widths(architecture, widths)
        if any(np.array(found) > architecture.widths):
            raise InputError(
                f"Widths are at most {','.join(map(str, architecture.widths))}, those "
                f"of the whole network; got {','.join(map(str, found))}."
            )
        return found

    def _within(self, budgets: Mapping[str, float]) -> Widths:
        """The largest uniform widths within budgets, filled up where filters fit.

        Raises:
            InputError: no budget, an unknown one, or one that no network meets.
        """
        structure = self._fitted.training.problem.structure
        whole = structure.architecture.widths
        asked = budgets_of(budgets, structure, whole)
        if self.config.norms != SWITCHABLE:
            curve = uniform_curve(whole, float(structure.params(np.array(whole))))
            return at_cost(curve, asked.costs, asked.targets, max_width=whole).widths
        for row in sorted(self.shares, key=lambda row: -row.share):
            costs = {n: asked.costs[n](np.array(row.widths)) for n in asked.targets}
            if all(costs[name] <= most for name, most in asked.targets.items()):
                return row.widths
        least = min(self.shares, key=lambda row: row.share)
        raise InputError(
            f"No share is within the budgets; the smallest, {least.share:g}, has "
            + ", ".join(
                f"{name}={least.costs[name]:,}" for name in exact_costs(structure)
            )
            + ". Ask for more, or train with smaller --shares."
        )

    def trained(self) -> Trained:
        """The whole network as a trained one, to be pruned.

        The widths of AutoSlim (Yu & Huang, 2019) are those of
        `trained().prune(method="last", macs=0.5)`: the last filters of a layer go,
        from the layer where the loss rises least.
        """
        found = self._fitted
        (whole,) = (row for row in found.rows if row.share == 1)
        data = dataclasses.asdict(data_config(self.settings))
        if data.pop("dataset").startswith(PREFIX):
            data = data_options(self.settings)
        return Trained(
            found.training.at(whole.widths),
            whole.test[1],
            found.history,
            found.training.problem,
            data={name: value for name, value in data.items() if value is not None},
        )


def supernet(
    model: Any = "vgg11",
    data: Any = "digits",
    *,
    shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    norms: str = SWITCHABLE,
    **options: Any,
) -> Supernet:
    """Networks of several widths in one set of weights; trains nothing yet.

    The networks are slices of the whole one's weights, the first filters of every
    layer. No layer of a special kind is needed, so any functional model will do.

    Args:
        model: An architecture's name, an `Architecture`, or any functional or
            sequential `keras.Model`; it begins with fresh weights.
        data: As of `ns_tf.search`.
        shares: Multiples of every width that are trained and judged, 1 among them.
        norms: "switchable": each share has batch norms of its own, as in slimmable
            networks. "shared": `at` gives any widths up to the whole network's, and
            measures statistics for them, as in universally slimmable ones.
        **options: Further fields of `ns_tf.slim.config.SupernetConfig` and of
            `ns_tf.data.config.DataConfig`: `rule="sandwich", inplace_distil=True,
            data_dir=...`.

    Raises:
        InputError: what was asked for cannot be done, in one line.
    """
    architecture = python_models.architecture(model, None)
    dataset = python_data.dataset(data, **subset(options))
    kinds = (SupernetConfig, DataConfig)
    named = {
        "shares": shares,
        "norms": norms,
        "dataset": dataset.name if dataset else data,
    }
    configs = configure(kinds, named, options)
    about = configs[DataConfig]
    architecture = architecture or architectures.get(model)
    task = tasks.get(about.task) if about.task else None
    problem = Problem.of(architecture, dataset or load_dataset(about), task)
    return Supernet(
        joined(problem),
        ProblemConfig(architecture=architecture.name, **dataclasses.asdict(about)),
        configs[SupernetConfig],
    )
