"""The network that is measured, and what this machine is."""

import contextlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import Architecture, InputError
from ns_tf.data.config import image_shape
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.graph.shapes import of_lengths, open_axes, shape_of
from ns_tf.measure.config import MeasureConfig
from ns_tf.networks import architectures, from_model, python_models
from ns_tf.networks.structure import Structure, analyse

_GIVE_LENGTHS = "Give them by --input_shape, as 224,224,3."


def of_run(run_dir: str | Path, up_to: float) -> tuple[Structure, list[int]]:
    """The network of the search in a run folder, as `of_search` gives it.

    Args:
        run_dir: Run folder of the search.
        up_to: Largest width, times that of the default or of the seed.

    Raises:
        InputError: there is no search.
    """
    search = read_search(run_dir)
    builder = python_models.saved(search.architecture, run_dir, search.input_shape)
    return of_search(search, builder, up_to)


def of_search(
    search: SearchRecord, builder: Architecture | None, up_to: float
) -> tuple[Structure, list[int]]:
    """The network of a search, and the largest width of every layer.

    Args:
        search: Its record.
        builder: The architecture, if no registered name finds it.
        up_to: Largest width, times that of the default or of the seed.

    Raises:
        InputError: there is no such architecture.
    """
    structure = analyse(
        builder or architectures.get(search.architecture),
        search.input_shape,
        search.classes,
    )
    own = np.maximum(search.default_widths, search.seed_widths)
    return structure, _times(own, up_to)


def of_model(
    model: str | Path | keras.Model | Architecture,
    up_to: float,
    input_shape: tuple[int, ...] = (),
    classes: int = 10,
) -> tuple[Structure, list[int]]:
    """A network by its name, its file or itself, and the largest width of every layer.

    Args:
        model: A Keras model, the path of a `.keras` file, an architecture or its name.
        up_to: Largest width, times the network's own.
        input_shape: Of an image, for an architecture; of an example, for a model that
            leaves lengths open.
        classes: Number of classes, for an architecture.

    Raises:
        InputError: there is none, lengths stay open, or a model is given other classes
            than its own.
    """
    if isinstance(model, keras.Model):
        model = from_model.from_model(model)
    if isinstance(model, Path):
        model = f"{from_model.PREFIX}{model}"
    if isinstance(model, str):
        own = model.endswith(".keras") and not model.startswith(from_model.PREFIX)
        model = architectures.get(f"{from_model.PREFIX}{model}" if own else model)
    if not isinstance(model, Architecture):
        raise InputError(
            "Expected a search, a Keras model, the path of a .keras file, an "
            f"Architecture or its name; got {type(model).__name__}."
        )
    own = model.source is not None and model.source.outputs[0].shape[-1]
    if own and classes not in (MeasureConfig.classes, own):
        raise InputError("--classes are of architectures; a model has its own.")
    if model.source is None:
        structure = analyse(model, image_shape(input_shape), classes)
    else:
        structure = _of_source(model, tuple(input_shape))
    return structure, _times(model.widths, up_to)


def _of_source(model: Architecture, input_shape: tuple[int, ...]) -> Structure:
    """The structure of a user's model at the lengths that are named for open axes.

    Args:
        model: Of `from_model`.
        input_shape: Of an example; empty if none is named.

    Raises:
        InputError: the model takes other inputs, or lengths stay open.
    """
    source = of_lengths(model.source, input_shape)
    if open_axes(source):
        several = len(source.inputs) > 1
        raise InputError(
            f"{model.name} leaves lengths of its inputs open, {shape_of(source)}. "
            + ("Make it with fixed ones." if several else _GIVE_LENGTHS)
        )
    found = from_model.at_shape(model, shape_of(source))
    return analyse(found, shape_of(source), source.outputs[0].shape[-1])


def _times(widths: Sequence[int], up_to: float) -> list[int]:
    """Widths times a number, rounded up."""
    return np.ceil(up_to * np.array(widths)).astype(int).tolist()


def machine() -> str:
    """GPUs or CPU, and the versions of TensorFlow and Keras."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        model = tf.config.experimental.get_device_details(gpus[0]).get("device_name")
        device = f"{len(gpus)} x {model}"
    else:
        device = f"{os.cpu_count()} cores of {_processor()}"
    return f"{device}, TensorFlow {tf.__version__}, Keras {keras.__version__}"


def threads() -> int:
    """CPU threads of an operation of TensorFlow's; 0 for all cores."""
    return tf.config.threading.get_intra_op_parallelism_threads()


def _processor() -> str:
    """The model name of the CPU, or its architecture where no system says."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
