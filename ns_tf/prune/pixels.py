"""How a trained model wants its pixels: nobody can see it, but its loss tells.

A model that begins with a `Rescaling` says it. Of any other, the scale at which it was
trained is a habit of whoever trained it.
"""

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import WAYS, Dataset, for_network, scaled
from ns_tf.data.holdout import spread, take
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import scales_pixels
from ns_tf.parts import parts
from ns_tf.problem.tasks import Task

IMAGES = 512  # Validation images that the loss is read from.


def way_of(model: keras.Model, dataset: Dataset, task: Task) -> str:
    """The way at which the model's loss on validation images is least.

    Args:
        model: Trained. Of its inputs those that it scales itself are given as they are;
            all others are scaled in one way.
        dataset: As it was read.
        task: Says the loss.

    Returns:
        A name of `WAYS`. "given" of a model that scales pixels itself. "normalised" of
        a data set whose pixels have been scaled for a network already.

    Raises:
        InputError: at no scale the loss is finite.
    """
    own = scales_pixels(functional(model))
    if all(parts(own)):
        return "given"
    if all(parts(dataset.as_given)):
        return "normalised"
    losses = {
        way: _loss(model, for_network(scaled(dataset, way), own), task) for way in WAYS
    }
    finite = {way: loss for way, loss in losses.items() if np.isfinite(loss)}
    if not finite:
        raise InputError(
            f"The loss of {model.name!r} on {dataset.name} is not finite. Are its "
            "weights, and the images?"
        )
    return min(finite, key=finite.get)


def _loss(model: keras.Model, dataset: Dataset, task: Task) -> float:
    """Mean loss over at most `IMAGES` validation images."""
    split = dataset.validation
    count = min(IMAGES, len(split))
    split = take(split, spread(len(split), count))
    loss, total = task.loss(model), 0.0
    for images, labels in eval_batches(dataset, split, 128):
        outputs = model(images, training=False)
        total += float(np.sum(loss(labels, outputs)))
    return total / count
