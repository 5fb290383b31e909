"""Which network and data a command is about, from its flags and from run folders."""

import dataclasses
from pathlib import Path
from typing import Any

from ns_tf.base import Architecture, InputError
from ns_tf.data import sources
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import Dataset, for_network
from ns_tf.descend.record import SearchRecord
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.flagfile import from_flagfile
from ns_tf.run.folder import FLAGS, PREFIX


def load_dataset(config: DataConfig) -> Dataset:
    """The data set that the settings name."""
    return sources.load(
        config.dataset,
        data_dir=config.data_dir,
        image_size=config.image_size,
        validation_fraction=config.validation_fraction,
        seed=config.split_seed,
    )


def task(network: ProblemConfig, python_model: Architecture | None):
    """(architecture, structure, data set) of complete settings.

    Args:
        network: From `completed`.
        python_model: The architecture, if it has no name to find it by.

    Raises:
        InputError: any of them cannot be had.
    """
    found = python_model or architectures.get(network.architecture)
    dataset = load_dataset(data_config(network))
    analysed = analyse(found, dataset.image_shape, dataset.classes)
    return found, analysed, for_network(dataset, analysed.scales_pixels)


def completed(
    network: ProblemConfig,
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
        if given["dataset"] is None and search.dataset.startswith(PREFIX):
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


def _searched(search: SearchRecord, run_dir: Path) -> dict[str, Any]:
    """The settings of the search's network and data, from its flags."""
    path = run_dir / FLAGS
    with files.readable(path, "list of flags"):
        text = path.read_text(encoding="utf-8")
        if "--dataset=" not in text:
            raise ValueError("no --dataset in it")
    settings = dataclasses.asdict(from_flagfile(DataConfig, text))
    return {**settings, "architecture": search.architecture}


def data_config(network: ProblemConfig) -> DataConfig:
    """The settings of the data alone, defaults where nothing is given."""
    names = [field.name for field in dataclasses.fields(DataConfig)]
    given = {name: getattr(network, name) for name in names}
    return DataConfig(**{n: v for n, v in given.items() if v is not None})
