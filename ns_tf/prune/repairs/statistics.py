"""Means and variances of batch norms, measured again on the network that is left."""

from collections.abc import Iterable, Iterator

import keras
import tensorflow as tf

from ns_tf.prune.repairs import Cut, repair


@repair("statistics", help="Measures the statistics of batch norms again.")
def statistics(cut: Cut) -> None:
    """Replaces moving means and variances by their means over training images.

    The activations of a network that has lost channels have other means and variances
    than those that its batch norms keep. Without this repair no cut can be judged.

    Args:
        cut: Its images are read in training mode, where norms that are not trained keep
            their statistics.
    """
    measure(cut.small, (images for images, _ in cut.proxy.batches()))


def measure(model: keras.Model, batches: Iterable[tf.Tensor]) -> None:
    """Sets the statistics of all norms to cumulative means over batches.

    After batches of b_1, b_2, ... images with means m_1, m_2, ... the moving mean is
    sum_j b_j m_j / sum_j b_j: the momentum at each batch is the share of the images
    seen before it. Two equal batches of means 1 and 3 give 2.

    Args:
        model: Changed in place; nothing else of it changes.
        batches: Images [batch, h, w, c]; nothing is done if there are none.
    """
    norms = list(_norms(model))
    before = [norm.momentum for norm in norms]
    seen = 0
    try:
        for images in batches:
            for norm in norms:
                norm.momentum = seen / (seen + len(images))
            model(images, training=True)
            seen += len(images)
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


def _norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """All batch norms of a model, and of models within it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer
