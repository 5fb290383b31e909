"""How good a trained network is with some of its channels alone, by closed gates."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gated import GatedNetwork
from ns_tf.parts import first
from ns_tf.problem.tasks import Task
from ns_tf.prune.norms import by_batch
from ns_tf.prune.scoring import Proxy


@dataclasses.dataclass(frozen=True)
class Worth:
    """How good a network is on some images."""

    loss: float  # Mean over the images.
    score: float  # The task's; higher is better.


class MaskedNetwork:
    """A trained network that any of its channels can be taken from, at once.

    Batch norms take the statistics of each minibatch, as the network that is left will
    be repaired before it is trained. The images are kept in memory.

    Args:
        model: With its weights; not changed.
        graph: Its channel graph, of n channels.
        task: Says loss and score.
        proxy: The images.
    """

    def __init__(
        self, model: keras.Model, graph: ChannelGraph, task: Task, proxy: Proxy
    ):
        self.task, self.proxy = task, proxy
        self.loss, self.count = task.loss(model), task.counter(model)
        self.gated = GatedNetwork(model, graph)

    def worth(self, keep: np.ndarray) -> Worth:
        """Loss and score with these channels alone.

        Args:
            keep: [n] bool: the channels whose gates are open.
        """
        row = tf.constant(self.gated.rows(1, keep)[0])
        total, counts = 0.0, 0
        for images, targets in self._batches:
            loss, count = self._sums(images, targets, row)
            total += float(loss)
            counts = counts + np.asarray(count).astype(float)
        return Worth(total / len(self.proxy.split), self.task.score_of(counts))

    @functools.cached_property
    def _batches(self) -> list[tuple]:
        """The minibatches; they are read again for every choice of channels."""
        return list(self.proxy.batches())

    @functools.cached_property
    def _sums(self) -> Callable:
        """(images, targets, a row of gates [n + 1]) -> (sum of losses, counts)."""
        model, loss, count = by_batch(self.gated.model), self.loss, self.count

        @tf.function(autograph=False, reduce_retracing=True)
        def sums(images, targets, row):
            rows = tf.repeat(row[None], tf.shape(first(images))[0], axis=0)
            outputs = model([images, rows])
            return tf.reduce_sum(loss(targets, outputs)), count(targets, outputs)

        return sums
