"""Trainings as a run folder has them: which network, what data, by which name."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from ns_tf import (
    api,
    architectures,
    budgets,
    configs,
    flagset,
    jobs,
    pipeline,
    plans,
    python_inputs,
    records,
    run_folders,
    runs,
    structure,
)
from ns_tf.base import Architecture, InputError, check_widths
from ns_tf.execution import Execution
from ns_tf.progress import Quiet


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
        self.name = network.name or _name(network, budget, curve, runtime.seed)
        self.folder = Path(run_dir) / "train" / self.name
        self.widths = self._widths(network, budget, curve, search)
        self.job = jobs.Job(
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
        self.job.check_folder()
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
        if any(budgets.get(name).measured for name in budget.targets):
            kept = jobs.kept_widths(self.folder)
            if kept is not None:  # No two measurements agree.
                return check_widths(self.architecture, kept)
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
    return found, analysed, pipeline.for_network(dataset, analysed.scales_pixels)


def search_in(run_dir) -> runs.SearchRecord | None:
    """The search in the folder; None where nothing was ever searched."""
    if (Path(run_dir) / runs.DESCENT).exists():
        return runs.read_search(run_dir)
    return None


def completed(
    network: configs.TaskConfig,
    search,
    run_dir: Path,
    instead: str = "widths (--widths) or a budget",
):
    """The network's settings, those left empty taken from the search.

    Args:
        network: As the flags give it.
        search: The search, if there is one.
        run_dir: Its folder.
        instead: What else there has to be, for errors.

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
                f"{run_dir} holds no search to take them from, so give --architecture, "
                f"--dataset, and {instead}; --{name} is missing."
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
