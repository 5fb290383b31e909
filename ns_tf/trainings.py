"""A training in a run folder: which network, where it is kept, what came out."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf import (
    api,
    architectures,
    configs,
    flagset,
    pipeline,
    plans,
    python_inputs,
    records,
    run_folders,
    runs,
    scalars,
    structure,
    training,
)
from ns_tf.base import Architecture, InputError, RunError, Widths, check_widths
from ns_tf.budgets import exact_costs
from ns_tf.execution import Execution
from ns_tf.progress import Quiet

RESULT = "result.json"
FAILURE = "failure.json"
MODEL = "model.keras"


@dataclasses.dataclass(frozen=True)
class Job:
    """One network that is to be trained, in a folder of its own."""

    folder: Path
    structure: structure.Structure
    widths: Widths
    dataset: pipeline.Dataset
    train: configs.TrainConfig
    runtime: configs.RuntimeConfig
    execution: Execution
    configs: tuple  # Kept as the folder's flags; other flags are refused.
    start: Callable[[], keras.Model] | None = None  # Not with fresh weights, but so.

    @property
    def facts(self) -> dict[str, int]:
        """What the network costs, by budget."""
        return costs(self.structure, self.widths)

    def check(self) -> None:
        """Refuses what cannot be trained, before anything is written.

        Raises:
            InputError: the network, or the batch, does not fit.
        """
        self.execution.check(lambda: self.structure.build(self.widths))
        pipeline.steps_per_epoch(self.dataset, self.train.batch)

    def go(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Any]:
        """Trains, or goes on; what `result.json` holds."""
        text = flagset.as_flagfile(self.configs)
        compare = flagset.comparison(*(type(config) for config in self.configs))
        with run_folders.open_run(
            self.folder, text, compare=compare, what="training"
        ) as run:
            if (run / RESULT).exists():
                return read_result(self.folder)
            checkpoint = runs.Checkpoint(
                run / "checkpoint.npz",
                seconds=self.runtime.checkpoint_seconds,
                stop=stop,
            )
            trained = training.train(
                self.start or (lambda: self.structure.build(self.widths)),
                self.dataset,
                self.train,
                seed=self.runtime.seed,
                execution=self.execution,
                progress=scalars.logged(progress, run / "logs"),
                checkpoint=checkpoint,
                label=self.folder.name,
            )
            result = self._write(run, trained)
            checkpoint.remove()
        return result

    def _write(self, run, trained: training.TrainResult) -> dict[str, Any]:
        """History, model and result; the result last, which says that it is done."""
        rows = [dataclasses.astuple(epoch) for epoch in trained.history]
        header = [field.name for field in dataclasses.fields(training.Epoch)]
        records.write_csv(run / "history.csv", header, rows)
        best = trained.history[trained.best_epoch - 1]
        python_inputs.save_model(trained.model, run / MODEL)
        result = {
            "version": 1,
            "architecture": self.structure.architecture.name,
            "dataset": self.dataset.name,
            "widths": list(self.widths),
            **self.facts,
            "seed": self.runtime.seed,
            "epochs": self.train.epochs,
            "best_epoch": trained.best_epoch,
            "validation_accuracy": best.validation_accuracy,
            "test_accuracy": trained.test_accuracy,
            "test_loss": trained.test_loss,
            "best_test_accuracy": trained.best_test_accuracy,
            "seconds": round(trained.seconds, 3),
        }
        records.write_json(run / RESULT, result)
        return result


def scratch(
    folder: Path,
    found: structure.Structure,
    widths: Widths,
    dataset: pipeline.Dataset,
    task: configs.TaskConfig,
    train: configs.TrainConfig,
    runtime: configs.RuntimeConfig,
    execution: Execution,
    start: Callable[[], keras.Model] | None = None,
) -> Job:
    """The job of training a network of these widths.

    Args:
        folder: Where it is kept.
        found: The architecture, of `dataset`'s images and classes.
        widths: Filters of every layer.
        dataset: From the task.
        task: Architecture and data set, complete; kept as flags, like what follows.
        train: The recipe.
        runtime: Seed, devices, precision.
        execution: Made of `runtime`.
        start: Makes the network, if it does not start with fresh weights.
    """
    named = {"architecture": found.architecture.name, "widths": tuple(widths)}
    network = configs.NetworkConfig(**{**dataclasses.asdict(task), **named})
    kept = (network, train, runtime)
    return Job(folder, found, widths, dataset, train, runtime, execution, kept, start)


def ended(folder: Path) -> bool:
    """Whether a training needs no more work: it is done, or it failed."""
    return any((folder / name).exists() for name in (RESULT, FAILURE))


def write_failure(folder: Path, error: RunError) -> None:
    """Keeps why a training failed: tried again it would fail again."""
    folder.mkdir(parents=True, exist_ok=True)
    records.write_json(folder / FAILURE, {"version": 1, "error": str(error)})


def read_failure(folder: Path) -> str | None:
    """Why a training failed; None if it did not.

    Raises:
        InputError: what is kept of it is damaged.
    """
    path = folder / FAILURE
    if not path.exists():
        return None
    with records.readable(path, "failure"):
        return records.read_json(path, what="failure", version=1)["error"]


def costs(found: structure.Structure, widths: Widths) -> dict[str, int]:
    """What the network of these widths costs, by exact budget."""
    return {n: int(c(np.array(widths))) for n, c in exact_costs(found).items()}


def read_result(folder: str | Path) -> dict[str, Any]:
    """What a finished training wrote.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return records.read_json(Path(folder) / RESULT, what="result", version=1)


class TrainRun:
    """One network to be trained: checks everything first, then does it.

    Args:
        run_dir: The run folder of a search, or a folder for trainings alone.
        network: Architecture, data set and widths, where they are not the search's.
        budget: The budget that the widths meet, if they are not given.
        curve: Whose widths.
        train: The recipe.
        runtime: Seed, devices, precision.
    """

    def __init__(self, run_dir, network, budget, curve, train, runtime):
        given = (network, budget, curve, train, runtime)
        execution = Execution.of(runtime)  # Before TensorFlow starts.
        search = search_in(run_dir)
        network = completed(network, search, Path(run_dir))
        python_model = python_inputs.saved(network.architecture, run_dir)
        self.architecture, self.structure, dataset = task(network, python_model)
        self.widths = self._widths(network, budget, curve, search)
        self.name = network.name or _name(network, budget, curve, runtime.seed)
        self.folder = Path(run_dir) / "train" / self.name
        self.job = Job(
            self.folder,
            self.structure,
            self.widths,
            dataset,
            train,
            runtime,
            execution,
            given,
        )
        self.job.check()
        self.facts = self.job.facts

    def go(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Any]:
        """Trains, or goes on; what `result.json` holds."""
        return self.job.go(progress=progress, stop=stop)

    def _widths(self, network, budget, curve, search):
        if network.widths:
            if budget.targets or budget.ratio:
                raise InputError("Give --widths or a budget, not both.")
            return check_widths(self.architecture, network.widths)
        if search is None or search.architecture != self.architecture.name:
            if curve.method != "uniform":
                raise InputError(
                    f"--method={curve.method} needs a search of "
                    f"{self.architecture.name} in --run_dir. Search first "
                    "(ns_tf.descend), give --widths, or --method=uniform with a budget."
                )
            default = self.architecture.widths
            search = runs.new_search(self.structure, "", default)
        given = plans.options(budget, curve)
        return plans.make_plan(search, budget.targets, **given).widths


def task(network: configs.TaskConfig, python_model: Architecture | None):
    """(architecture, structure, data set) of complete settings.

    Args:
        network: From `completed`.
        python_model: The architecture, if it has no name to find it by.

    Raises:
        InputError: any of them cannot be had.
    """
    found = python_model or architectures.get(network.architecture)
    dataset = api.load_dataset(data_config(network))
    analysed = structure.analyse(found, dataset.image_shape, dataset.classes)
    return found, analysed, dataset


def search_in(run_dir) -> runs.SearchRecord | None:
    """The search in the folder; None where nothing was ever searched."""
    if (Path(run_dir) / runs.DESCENT).exists():
        return runs.read_search(run_dir)
    return None


def completed(network: configs.TaskConfig, search, run_dir: Path):
    """The network's settings, those left empty taken from the search.

    Args:
        network: As the flags give it.
        search: The search, if there is one.
        run_dir: Its folder.

    Raises:
        InputError: architecture or data set are known from nowhere.
    """
    given = dataclasses.asdict(network)
    if search is not None:
        if given["dataset"] is None and search.dataset.startswith(python_inputs.PREFIX):
            raise InputError(
                "The search had its data from Python, so no command has it. "
                "Give --dataset, or train plan.build() in Python."
            )
        searched = _searched(search, run_dir)
        given |= {n: v for n, v in searched.items() if given[n] is None}
    for name in ("architecture", "dataset"):
        if given[name] is None:
            raise InputError(
                f"{run_dir} holds no search to take them from, so give --architecture "
                f"and --dataset, or a search that has them; --{name} is missing."
            )
    return dataclasses.replace(network, **given)


def _searched(search: runs.SearchRecord, run_dir: Path) -> dict[str, Any]:
    """The settings of the search's network and data, from its flags."""
    path = run_dir / run_folders.FLAGS_NAME
    with records.readable(path, "list of flags"):
        text = path.read_text(encoding="utf-8")
        if "--dataset=" not in text:
            raise ValueError("no --dataset in it")
    settings = dataclasses.asdict(flagset.from_flagfile(configs.DataConfig, text))
    return {**settings, "architecture": search.architecture}


def data_config(network: configs.TaskConfig) -> configs.DataConfig:
    """The settings of the data alone, defaults where nothing is given."""
    names = [field.name for field in dataclasses.fields(configs.DataConfig)]
    given = {name: getattr(network, name) for name in names}
    return configs.DataConfig(**{n: v for n, v in given.items() if v is not None})


def _name(network, budget, curve, seed: int) -> str:
    """A folder name that says method, budget and seed."""
    if network.widths:
        parts = ["widths", *(str(width) for width in network.widths)]
    else:
        parts = [curve.method]
        if curve.iteration:
            parts.append(f"it{curve.iteration}")
        asked = {**budget.targets, **({"ratio": budget.ratio} if budget.ratio else {})}
        parts += [f"{name}{value:.10g}" for name, value in asked.items()]
    name = "_".join([*parts, f"seed{seed}"])
    if len(name) <= 100:
        return name
    # File systems end at 255 bytes; so many widths are told apart by their digest.
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{parts[0]}_{digest}_seed{seed}"
