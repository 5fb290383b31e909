"""Batch norms of a network: their statistics, measured again, and their gammas.

The activations of what is left have other means and variances than those that the
norms keep. Without new ones neither a cut nor a mask can be judged.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.channels import NONE, ChannelGraph
from ns_tf.graph.weights import Key


def measure(model: keras.Model, batches: Iterable[Any]) -> None:
    """Sets the statistics of all norms to cumulative means over batches.

    After batches of b_1, b_2, ... images with means m_1, m_2, ... the moving mean is
    sum_j b_j m_j / sum_j b_j: the momentum at each batch is the share of the images
    seen before it. Two equal batches of means 1 and 3 give 2. A norm that is called
    several times in the network sees as many batches in each pass.

    Args:
        model: Changed in place; nothing else of it changes.
        batches: What the model takes: images [batch, h, w, c], or a list that begins
            with them. None are taken where no norm would learn from them.
    """
    # A model within that is called in two models is met twice.
    norms = list(dict.fromkeys(norm for norm in _norms(model) if norm.trainable))
    if not norms:
        return
    with contextlib.ExitStack() as stack:
        for norm in norms:
            stack.enter_context(_cumulative(norm))
        for batch in batches:
            model(batch, training=True)


@contextlib.contextmanager
def _cumulative(norm: keras.layers.BatchNormalization) -> Iterator[None]:
    """A block in which each call counts by its examples among all in the block.

    Args:
        norm: Its momentum is the same again behind the block.
    """
    momentum, seen = norm.momentum, 0

    def call(inputs, *args, **kwargs):
        nonlocal seen
        count = inputs.shape[0] or 1  # None where a layer traces it.
        norm.momentum = seen / (seen + count)
        seen += count
        return type(norm).call(norm, inputs, *args, **kwargs)

    norm.call = call
    try:
        yield
    finally:
        del norm.call
        norm.momentum = momentum


def _norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """All batch norms of a model, and of models within it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer


def by_batch(model: keras.Model) -> keras.Model:
    """A model of the same layers whose norms take the statistics of each minibatch.

    All else is in inference mode: dropout does nothing. A norm that is not trained
    keeps its statistics. To be called without `training`.

    Args:
        model: Functional; the statistics that its norms keep change with every call.
    """

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.layers.BatchNormalization):
            kwargs["training"] = True
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )


def gammas(
    model: keras.Model, graph: ChannelGraph
) -> Iterator[tuple[Key, np.ndarray, keras.Variable]]:
    """(key, numbers of channels, gamma [channels]) of every norm that has one.

    Args:
        model: The network.
        graph: Its channel graph.
    """
    for key, variable in weights.weights(model).items():
        axes = graph.axes.get(key)
        if key[1] == "gamma" and axes and axes[-1] is not None:
            yield key, axes[-1], variable


def largest(
    model: keras.Model, graph: ChannelGraph, formula: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """[n]: of the norms that scale a channel the largest value of a formula; 0 of none.

    Args:
        model: The network.
        graph: Its channel graph, of n channels.
        formula: gamma [channels] -> values [channels], none below 0.
    """
    found = np.zeros(len(graph.owner))
    for _, channels, variable in gammas(model, graph):
        real = channels != NONE
        np.maximum.at(found, channels[real], formula(np.array(variable))[real])
    return found
