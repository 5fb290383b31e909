"""Gradients of the gates (eq. 4): of every training step, or of a trained network.

In a search a gate is a factor 1 of a channel. Where a batch norm is, its gamma and beta
together are the gate, as a factor of both is a factor of the channel; elsewhere it is a
layer. A trained network has gates of its own (`ns_tf.graph.gated`).
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.channels import NONE
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal


@signal("gate_gradient", shape="[channels]", in_step=True)
def gate_gradient(formula: Callable, reading: Reading) -> np.ndarray:
    """Sums of the formula over minibatches, [n].

    Of a search, over the steps since the last event. Of a trained network, over the
    minibatches that it is read with, in inference mode.

    Args:
        formula: Gate gradients [n] of a minibatch's mean loss -> scores [n]. In a
            search `Probe` calls it, in every step.
        reading: The network.
    """
    network = reading.network
    if isinstance(network, ScoredNetwork):
        sums = np.zeros(len(network.alive))

        def add(images, labels):
            sums[:] += formula(network.example_gradients(images, labels).mean(axis=0))

        reading.tally(network.steps, network.batches, add, {"sums": sums})
        return sums
    return network.score_sums()


@dataclasses.dataclass(frozen=True)
class NormGate:
    """A batch norm whose gamma and beta are the gates of its channels."""

    gamma: keras.Variable  # [channels]
    beta: keras.Variable  # [channels]
    places: tuple[int, int]  # Indices of gamma and beta in the trainable variables.
    channels: np.ndarray  # [channels]: their numbers; NONE (-1) for an image's.


@dataclasses.dataclass(frozen=True)
class Probe:
    """Reads gate gradients in a training step, and keeps closed gates closed.

    n is the number of channels of the seed network.

    Args:
        norms: Gates that are batch norms.
        gates: Gates that are layers: (variable [channels], their numbers).
        open: [n + 1]: 1 for channels that are alive; the last one is that of NONE.
        scores: [n]: every step adds the formula's values.
        formula: Gate gradients [n] -> scores [n]; None if no criterion reads them.
    """

    norms: Sequence[NormGate]
    gates: Sequence[tuple[keras.Variable, np.ndarray]]
    open: tf.Variable
    scores: tf.Variable
    formula: Callable | None

    @property
    def watch(self) -> list[keras.Variable]:
        """Variables beside the trainable ones whose gradients are read."""
        return [gate for gate, _ in self.gates]

    def __call__(self, own: list, others: list) -> list:
        """Adds to the scores; returns the gradients to apply.

        g dL/dg of a channel is the sum over its gates: gamma dL/dgamma + beta dL/dbeta
        of a batch norm, v dL/dv of the variable of a layer.

        Args:
            own: Gradients of the trainable variables.
            others: Gradients of `watch`.

        Returns:
            `own`, with zeros for gamma and beta of closed channels.
        """
        own, size = list(own), self.scores.shape[0]
        parts = []
        for norm in self.norms:
            i, j = norm.places
            parts.append(norm.gamma.value * own[i] + norm.beta.value * own[j])
            channels = np.where(norm.channels == NONE, size, norm.channels)
            still_open = tf.gather(self.open, channels)
            own[i], own[j] = own[i] * still_open, own[j] * still_open
        parts += [g.value * d for g, d in zip(self.watch, others, strict=True)]
        if self.formula is not None and parts:
            numbers = [norm.channels for norm in self.norms]
            numbers += [channels for _, channels in self.gates]
            gradients = tf.math.unsorted_segment_sum(
                tf.concat(parts, 0), np.concatenate(numbers), size
            )
            self.scores.assign_add(self.formula(gradients))
        return own
