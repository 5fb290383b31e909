"""Which task a network and data are for, where nobody says it."""

from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import are_classes, distributions, one_hot, zeros_and_ones
from ns_tf.graph.calls import functional
from ns_tf.graph.compilation import Compilation
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax
from ns_tf.problem import tasks
from ns_tf.problem.tasks import Task

# Losses of the other tasks, by class, function or short name.
_COVERED = {
    *("sparsecategoricalcrossentropy", "categoricalcrossentropy", "crossentropy", "ce"),
    *("binarycrossentropy", "bce", "meansquarederror", "mse"),
}


def task_of(dataset: Dataset, model: keras.Model | None = None) -> Task:
    """The task that targets, and the outputs of a network, tell of.

    A model that is compiled with a loss of no other task, or has several outputs, has
    the task "compiled". Of any other:

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
    if model is not None and _compiled_for_more(model):
        return tasks.get("compiled")
    labels = [np.asarray(getattr(dataset, name).labels) for name in SPLITS]
    shape, outputs = labels[0].shape[1:], outputs_of(model)
    whole = labels[0].dtype.kind in "iu"
    if outputs is not None and len(outputs) > 1:
        return tasks.get("segmentation" if whole else "regression")
    if outputs is None and whole and len(shape) > 1:
        return tasks.get("segmentation")
    if not shape and outputs not in (None, (1,)):
        return tasks.get("classification")
    if all(map(are_classes, labels)) and outputs != (1,):
        return tasks.get("classification")
    if len(shape) == 1 and _one_of_several(labels, model):
        return tasks.get("classification")
    if len(shape) > 1 or not all(map(zeros_and_ones, labels)):
        return tasks.get("regression")
    return tasks.get("binary" if shape in ((), (1,)) else "multilabel")


def _compiled_for_more(model: keras.Model) -> bool:
    """Whether a model has a loss that no task but "compiled" has.

    Raises:
        InputError: it has several outputs and is not compiled.
    """
    found = Compilation.of(model)
    if len(model.outputs) > 1:
        if found is None:
            raise InputError(
                f"{model.name!r} has {len(model.outputs)} outputs, and nothing says "
                "how they are compared with targets: compile it with a loss for each, "
                "model.compile(loss={...})."
            )
        return True
    return found is not None and _loss_name(found.losses[0]) not in _COVERED


def _loss_name(loss: Any) -> str:
    """The name of a loss in small letters, without underscores."""
    found = loss if isinstance(loss, str) else keras.losses.get(loss)
    name = found if isinstance(found, str) else getattr(found, "__name__", None)
    return (name or type(found).__name__).replace("_", "").lower()


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
