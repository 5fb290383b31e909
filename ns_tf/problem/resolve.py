"""Which network and data a command is about, from its flags and from run folders."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from ns_tf.base import Architecture, InputError
from ns_tf.data import sources
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import Dataset, scaled
from ns_tf.networks import architectures
from ns_tf.problem import tasks
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run import files
from ns_tf.run.flagfile import from_flagfile
from ns_tf.run.folder import DESCENT, FLAGS, PREFIX

WIDTHS_OR_BUDGET = "widths (--widths) or a budget"


def resolve(
    flags: ProblemConfig,
    *others: ProblemConfig | None,
    place: str | Path,
    instead: str = WIDTHS_OR_BUDGET,
) -> ProblemConfig:
    """The settings of network and data, complete.

    >>> flags = ProblemConfig(dataset="digits")
    >>> folder = ProblemConfig(architecture="vgg11", dataset="cifar10", image_size=16)
    >>> settings = resolve(flags, folder, place="runs/a")
    >>> settings.architecture, settings.dataset, settings.image_size
    ('vgg11', 'digits', 16)

    Args:
        flags: As a command has them; empty ones are taken from the others.
        *others: The settings of run folders or flagfiles, the nearest first; None has
            none.
        place: Where the others were looked for, for errors.
        instead: What has to be given beside architecture and data set if there is no
            search, for errors.

    Returns:
        Settings of the class of `flags`.

    Raises:
        InputError: architecture or data set are given nowhere, or the search had its
            data from Python.
    """
    values = dataclasses.asdict(flags)
    for other in others:
        for field in dataclasses.fields(ProblemConfig):
            if other is not None and values[field.name] is None:
                values[field.name] = getattr(other, field.name)
    if flags.dataset is None and (values["dataset"] or "").startswith(PREFIX):
        raise InputError(
            "The search had its data from Python, so no command has it. "
            "Give --dataset, or train plan.build() in Python."
        )
    for name in ("architecture", "dataset"):
        if values[name] is None:
            raise InputError(
                f"{place} holds no search to take them from, so give --architecture, "
                f"--dataset, and {instead}; --{name} is missing."
            )
    return dataclasses.replace(flags, **values)


def settings_in(folder: str | Path) -> ProblemConfig | None:
    """Network and data by the flags of a run folder.

    Args:
        folder: Of a search, a training, a comparison or a tuning.

    Returns:
        The settings; None if the folder has no flags.

    Raises:
        InputError: the flags are damaged, or a search has none.
    """
    path = Path(folder) / FLAGS
    searched = os.path.exists(path.parent / DESCENT)
    if not os.path.exists(path) and not searched:
        return None
    text = files.read_lines(path, what="list of flags")
    try:
        settings = from_flagfile(ProblemConfig, text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if settings.dataset is None and searched:
        raise InputError(
            f"{path} is damaged (no --dataset in it). Restore it from a copy."
        )
    return settings


def problem_of(
    config: ProblemConfig, architecture: Architecture | None = None
) -> Problem:
    """The problem of complete settings.

    Args:
        config: From `resolve`.
        architecture: The architecture, if it has no name to find it by.

    Raises:
        InputError: there is no such network or data, or they do not go together.
    """
    architecture = architecture or architectures.get(config.architecture)
    task = tasks.get(config.task) if config.task else None
    return Problem.of(architecture, scaled_dataset(config), task)


def scaled_dataset(config: ProblemConfig) -> Dataset:
    """The data set that the settings name, with pixels scaled as they say.

    Args:
        config: From `resolve`.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    return scaled(load_dataset(data_config(config)), config.pixels or "normalised")


def load_dataset(config: DataConfig) -> Dataset:
    """The data set that the settings name, read into memory or found on disk.

    Args:
        config: Name, folder, image size, validation split.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    return sources.load(
        config.dataset,
        data_dir=config.data_dir,
        image_size=config.image_size,
        validation_fraction=config.validation_fraction,
        seed=config.split_seed,
        train_images=config.train_images,
    )


def data_config(config: ProblemConfig) -> DataConfig:
    """The settings of the data alone, with defaults for those that are empty.

    >>> data_config(ProblemConfig(dataset="digits", image_size=8)).image_size
    8
    >>> data_config(ProblemConfig(dataset="digits")).validation_fraction
    0.1

    Args:
        config: Network and data.
    """
    names = [field.name for field in dataclasses.fields(DataConfig)]
    values = {name: getattr(config, name) for name in names}
    return DataConfig(**{n: v for n, v in values.items() if v is not None})


def data_options(config: ProblemConfig) -> dict[str, Any]:
    """The options of the data, where they are not the defaults.

    >>> data_options(ProblemConfig(dataset="digits", split_seed=3, image_size=8))
    {'image_size': 8, 'split_seed': 3}

    Args:
        config: Network and data.
    """
    values = dataclasses.asdict(data_config(config))
    del values["dataset"]
    return {n: v for n, v in values.items() if v != getattr(DataConfig, n)}
