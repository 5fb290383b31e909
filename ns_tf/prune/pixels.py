"""How a trained model wants its pixels: nobody can see it, but its loss tells.

A model that begins with a `Rescaling` says it. Of any other, the scale at which it was
trained is a habit of whoever trained it.
"""

import dataclasses
import operator
from collections.abc import Mapping

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
_NEAR = 0.1  # A loss that is larger by up to this share of the least is near a tie.


@dataclasses.dataclass(frozen=True)
class Way:
    """How a model was given its pixels, and how that is known.

    Args:
        name: Of `WAYS`.
        losses: Of the ways that were tried, the finite ones; none where nothing had to
            be tried.
    """

    name: str
    losses: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def near(self) -> bool:
        """Whether another way has nearly the same loss.

        >>> Way("unit", {"unit": 0.5, "given": 0.52}).near, Way("given").near
        (True, False)
        """
        least, *others = sorted(self.losses.values()) or [0.0]
        return any(loss - least <= _NEAR * abs(least) for loss in others)

    def __str__(self) -> str:
        """The way; of one that was found by trying with the losses.

        >>> print(Way("unit", {"given": 0.52, "unit": 0.5}))
        unit (the least loss: unit 0.5, given 0.52; near a tie)
        """
        if not self.losses:
            return self.name
        ranked = sorted(self.losses.items(), key=operator.itemgetter(1))
        told = ", ".join(f"{name} {loss:.4g}" for name, loss in ranked)
        return f"{self.name} (the least loss: {told}{'; near a tie' * self.near})"


def way_of(model: keras.Model, dataset: Dataset, task: Task) -> Way:
    """The way at which the model's loss on validation images is least.

    Args:
        model: Trained. Of its inputs those that it scales itself are given as they are;
            all others are scaled in one way.
        dataset: As it was read.
        task: Says the loss.

    Returns:
        "given" of a model that scales pixels itself, "normalised" of a data set whose
        pixels have been scaled for a network already; nothing is tried then.

    Raises:
        InputError: at no scale the loss is finite.
    """
    own = scales_pixels(functional(model))
    if all(parts(own)):
        return Way("given")
    if all(parts(dataset.as_given)):
        return Way("normalised")
    losses = {
        way: _loss(model, for_network(scaled(dataset, way), own), task) for way in WAYS
    }
    finite = {way: loss for way, loss in losses.items() if np.isfinite(loss)}
    if not finite:
        raise InputError(
            f"The loss of {model.name!r} on {dataset.name} is not finite. Are its "
            "weights, and the images?"
        )
    return Way(min(finite, key=finite.get), finite)


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
