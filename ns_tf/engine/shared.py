"""What several workers of a run share: its folder, its settings, its data.

A worker that was started otherwise, or that does not see the chief's folder, is refused
by name before anything is computed.
"""

import contextlib
import importlib.metadata
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset
from ns_tf.data.digest import digest
from ns_tf.engine.workers import Workers
from ns_tf.run.files import TEMPORARY
from ns_tf.run.flagfile import as_flagfile, differences, own
from ns_tf.run.folder import RunFolder, open_run

_PACKAGES = ("ns_tf", "tensorflow", "keras", "numpy")  # Whose versions decide results.


@contextlib.contextmanager
def run_folder(
    workers: Workers, path: str | Path, configs: Sequence[Any], what: str
) -> Iterator[RunFolder]:
    """The run folder: opened by the chief, seen by all; a block of the whole work.

    Args:
        workers: Of the run.
        path: As of `open_run`, whose errors are told to all workers.
        configs: As of `open_run`.
        what: As of `open_run`.

    Yields:
        The folder. That of a worker other than the chief keeps no flags.

    Raises:
        InputError: as of `open_run`, or a worker does not see the chief's folder.
        RunError: in the block a worker was lost.
    """
    with workers.attended():
        opened = workers.led(lambda: open_run(path, configs, what))
        with opened or RunFolder(Path(path), None, "", new=True) as folder:
            if workers.count > 1:
                _check_shared(workers, folder.path)
            yield folder


def _check_shared(workers: Workers, path: Path) -> None:
    """Refuses workers that do not see a file that the chief makes in the folder."""
    number = int(workers.of_chief(secrets.randbits(48)))
    file = path / f".{number:x}{TEMPORARY}"
    workers.led(file.touch)
    blind = np.flatnonzero(workers.gathered(not file.exists()))
    workers.led(file.unlink)
    if len(blind):
        raise InputError(
            f"Worker {blind[0]} does not see what the chief writes to {path}: the run "
            "folder has to be on a file system that all workers share."
        )


def check_alike(workers: Workers, configs: Sequence[Any], dataset: Dataset) -> None:
    """Refuses workers that were started otherwise than the chief.

    Args:
        workers: Of the run.
        configs: Config dataclasses of the run: its flags.
        dataset: Its data.

    Raises:
        InputError: names the first worker that differs, and in what; in all workers
            alike.
        RunError: a worker was lost.
    """
    if workers.count == 1:
        return
    with workers.attended():
        flags = workers.texts(as_flagfile(configs))
        ignored = own(*(type(config) for config in configs))
        for index, text in enumerate(flags):
            changed = "; ".join(differences(flags[0], text, ignored)[:3])
            if changed:
                raise _different(index, "flags", changed)
        for name, fact in _facts(dataset).items():
            told = workers.texts(fact)
            for index, text in enumerate(told):
                if text != told[0]:
                    raise _different(index, name, f"{told[0]} -> {text}")


def _facts(dataset: Dataset) -> Mapping[str, str]:
    """Texts that are the same in all workers, by what they say."""
    versions = (f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    devices = [one.device_type for one in tf.config.list_physical_devices()]
    return {
        "versions": ", ".join(versions),
        "devices": ", ".join(sorted(devices)),
        "data": f"{dataset.name} {digest(dataset)}",
    }


def _different(index: int, what: str, how: str) -> InputError:
    """The error for a worker that has other flags, data or programs than the chief."""
    return InputError(
        f"Worker {index} has other {what} than the chief ({how}). Give all workers the "
        "same."
    )
