"""Data in the order and the shapes of a model's inputs and outputs."""

import dataclasses
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import with_inputs
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.structure import reordered
from ns_tf.graph.calls import input_names
from ns_tf.graph.compilation import output_names
from ns_tf.parts import Parts, each, parts

# Fields of a data set that have a part an input.
_BY_INPUT = ("image_shape", "mean", "std", "as_given", "inputs")


def aligned(dataset: Dataset, model: keras.Model | None) -> Dataset:
    """The data set as a model takes it; done twice, it changes nothing.

    Arrays that came by name get the order of the model's inputs and outputs; others
    have that order already. An axis of 1 is added or left out at the end where the
    model's input has it otherwise, as `fit` does: gray images [n, h, w].

    Args:
        dataset: As it was given.
        model: As `ns_tf.graph.flat.flat` gives it; None for an architecture, which has
            one input and one output.

    Raises:
        InputError: other names, or another number of arrays.
    """
    _check_count(dataset, model)
    if model is None:
        return dataset
    if len(model.inputs) > 1:
        dataset = _inputs_by_name(dataset, input_names(model))
    if len(parts(dataset.train.labels)) > 1:
        dataset = _targets_by_name(dataset, output_names(model))
    return _of_rank(dataset, model)


def _check_count(dataset: Dataset, model: keras.Model | None) -> None:
    """Passes one array for each input, and one of targets for a single output."""
    counts = (1, 1) if model is None else (len(model.inputs), len(model.outputs))
    given = len(parts(dataset.train.images)), len(parts(dataset.train.labels))
    name = "The architecture" if model is None else repr(model.name)
    for what, count, found in zip(("input", "output"), counts, given, strict=True):
        # Of several outputs the task says it, which asks for a compiled model first.
        if found != count and (what == "input" or count == 1):
            raise InputError(
                f"{name} has {count} {what}{'s' * (count > 1)}, and {dataset.name} has "
                f"{found} array{'s' * (found > 1)} for that; give one for each, in a "
                "dictionary or a tuple."
            )


def _inputs_by_name(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """The data set with its inputs in the order of these names."""

    def ordered(value):
        what = f"{dataset.name}: the model"
        return reordered(what, value, dataset.input_names, names)

    splits = {
        name: dataclasses.replace(
            getattr(dataset, name), images=ordered(getattr(dataset, name).images)
        )
        for name in SPLITS
    }
    facts = {field: ordered(getattr(dataset, field)) for field in _BY_INPUT}
    return dataclasses.replace(dataset, input_names=names, **splits, **facts)


def _targets_by_name(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    """The data set with its targets, and weights, in the order of these names."""
    what = f"{dataset.name}: the loss of the model"

    def ordered(value):
        if not isinstance(value, Parts):  # Weights of all outputs, or none.
            return value
        return reordered(what, value, dataset.output_names, names)

    splits = {
        name: dataclasses.replace(
            split, labels=ordered(split.labels), weights=ordered(split.weights)
        )
        for name in SPLITS
        for split in (getattr(dataset, name),)
    }
    return dataclasses.replace(dataset, output_names=names, **splits)


def _of_rank(dataset: Dataset, model: keras.Model) -> Dataset:
    """The data set with inputs of as many axes as the model's inputs have."""
    tensors: Any = Parts(model.inputs) if len(model.inputs) > 1 else model.inputs[0]

    def change(shape: tuple[int, ...], tensor: keras.KerasTensor) -> int:
        """1 where an axis is to be added at the end, -1 where one is left out."""
        more = len(tensor.shape) - 1 - len(shape)
        fits = tensor.shape[-1] == 1 if more == 1 else shape[-1:] == (1,)
        return more if abs(more) == 1 and fits else 0

    def changed(array: np.ndarray, more: int) -> np.ndarray:
        return array[..., None] if more == 1 else array[..., 0] if more else array

    changes = each(change, dataset.image_shape, tensors)
    if not any(parts(changes)):
        return dataset
    inputs = [getattr(dataset, name).images for name in SPLITS]
    return with_inputs(dataset, [each(changed, one, changes) for one in inputs])
