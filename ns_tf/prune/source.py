"""A trained network and its data, as they are given: checked, pixels scaled."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, ScalingLaw
from ns_tf.data import python_data
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import Dataset, scaled
from ns_tf.graph import weights
from ns_tf.graph.calls import functional
from ns_tf.graph.compilation import check_read
from ns_tf.graph.ends import scales_pixels
from ns_tf.graph.flat import flat
from ns_tf.graph.shapes import shape_of, with_shape
from ns_tf.networks import from_model, python_models
from ns_tf.parts import parts, shape_text
from ns_tf.problem import tasks
from ns_tf.problem.alignment import aligned
from ns_tf.problem.choice import outputs_of, task_of
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import data_config, load_dataset, settings_in
from ns_tf.problem.weighted import Weighted
from ns_tf.prune.pixels import Way, way_of
from ns_tf.run.folder import MODEL, PREFIX
from ns_tf.train.results import training_in

AUTO = "auto"


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained network, with its data as it takes them.

    Args:
        model: With its weights; never changed. Of a model that calls models within it
            the flat copy (`ns_tf.graph.flat.flat`).
        problem: The model as a function of its widths, data and task.
        pixels: How its pixels are scaled: a name of `ns_tf.data.dataset.WAYS`.
        folder: Of its training, if it came from one.
        data: Options of `ns_tf.data.config.DataConfig` by which its data were loaded,
            or made of what came from Python.
        told: How it is known that pixels are scaled so, for people.
    """

    model: keras.Model
    problem: Problem
    pixels: str
    folder: Path | None = None
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    told: str = ""


def trained_network(
    model: Any, data: Any = None, *, pixels: str = AUTO, **options: Any
) -> TrainedNetwork:
    """A trained network and its data; trains nothing.

    Args:
        model: A functional or sequential Keras model; the path of a `.keras` file; or a
            run folder with a training.
        data: As of `ns_tf.search`; that of the training, if None.
        pixels: How the network was given its pixels, a name of `WAYS`; "auto" takes the
            one of least loss, or what `ns_tf.train` did.
        **options: Of `ns_tf.data.config.DataConfig`.

    Raises:
        InputError: no such model or data, a model without a graph, one of several
            outputs that is not compiled, or one that was not trained for these data.
    """
    folder, found, kept = None, model, None
    if isinstance(model, (str, Path)):
        path = Path(model)
        if path.is_dir() and not from_model.is_saved_model(path):
            folder = training_in(path, None)
            path = folder / MODEL
            kept = settings_in(folder)
            if data is None:
                data, options = _data_of(folder, kept, options)
        found = from_model.load(str(path), fixed=True).source
    elif not isinstance(model, keras.Model):
        raise InputError(
            "Expected a trained keras.Model, the path of a .keras file, or a run "
            f"folder with a training; got {type(model).__name__}."
        )
    if data is None:
        raise InputError("Give the data that the model was trained on, as the second.")
    found = flat(found, blocks=True)
    dataset, used = _dataset(data, found, options, kept)
    dataset = aligned(dataset, found)
    # Whether a width has to be free, `kept_from` knows: where channels go. Of fixed
    # lengths the architecture may see through more layers than `found` does.
    architecture = from_model.from_model(
        with_shape(found, dataset.image_shape), fixed=True
    )
    found = architecture.source
    name = options.get("task") or (kept.task if kept else None)
    if folder and not name:
        check_read(found, folder / MODEL)
    task = tasks.get(name) if name else task_of(dataset, found)
    task = task.bound(found, dataset)
    dataset = task.prepared(dataset, outputs_of(found))
    task.check(dataset)
    check_classes(found, dataset)
    way, auto = Way(pixels), isinstance(pixels, str) and pixels == AUTO
    if auto and folder is None:
        weighted = dataset.train.weights is not None
        way = way_of(found, dataset, Weighted(task) if weighted else task)
    elif auto:  # Its flags say it, and else ns_tf normalises.
        own = "given" if all(parts(scales_pixels(found))) else "normalised"
        way = Way((kept.pixels if kept else None) or own)
    problem = Problem.of(architecture, scaled(dataset, way.name), task)
    if options.get("task"):
        used = {**used, "task": options["task"]}  # Of data from Python as well.
    told = f"{way}{'; --pixels= says it for sure' * way.near}"
    return TrainedNetwork(found, problem, way.name, folder, used, told)


def check_classes(model: keras.Model, dataset: Dataset) -> None:
    """Refuses a model that cannot have been trained for a data set.

    Args:
        model: Functional.
        dataset: The data; of several outputs its classes are those of the first.

    Raises:
        InputError: its images or its number of classes are others.
    """
    classes = model.outputs[0].shape[-1]
    if classes != dataset.classes:
        raise InputError(
            f"{model.name!r} puts out {classes} values, and {dataset.name} has "
            f"{dataset.classes} classes: it was not trained for these data."
        )
    shape = shape_of(model)
    if shape != dataset.image_shape:
        raise InputError(
            f"{model.name!r} takes inputs of {shape_text(shape)}, and those of "
            f"{dataset.name} are {shape_text(dataset.image_shape)}: it was not trained "
            "for these data (--image_size resizes a square set)."
        )


def _dataset(
    data: Any,
    model: keras.Model,
    options: dict[str, Any],
    kept: ProblemConfig | None,
) -> tuple[Dataset, dict[str, Any]]:
    """The data set of an object, or of a name at the size that the model takes.

    The options of its training hold for an object that the training had.

    Returns:
        The data set, and the options by which it was loaded.
    """
    known = dataclasses.asdict(kept) if kept else {}
    name = kept.dataset if kept else None
    dataset, own = python_data.again(data, name, known, options)
    if dataset is not None:
        given = {**(known if own else {}), **options}
        names = (n for n in python_data.OPTIONS if given.get(n) is not None)
        return dataset, {name: given[name] for name in names}
    image = next((x for x in model.inputs if len(x.shape) == 4), model.inputs[0])
    height, width = (*image.shape[1:3], None, None)[:2]
    if options.get("image_size") is None and height is not None and height == width:
        options = {**options, "image_size": height}
    used = {name: value for name, value in options.items() if value is not None}
    with python_data.named_in_folder(data) if kept else contextlib.nullcontext():
        return load_dataset(DataConfig(dataset=data, **used)), used


def _data_of(
    folder: Path, settings: ProblemConfig | None, options: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The data set that a training was given, and the options of its flags.

    Raises:
        InputError: its flags name none, as of data that came from Python.
    """
    if settings is None or not settings.dataset:
        raise InputError(
            f"{folder} does not name its data; give them as the second argument."
        )
    config = data_config(settings)
    given = {name: value for name, value in options.items() if value is not None}
    own = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    own.pop("dataset")
    return settings.dataset, {**own, **given}


def fingerprint(model: keras.Model) -> str:
    """12 hexadecimal digits of all weights, with their names, and of the graph.

    With other strides or activations, the same weights are another network.

    Args:
        model: Functional or sequential.
    """
    graph = functional(model)
    digest = hashlib.sha256(python_models.settings_digest(graph).encode())
    for (layer, name), value in weights.values(graph).items():
        digest.update(f"{layer} {name} {value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:12]


def law_name(law: ScalingLaw) -> str:
    """What settings call the law of a search that has no folder: by its numbers."""
    numbers = np.concatenate([law.alpha, law.beta]).tobytes()
    return PREFIX + hashlib.sha256(numbers).hexdigest()[:12]


def kept_from(
    source: TrainedNetwork, keep: tuple[str, ...], *, fixed: bool = False
) -> Problem:
    """The problem of a trained network some of whose layers keep all their filters.

    Args:
        source: The network.
        keep: Names of layers, or patterns of names.
        fixed: Whether no width has to be left free, as where no channels go.

    Raises:
        InputError: a name that no layer with filters has, or no width is left free.
    """
    own = source.problem
    if not keep and (fixed or own.architecture.widths):
        return own
    architecture = from_model.from_model(source.model, keep=keep, fixed=fixed)
    return Problem.of(architecture, own.dataset, own.task)
