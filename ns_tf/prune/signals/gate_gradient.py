"""Gradients of the gates (eq. 4), read in every training step."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.channels import NONE
from ns_tf.prune.signals import signal


@signal("gate_gradient", shape="[channels]", in_step=True)
def gate_gradient(formula, reading):
    """Sums of the formula over the steps since the last event, [n].

    The formula was called in the steps, by `Probe`.
    """
    return reading.network.score_sums()


@dataclasses.dataclass(frozen=True)
class NormGate:
    """A batch norm whose gamma and beta are the gates of the channels behind it."""

    gamma: keras.Variable  # [channels]
    beta: keras.Variable  # [channels]
    places: tuple[int, int]  # Of gamma and beta among the trainable variables.
    channels: np.ndarray  # [channels]: their numbers; NONE is -1.


@dataclasses.dataclass(frozen=True)
class Probe:
    """Reads gate gradients in a training step, and keeps closed gates closed.

    n is the number of channels of the seed network.
    """

    norms: Sequence[NormGate]
    gates: Sequence[tuple[keras.Variable, np.ndarray]]  # Each with its channel numbers.
    open: tf.Variable  # [n + 1]: 1 for channels that are alive; the last is NONE.
    scores: tf.Variable  # [n]: the formula is added to it in every step.
    formula: Callable | None  # None: no criterion reads gate gradients.

    @property
    def watch(self) -> list[keras.Variable]:
        """Variables beside the trainable ones whose gradients are read."""
        return [gate for gate, _ in self.gates]

    def __call__(self, own: list, others: list) -> list:
        """Adds to the scores; returns the gradients to apply.

        The gradient of a channel's gate is the sum over the edges by which the channel
        leaves. Behind a batch norm it is gamma dL/dgamma + beta dL/dbeta.

        Args:
            own: Gradients of the trainable variables.
            others: Gradients of `watch`.
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
        if self.formula is not None:
            numbers = [norm.channels for norm in self.norms]
            numbers += [channels for _, channels in self.gates]
            gradients = tf.math.unsorted_segment_sum(
                tf.concat(parts, 0), np.concatenate(numbers), size
            )
            self.scores.assign_add(self.formula(gradients))
        return own
