"""Files that a trained network becomes: one file a kind, `get(name)` finds it.

A format is a function that writes a `Source`::

    @file_format("keras", file="{name}.keras", help="A Keras model.")
    def keras_file(source, path):
        source.deployed().save(path)

All take inputs as they come, images `[batch, height, width, channels]` of 0 to 255 for
instance, and give the task's answer, such as probabilities of the classes:
normalisation is inside. What was written is run again in a process of its own, by
`ns_tf/export/runtimes/`, and compared with the Keras model.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import NUMBERS, PIXELS, TOKENS
from ns_tf.graph.compilation import output_names
from ns_tf.graph.shapes import shape_of
from ns_tf.networks.deployed import BYTE, deployed
from ns_tf.parts import Parts, each
from ns_tf.problem.tasks import Task
from ns_tf.registry import Registry

# By what inputs are: the unit of what files take, and its type.
_RAW = {PIXELS: (BYTE, "uint8"), NUMBERS: (1, "float32"), TOKENS: (None, "int32")}
Writer = Callable[["Source", Path], None]
FORMATS = Registry("format", __name__)
EXACT = 1e-4  # Differences of an answer up to this are rounding.


@dataclasses.dataclass(frozen=True)
class Source:
    """A trained network with what a file needs beside it.

    A file answers to inputs as they come, so it contains the normalisation of the data
    set and what the task adds to the outputs.
    """

    name: str  # What files and servers call the model.
    model: keras.Model  # float32; normalised inputs -> outputs.
    task: Task  # What targets mean; decides what files answer.
    class_names: tuple[str, ...]  # [classes]
    # Of several inputs these are `Parts`, as in the data set.
    mean: np.ndarray | Parts  # [channels], of pixels from 0 to 1, or of numbers.
    std: np.ndarray | Parts  # [channels], standard deviation on the same scale.
    calibration: np.ndarray | Parts  # [n, ...] training examples, as files take them.
    resize: bool = False  # Whether the file takes images of any size.
    # What the data set has: "pixels", "numbers" or "tokens".
    inputs: str | Parts = PIXELS

    @property
    def image_shape(self) -> tuple[int, ...] | Parts:
        """Of the network's input: (height, width, channels) of an image."""
        return shape_of(self.model)

    @property
    def takes_images(self) -> bool:
        """Whether inputs are what image files hold: bytes of 1, 3 or 4 channels."""
        shape = self.image_shape
        return self.inputs == PIXELS and len(shape) == 3 and shape[2] in (1, 3, 4)

    @property
    def dtype(self) -> str | Parts:
        """Of what files take."""
        return each(lambda kind: _RAW[kind][1], self.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of several outputs, in their order; empty for a single one."""
        return output_names(self.model) if len(self.model.outputs) > 1 else ()

    def deployed(
        self, dtype: str | Parts | None = None, name: str | None = None
    ) -> keras.Model:
        """The network as files have it: raw inputs in, the task's answer out.

        Args:
            dtype: Of the inputs; `self.dtype` if None.
            name: Of the model; the source's name if None.

        Returns:
            A model of standard layers alone. For classification it answers
            probabilities `[batch, classes]`.
        """
        return deployed(
            self.model,
            self.mean,
            self.std,
            answer=self.task.answer(self.model),
            unit=each(lambda kind: _RAW[kind][0], self.inputs),
            dtype=dtype or self.dtype,
            name=name or self.name,
        )


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file: how it is written, and what runs it."""

    name: str  # As `--format` takes it.
    help: str  # One sentence for people.
    file: str  # Its place below the target, with {name} and {version}.
    write: Callable[[Source, Path], None]  # (network, where to).
    runtime: str  # What runs it: a module in `runtimes/`, or a Python file's path.
    exact: bool  # False for quantised weights: answers differ by more than `EXACT`.
    packages: tuple[str, ...]  # Needed beside those that ns_tf needs anyway.
    several: bool = False  # Whether networks may have several inputs and outputs.

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

    def check_ends(self, model: keras.Model) -> None:
        """Refuses a network with several inputs or outputs where a file has one each.

        Args:
            model: Functional.

        Raises:
            InputError: says which formats take it.
        """
        counts = len(model.inputs), len(model.outputs)
        if not self.several and max(counts) > 1:
            known = [name for name in FORMATS.names() if get(name).several]
            raise InputError(
                f"--format={self.name} is of one input and one output; {model.name!r} "
                f"has {counts[0]} and {counts[1]}. These take it: {', '.join(known)}."
            )


def file_format(
    name: str,
    *,
    file: str,
    help: str,
    runtime: str,
    exact: bool = True,
    packages: tuple[str, ...] = (),
    several: bool = False,
) -> Callable[[Writer], Writer]:
    """Decorator: registers what writes a format under `name`.

    Args:
        name: As `--format` takes it.
        file: Place of the file below the target, with {name} and {version}.
        help: One sentence for people.
        runtime: What runs such a file: the name of a module in `runtimes/`, or the path
            of a Python file with a function `load` like theirs.
        exact: Whether answers are the Keras model's to within `EXACT`.
        packages: What it needs beside what ns_tf needs anyway.
        several: Whether it writes networks with several inputs and outputs.

    Returns:
        A decorator of the function (source, path) -> None, which it leaves as it is.
    """

    def add(write: Writer) -> Writer:
        member = Format(name, help, file, write, runtime, exact, packages, several)
        FORMATS.register(name)(member)
        return write

    return add


def get(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return FORMATS.get(name)
