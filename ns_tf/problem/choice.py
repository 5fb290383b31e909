"""Which task a network and data are for, where nobody says it."""

import copy
import dataclasses
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import are_classes, distributions, one_hot, zeros_and_ones
from ns_tf.graph.calls import functional
from ns_tf.graph.compilation import CROSSENTROPY, Compilation
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax
from ns_tf.problem import tasks
from ns_tf.problem.tasks import Task

_CLASSES, _YES_OR_NO, _SQUARES = "classes", "yes or no", "squares"
# Losses that tasks compute, and what each compares; told by identity, as others may
# have their names.
_KINDS = {
    keras.losses.SparseCategoricalCrossentropy: _CLASSES,
    keras.losses.sparse_categorical_crossentropy: _CLASSES,
    keras.losses.CategoricalCrossentropy: _CLASSES,
    keras.losses.categorical_crossentropy: _CLASSES,
    keras.losses.BinaryCrossentropy: _YES_OR_NO,
    keras.losses.binary_crossentropy: _YES_OR_NO,
    keras.losses.MeanSquaredError: _SQUARES,
    keras.losses.mean_squared_error: _SQUARES,
}
# Options of a loss that change nothing: a task reads off the model's last layer whether
# its outputs are logits.
_FREE = {"name", "dtype", "from_logits"}
_NO_CLASS = 255  # What segmentation leaves out unless it is asked.


def task_of(dataset: Dataset, model: keras.Model | None = None) -> Task:
    """The task that a network was compiled for, or that targets and outputs tell of.

    A compiled loss decides, where the model has one:

    | loss | targets and outputs | task |
    |---|---|---|
    | cross-entropy of classes | a class, or probabilities | classification |
    | cross-entropy of classes | a class at every place | segmentation |
    | binary cross-entropy | one number | binary |
    | binary cross-entropy | several numbers | multilabel |
    | binary cross-entropy | 0 or 1 at every place | segmentation |
    | squared error | numbers | regression |
    | one that an option or a weight changes | any | compiled |
    | any other, or several | any | compiled |

    Targets that are none of the loss's task have the task "compiled", too, which
    computes the loss as it is. Of a model that is not compiled:

    | targets | outputs | task |
    |---|---|---|
    | a whole number at every place of the outputs | more axes | segmentation |
    | one number | several | classification, which refuses what is no class |
    | a whole number | as many as there are classes | classification |
    | 0 or 1 | one | binary |
    | one-hot | several, no sigmoid | classification |
    | probabilities | a softmax | classification |
    | zeros and ones | several | multilabel |
    | other numbers | any | regression |

    Args:
        dataset: With targets as they were given.
        model: None if the network takes its output from the data.

    Raises:
        InputError: the model has several outputs and is not compiled.
    """
    found = None if model is None else Compilation.of(model)
    if model is not None and len(model.outputs) > 1:
        if found is None:
            raise InputError(
                f"{model.name!r} has {len(model.outputs)} outputs, and nothing says "
                "how they are compared with targets: compile it with a loss for each, "
                "model.compile(loss={...})."
            )
        return tasks.get("compiled")
    labels = [np.asarray(getattr(dataset, name).labels) for name in SPLITS]
    if found is not None:
        return _compiled_for(found, labels, outputs_of(model))
    return tasks.get(_by_look(labels, model))


def _compiled_for(
    found: Compilation, labels: list[np.ndarray], outputs: tuple[int, ...]
) -> Task:
    """The task of a compiled model; networks of it are compiled with its loss.

    So the task of a trained network is that of the model it was made of.
    """
    name = _by_loss(found, labels, outputs)
    if name is None:
        return tasks.get("compiled")
    made = copy.copy(tasks.get(name))
    # Its metrics may be functions that no file could bring back.
    made.compilation = dataclasses.replace(found, metrics=((),))
    return made


def _by_loss(
    found: Compilation, labels: list[np.ndarray], outputs: tuple[int, ...]
) -> str | None:
    """The task that computes what a model of one output was compiled with.

    Args:
        found: What it was compiled with.
        labels: Of all splits.
        outputs: Shape of the outputs for an example.

    Returns:
        None where no task but "compiled" does.
    """
    if found.weights[0] != 1:
        return None
    kind = _kind(found.losses[0], outputs)
    if kind == _CLASSES:
        return _of_classes(labels, outputs)
    if kind == _YES_OR_NO:
        return _of_yes_or_no(labels, outputs)
    return "regression" if kind == _SQUARES else None


def _kind(loss: Any, outputs: tuple[int, ...]) -> str | None:
    """What a loss compares; None for one that only "compiled" computes."""
    if str(loss).lower() in CROSSENTROPY:  # Keras chooses by the outputs.
        return _YES_OR_NO if outputs[-1] == 1 else _CLASSES
    found = keras.losses.get(loss)
    if not isinstance(found, keras.losses.Loss):
        return _KINDS.get(found)
    kind = type(found)
    if kind not in _KINDS:
        return None
    own, usual = found.get_config(), kind().get_config()
    if own.get("reduction") == "mean":  # Another name of the usual one.
        own = {**own, "reduction": usual["reduction"]}
    changed = [name for name in own if own[name] != usual.get(name)]
    return _KINDS[kind] if set(changed) <= _FREE else None


def _of_classes(labels: list[np.ndarray], outputs: tuple[int, ...]) -> str | None:
    """The task of a cross-entropy of classes; None if targets are no classes."""
    if not all(map(_whole, labels)):
        return "classification" if all(map(distributions, labels)) else None
    shape = labels[0].shape[1:]
    if len(outputs) == 1 and (shape in ((), (1,)) or all(map(one_hot, labels))):
        return "classification"
    if len(outputs) > 1 and shape in (outputs[:-1], (*outputs[:-1], 1)):
        # A vocabulary has a word of the number that segmentation leaves out.
        taken = outputs[-1] > _NO_CLASS and any((x == _NO_CLASS).any() for x in labels)
        return None if taken else "segmentation"
    return None


def _of_yes_or_no(labels: list[np.ndarray], outputs: tuple[int, ...]) -> str | None:
    """The task of a binary cross-entropy; None if targets are none of its tasks."""
    shape = labels[0].shape[1:]
    if outputs == (1,):
        return "binary" if shape in ((), (1,)) else None
    if len(outputs) == 1:
        return "multilabel" if shape == outputs else None
    masks = labels[0].dtype.kind in "iu" or all(map(zeros_and_ones, labels))
    places = shape in (outputs, outputs[:-1])
    return "segmentation" if places and masks and outputs[-1] == 1 else None


def _whole(targets: np.ndarray) -> bool:
    """Whether all targets are whole numbers, of any type."""
    return targets.dtype.kind in "iu" or bool((targets == np.rint(targets)).all())


def _by_look(labels: list[np.ndarray], model: keras.Model | None) -> str:
    """The task that targets, and the outputs of a network, tell of.

    Args:
        labels: Of all splits.
        model: That is not compiled; None if the network takes its output from the data.
    """
    shape, outputs = labels[0].shape[1:], outputs_of(model)
    whole = labels[0].dtype.kind in "iu"
    if outputs is not None and len(outputs) > 1:
        return "segmentation" if whole else "regression"
    if outputs is None and whole and len(shape) > 1:
        return "segmentation"
    if not shape and outputs not in (None, (1,)):
        return "classification"
    if shape == (1,) and outputs not in (None, (1,)) and all(map(_whole, labels)):
        return "classification"
    if all(map(are_classes, labels)) and outputs != (1,):
        return "classification"
    if len(shape) == 1 and _one_of_several(labels, model):
        return "classification"
    if len(shape) > 1 or not all(map(zeros_and_ones, labels)):
        return "regression"
    return "binary" if shape in ((), (1,)) else "multilabel"


def _one_of_several(labels: list[np.ndarray], model: keras.Model | None) -> bool:
    """Whether targets [n, classes] are classes, one-hot or as probabilities."""
    if not all(map(distributions, labels)):
        return False
    if model is not None and ends_in_softmax(functional(model)):
        return True
    independent = model is not None and ends_in_sigmoid(functional(model))
    return all(map(one_hot, labels)) and not independent


def outputs_of(model: keras.Model | None) -> tuple[int, ...] | None:
    """Shape of the outputs for an example; None without a network.

    Args:
        model: Of one output.
    """
    return None if model is None else tuple(model.outputs[0].shape[1:])
