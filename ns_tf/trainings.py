"""A training in a run folder: which network, where it is kept, what came out."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

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
    runs,
    scalars,
    structure,
    training,
)
from ns_tf.base import InputError, check_widths
from ns_tf.budgets import exact_costs
from ns_tf.execution import Execution
from ns_tf.progress import Quiet

RESULT = "result.json"
MODEL = "model.keras"


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
        self.configs = (network, budget, curve, train, runtime)
        self.train, self.runtime = train, runtime
        self.execution = Execution.of(runtime)  # Before TensorFlow starts.
        search = _search_in(run_dir)
        network = _completed(network, search, Path(run_dir))
        self.architecture = (
            python_inputs.saved(search, run_dir)
            if search and network.architecture == search.architecture
            else None
        ) or architectures.get(network.architecture)
        self.dataset = api.load_dataset(_data_config(network))
        self.structure = structure.analyse(
            self.architecture, self.dataset.image_shape, self.dataset.classes
        )
        self.widths = self._widths(network, budget, curve, search)
        self.execution.check(lambda: self.structure.build(self.widths))
        pipeline.steps_per_epoch(self.dataset, train.batch)
        costs = exact_costs(self.structure)
        self.facts = {n: int(c(np.array(self.widths))) for n, c in costs.items()}
        self.name = network.name or _name(network, budget, curve, runtime.seed)
        self.folder = Path(run_dir) / "train" / self.name

    def go(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Any]:
        """Trains, or goes on; what `result.json` holds."""
        text = flagset.as_flagfile(self.configs)
        compare = flagset.comparison(*(type(config) for config in self.configs))
        with records.open_run(
            self.folder, text, compare=compare, what="training"
        ) as run:
            if (run / RESULT).exists():
                return records.read_json(run / RESULT, what="result", version=1)
            checkpoint = runs.Checkpoint(
                run / "checkpoint.npz",
                seconds=self.runtime.checkpoint_seconds,
                stop=stop,
            )
            trained = training.train(
                lambda: self.structure.build(self.widths),
                self.dataset,
                self.train,
                seed=self.runtime.seed,
                execution=self.execution,
                progress=scalars.logged(progress, run / "logs"),
                checkpoint=checkpoint,
                label=self.name,
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
            "architecture": self.architecture.name,
            "dataset": self.dataset.name,
            "widths": list(self.widths),
            **self.facts,
            "seed": self.runtime.seed,
            "epochs": self.train.epochs,
            "best_epoch": trained.best_epoch,
            "validation_accuracy": best.validation_accuracy,
            "test_accuracy": trained.test_accuracy,
            "test_loss": trained.test_loss,
        }
        records.write_json(run / RESULT, result)
        return result

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
            search = runs.new_search(self.structure, self.dataset.name, default)
        given = plans.options(budget, curve)
        return plans.make_plan(search, budget.targets, **given).widths


def _search_in(run_dir) -> runs.SearchRecord | None:
    """The search in the folder; None where nothing was ever searched."""
    if (Path(run_dir) / runs.DESCENT).exists():
        return runs.read_search(run_dir)
    return None


def _completed(network: configs.NetworkConfig, search, run_dir: Path):
    """The network's settings, those left empty taken from the search."""
    given = dataclasses.asdict(network)
    if search is not None:
        if given["dataset"] is None and search.dataset.startswith(python_inputs.PREFIX):
            raise InputError(
                "The search had its data from Python, so ns_tf.train does not have it. "
                "Give --dataset, or train plan.build() in Python."
            )
        searched = _searched(search, run_dir)
        given |= {n: v for n, v in searched.items() if given[n] is None}
    for name in ("architecture", "dataset"):
        if given[name] is None:
            raise InputError(
                f"{run_dir} holds no search, so say what to train: --architecture, "
                f"--dataset, and --widths or a budget; --{name} is missing."
            )
    return configs.NetworkConfig(**given)


def _searched(search: runs.SearchRecord, run_dir: Path) -> dict[str, Any]:
    """The settings of the search's network and data, from its flags."""
    path = run_dir / records.FLAGS_NAME
    with records.readable(path, "list of flags"):
        text = path.read_text(encoding="utf-8")
        if "--dataset=" not in text:
            raise ValueError("no --dataset in it")
    settings = dataclasses.asdict(flagset.from_flagfile(configs.DataConfig, text))
    return {**settings, "architecture": search.architecture}


def _data_config(network: configs.NetworkConfig) -> configs.DataConfig:
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
