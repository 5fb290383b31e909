"""Files that a trained network becomes: one file a kind, `get(name)` finds it.

A format is a function that writes a `Source`::

    @file_format("keras", file="{name}.keras", help="A Keras model.")
    def keras_file(source, path):
        source.deployed().save(path)

All take images `[batch, height, width, channels]` of 0 to 255 and give probabilities
of the classes: normalisation is inside. What was written is run again in a process of
its own, by `ns_tf/export/runtimes/`, and compared with the Keras model.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.networks.deployed import deployed
from ns_tf.problem.tasks import Task
from ns_tf.registry import Registry

FORMATS = Registry("format", __name__)
EXACT = 1e-4  # Largest difference of a probability that is rounding.


@dataclasses.dataclass(frozen=True)
class Source:
    """A trained network, and what belongs to it where it is used."""

    name: str
    model: keras.Model  # float32; normalised images -> logits or probabilities.
    task: Task  # Says what files answer.
    class_names: tuple[str, ...]  # [classes]
    mean: np.ndarray  # [channels], of pixels from 0 to 1.
    std: np.ndarray  # [channels]
    calibration: np.ndarray  # uint8 [n, height, width, channels], training images.
    resize: bool = False  # Take images of any size.

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the network's input."""
        return tuple(self.model.inputs[0].shape[1:])

    def deployed(self, dtype: str = "uint8", name: str | None = None) -> keras.Model:
        """images `[batch, h, w, c]`, 0..255 -> probabilities `[batch, classes]`."""
        return deployed(
            self.model,
            self.mean,
            self.std,
            answer=self.task.answer(self.model),
            dtype=dtype,
            name=name or self.name,
        )


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file."""

    name: str
    help: str
    file: str  # Its place below the target, with {name} and {version}.
    write: Callable[[Source, Path], None]
    runtime: str  # Which of `runtimes/` runs it.
    exact: bool  # False if it is quantised.
    packages: tuple[str, ...]  # Beside those that ns_tf needs anyway.

    def check(self) -> None:
        """Refuses a format whose packages are missing.

        Raises:
            InputError: naming them.
        """
        missing = [p for p in self.packages if importlib.util.find_spec(p) is None]
        if missing:
            raise InputError(
                f"--format={self.name} needs {', '.join(missing)}, not installed here: "
                "pip install 'ns_tf[export]'."
            )


def file_format(
    name: str,
    *,
    file: str,
    help: str,
    runtime: str,
    exact: bool = True,
    packages: tuple[str, ...] = (),
):
    """Decorator: registers what writes a format under `name`."""

    def add(write):
        member = Format(name, help, file, write, runtime, exact, packages)
        FORMATS.register(name)(member)
        return write

    return add


def get(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return FORMATS.get(name)
