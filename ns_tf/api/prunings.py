"""What follows from a trained network: a smaller one, and files for other programs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import InputError, Widths
from ns_tf.data.config import DataConfig
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.descend.work import configure
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.evaluate import kept_evaluator
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.export.check import Outcome as FileOutcome
from ns_tf.export.config import ExportConfig
from ns_tf.export.work import Export, check_kept
from ns_tf.graph.calls import functional
from ns_tf.networks.from_model import from_model
from ns_tf.plan.config import budget_config
from ns_tf.plan.plan import Searched
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import CutConfig, FinetuneConfig, SourceConfig
from ns_tf.prune.pruned import Pruned as Left
from ns_tf.prune.pruned import prune_trained
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.settings import Configs
from ns_tf.prune.source import (
    AUTO,
    TrainedNetwork,
    fingerprint,
    law_name,
    trained_network,
)
from ns_tf.prune.summary import summary
from ns_tf.prune.work import PruneRun
from ns_tf.run import files
from ns_tf.run.folder import EPOCHS, MODEL, PREFIX
from ns_tf.run.paths import as_path
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch
from ns_tf.train.job import read_history
from ns_tf.train.training import Epoch


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network and how good it is: `prune` makes a smaller one of it."""

    model: keras.Model  # With the weights of the best epoch on validation images.
    score: float  # On test images; in classification the accuracy, 0 to 1.
    history: tuple[Epoch, ...]  # Losses and validation score of every epoch.
    problem: Problem = dataclasses.field(repr=False)  # What it was trained for.
    folder: Path | None = None  # The folder of the training; None if it was not kept.
    # How the network takes its pixels: "normalised", "unit" (0 to 1) or "given".
    pixels: str = "normalised"
    # Fields of `DataConfig` by which its data were loaded.
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def export(
        self,
        out_dir: str | Path,
        formats: Sequence[str] = ("saved_model",),
        *,
        progress: Meter | None = None,
        **options: Any,
    ) -> list[FileOutcome]:
        """Writes files for other programs, each run again and compared.

        Args:
            out_dir: The folder that they go to.
            formats: "saved_model", "keras", "litert", "litert_int8", "onnx".
            progress: `ns_tf.Progress()` shows how far it has come.
            **options: Fields of `ns_tf.export.config.ExportConfig`: `name`, `version`,
                `resize`, and so on.

        Returns:
            Of every file: where it is, its size, how well it agrees, how fast it is.

        Raises:
            InputError: a format that does not exist or cannot be written here.
            RunError: a file gives other answers than the Keras model.
        """
        out_dir = as_path(out_dir, "out_dir")
        if not isinstance(formats, (list, tuple)):
            raise InputError(
                "formats is a list of names, as ('saved_model', 'litert'); got "
                f"{formats!r}."
            )
        named = {"format": tuple(formats), "out_dir": str(out_dir)}
        config = configure((ExportConfig,), named, options)[ExportConfig]
        name = self.folder.name if self.folder else self.problem.architecture.name
        name = files.file_name(config.name or name)
        if self.folder:
            check_kept(self.folder / MODEL, out_dir, name, config)
        export = Export(
            self.model,
            self.problem.dataset,
            self.problem.task,
            config,
            out_dir,
            name,
        )
        return export.run(Watch(progress or Quiet()))

    def prune(
        self,
        *,
        method: str = "taylor_fo",
        keep: str | Sequence[str] = (),
        search: Searched | str | Path | None = None,
        run_dir: str | Path | None = None,
        name: str | None = None,
        progress: Meter | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> "Pruned":
        """A smaller network of this one's weights, trained on: `prune(macs=0.5)`.

        This network is not changed.

        Args:
            method: The criterion that says which channels go. How many go in each
                layer, how the rest is repaired and trained is the method's own, unless
                said otherwise.
            keep: Layers that keep all their filters: names, or patterns ("block1*").
            search: Of `allocation="law"`: a search of this network, or its run folder.
                The law of its last iteration decides the widths.
            run_dir: Where it is kept; the same call continues it after a kill, and
                another budget there needs no new scores. None keeps nothing.
            name: Of its folder below `train/` there; says the method, the budgets and
                the seed if None.
            progress: `ns_tf.Progress()` shows how far it has come.
            stop: Asked at every step whether to stop.
            **options: Budgets by name; with several, all hold. A number above 0 and
                below 1 is a share of this network's own cost, 1 is that cost, and
                larger numbers are costs in the budget's unit (`latency_ms` is always in
                ms). Further `round_to`, `min_width`, `max_width`, `tie=[("a", "b")]`,
                `widths_between={"c": (8, 64)}`, `multiple_of={"d*": 8}`, and fields of
                `ns_tf.prune.config.CutConfig` (`level="block"`; `level="weight",
                nonzero=0.1`) and `FinetuneConfig` and of
                `ns_tf.engine.config.RuntimeConfig`: `allocation="uniform",
                repair="none", finetune_epochs=3, seed=1`.

        Returns:
            Never over any budget. Under exact budgets no layer could have `round_to`
            filters more. No layer has more filters than it had.

        Raises:
            InputError: what was asked for cannot be done, in one line.
            RunError: the loss is not finite.
        """
        layers = () if keep is None else keep
        if run_dir is not None:
            as_path(run_dir, "run_dir")
        found_in, record = _record_of(search)
        named = {"method": method, "keep": layers, "search": found_in}
        budgets = budget_config()  # Those of the program too.
        kinds = (CutConfig, FinetuneConfig, budgets, RuntimeConfig)
        configs = configure(kinds, named, options)
        runtime = configs[RuntimeConfig]
        execution = Execution.of(runtime)  # Before TensorFlow starts.
        settings = Configs(
            configs[CutConfig],
            configs[FinetuneConfig],
            configs[budgets],
            runtime,
            Runtime.of(runtime, execution),
        )
        network = self._source()
        pruner = settings.pruner(network, record)
        watch = Watch(progress or Quiet(), stop or Stop())
        if run_dir is None:
            pruner.check()
            pruner.recipes(settings.tuning)
            made = settings.made.watched(watch)
            found, folder = prune_trained(pruner, settings.tuning, made), None
            history = found.tuned.history if found.tuned else ()
        else:
            source = SourceConfig(
                model=PREFIX + fingerprint(self.model),
                dataset=self.problem.dataset.name,
                pixels=self.pixels,
                **self.data,
            )
            run = PruneRun(run_dir, network, source, pruner, settings, name=name)
            found, folder = run.run(watch), run.folder
            epochs = (folder / EPOCHS).exists()
            history = read_history(folder) if epochs else ()
        text = summary(pruner, found, settings.tuning)
        return _pruned(self, pruner, found, history, folder, text)

    def _source(self) -> TrainedNetwork:
        """This network as a function of its own widths, whatever it was built from."""
        known = self.problem
        if known.architecture.source is not functional(self.model):
            own = from_model(self.model, fixed=True)
            known = Problem.of(own, known.dataset, known.task)
        return TrainedNetwork(self.model, known, self.pixels, data=self.data)


@dataclasses.dataclass(frozen=True)
class Pruned(Trained):
    """What `Trained.prune` made: a smaller trained network, and how it came about.

    Printed, it says what it costs and how good it was after every step.
    """

    widths: Widths = ()  # [layers]; of blocks 1 or 0, of weights what kernels keep.
    costs: Mapping[str, float] = dataclasses.field(default_factory=dict)  # By budget.
    targets: Mapping[str, float] = dataclasses.field(default_factory=dict)
    # Scores on validation images: "trained", "cut", "repaired", "tuned".
    accuracies: Mapping[str, float] = dataclasses.field(default_factory=dict)
    # By step: "score", "solve", "cut", "tune".
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    text: str = dataclasses.field(default="", repr=False)

    def __str__(self) -> str:
        return self.text


def _record_of(
    search: Searched | str | Path | None,
) -> tuple[str | None, SearchRecord | None]:
    """(what a search is called in settings, its record).

    Raises:
        InputError: it is no search, or has no iteration yet.
    """
    if search is None:
        return None, None
    if isinstance(search, (str, Path)):
        return str(search), read_search(search)
    if not isinstance(search, Searched):
        raise InputError(f"search is a search or its run folder; got {search!r}.")
    return law_name(search.record.state().law), search.record


def _pruned(
    whole: Trained,
    pruner: Pruner,
    found: Left,
    history: tuple[Epoch, ...],
    folder: Path | None,
    text: str,
) -> Pruned:
    """The value that users get of what is left of a network."""
    return Pruned(
        model=found.model,
        score=found.test_score,
        history=history,
        problem=pruner.problem,
        folder=folder,
        pixels=whole.pixels,
        data=whole.data,
        widths=found.scaling.widths,
        costs=found.scaling.costs,
        targets=found.scaling.targets,
        accuracies=found.accuracies,
        seconds=found.seconds,
        text=text,
    )


def trained(
    model: Any, data: Any = None, *, pixels: str = AUTO, **options: Any
) -> Trained:
    """A network that is trained already, with its data: trains nothing.

    Args:
        model: A functional or sequential `keras.Model`; the path of a `.keras` file; or
            a run folder with a training of `ns_tf.train`.
        data: As of `ns_tf.search`; that of the training, if None.
        pixels: How the network was given its pixels when it was trained: "normalised"
            by mean and deviation of the training images, "unit" (0 to 1), "given" (as
            they are). "auto" takes the one of least loss on validation images; a model
            that begins with a `Rescaling` gets them as they are.
        **options: Fields of `ns_tf.data.config.DataConfig`: `data_dir=...,
            validation_fraction=0.2`.

    Returns:
        The network, tested on the test images.

    Raises:
        InputError: no such model or data, a model without a graph, one of several
            outputs that is not compiled, or one that was not trained for these data.
    """
    configure((DataConfig,), {}, options)  # Refuses what is no field of it.
    source = trained_network(model, data, pixels=pixels, **options)
    problem = source.problem
    evaluate = kept_evaluator(source.model, problem.task)
    score = problem.task.score_of(evaluate(problem.dataset, "test", 256)[1])
    return Trained(
        source.model,
        score,
        (),
        problem,
        source.folder,
        source.pixels,
        data=source.data,
    )
