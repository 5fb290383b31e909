"""Models and data given as Python objects: told apart by content, kept for later.

A name would not do: Keras numbers unnamed models anew in every process, and two models
may have one name. So the run folder keeps the model, and its flags keep a fingerprint.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf import datasets, pipeline, records
from ns_tf.architectures import from_model
from ns_tf.base import Architecture, InputError
from ns_tf.channels import functional, trace

PREFIX = "python:"
MODEL = "model.keras"


def architecture(model: Any, run_dir: str | Path | None) -> Architecture | None:
    """The architecture of a model; None for a name, which is looked up later.

    The model that a run folder keeps stands for one of the same fingerprint: its
    layers' names are those that the run's files use.

    Raises:
        InputError: if it is neither a model nor a name.
    """
    if isinstance(model, str):
        return None
    if isinstance(model, Architecture):
        return model
    if not isinstance(model, keras.Model):
        raise InputError(
            "Expected an architecture's name, an Architecture, or a functional or "
            f"sequential model; got {model!r}."
        )
    name = PREFIX + _model_fingerprint(model)
    kept = Path(run_dir) / MODEL if run_dir else None
    if kept and kept.exists():
        found = from_model.load(str(kept)).source
        if PREFIX + _model_fingerprint(found) == name:
            model = found
    return from_model.from_model(model, name)


def save(found: Architecture, folder: Path) -> None:
    """Keeps the model of an architecture that has no name to find it by."""
    if found.name.startswith(PREFIX) and not (folder / MODEL).exists():
        save_model(found.source, folder / MODEL)


def saved(name: str, folder: str | Path) -> Architecture | None:
    """The architecture of a Python model that `save` kept; None for one with a name.

    Args:
        name: As the search calls it.
        folder: The run folder.

    Raises:
        InputError: if the run folder has lost the model.
    """
    if not name.startswith(PREFIX):
        return None
    model = from_model.load(str(Path(folder) / MODEL)).source
    return from_model.from_model(model, name)


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a `.keras` file whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / MODEL
        model.save(written)
        with records.replacing(path) as file:
            file.write(written.read_bytes())


def dataset(data: Any) -> pipeline.Dataset | None:
    """The data set of arrays or of a `tf.data.Dataset`; None for a name.

    Raises:
        InputError: if it is none of these.
    """
    if isinstance(data, str):
        return None
    if isinstance(data, pipeline.Dataset):
        return data
    if isinstance(data, tuple):
        return datasets.from_arrays(data, name=PREFIX + _fingerprint(*data))
    if hasattr(data, "element_spec"):
        made = datasets.from_tf_data(data)
        parts = (made.train, made.validation, made.test)
        arrays = [array for part in parts for array in (part.images, part.labels)]
        return datasets.renamed(made, PREFIX + _fingerprint(*arrays))
    raise InputError(
        "Expected a data set's name, a Dataset, a tf.data.Dataset or a pair of arrays "
        f"(images, labels); got {type(data).__name__}."
    )


def _fingerprint(*arrays: Any) -> str:
    """12 hexadecimal digits of shapes, types and values."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _model_fingerprint(model: keras.Model) -> str:
    """The same of a model's graph and weight shapes; names and values do not count."""
    model = functional(model)
    graph = trace(model)
    number = {call.output: i for i, call in enumerate(graph.calls)}
    kinds = {operation.name: operation for operation in model.operations}
    text = [
        (
            type(kinds[call.name]).__name__,
            [number[tensor] for tensor in call.inputs],
            graph.shapes[call.output],
            [tuple(w.shape) for w in getattr(kinds[call.name], "weights", [])],
        )
        for call in graph.calls
    ]
    return hashlib.sha256(repr(text).encode()).hexdigest()[:12]
