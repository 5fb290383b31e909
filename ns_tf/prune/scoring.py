"""A trained network as signals read it, and the scores of its channels.

Scores are read in inference mode, from training images that are not varied.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import Dataset, Split
from ns_tf.data.holdout import take
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.calls import functional
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.masks import Kernels
from ns_tf.parts import first
from ns_tf.prune.norms import measure

SCORING = "scoring.npz"  # The checkpoint of the scoring under way.
_PROXY = 0x9E0  # Keeps the draw of proxy images apart from those of epochs.


@dataclasses.dataclass(frozen=True, eq=False)
class Proxy:
    """Training images that a trained network is read with.

    Args:
        dataset: Says how images are scaled.
        split: The images.
        batch: Images of a minibatch; the last one may have fewer.
    """

    dataset: Dataset
    split: Split
    batch: int

    @classmethod
    def of(cls, dataset: Dataset, *, images: int, batch: int, seed: int) -> "Proxy":
        """A choice of training images by the seed; all, if there are no more.

        Args:
            dataset: As the network takes it.
            images: How many.
            batch: Images of a minibatch.
            seed: Chooses which ones.
        """
        order = np.random.default_rng([seed, _PROXY]).permutation(len(dataset.train))
        return cls(dataset, take(dataset.train, order[:images]), batch)

    @property
    def steps(self) -> int:
        """Number of minibatches."""
        return -(-len(self.split) // self.batch)

    def batches(self, first: int = 0) -> Iterable[tuple]:
        """(images [batch, h, w, c], labels [batch]) from the minibatch `first` on."""
        return eval_batches(self.dataset, self.split, self.batch).skip(first)


class ScoredNetwork:
    """A trained network as signals read it.

    n is the number of channels of the graph. The network is copied with its gates when
    a signal first needs them.

    Args:
        model: With its weights; not changed.
        graph: Its channel graph.
        loss: (labels, outputs) -> losses [batch].
        proxy: The images that it is read with.
        wanted: [n] bool: the channels whose scores are asked for. All, if None.
        alive: [n] bool: the channels whose gates are open, as in a later round. All,
            if None.
    """

    def __init__(
        self,
        model: keras.Model,
        graph: ChannelGraph,
        loss: Callable,
        proxy: Proxy,
        wanted: np.ndarray | None = None,
        *,
        alive: np.ndarray | None = None,
    ):
        self.model, self.graph, self.loss, self.proxy = model, graph, loss, proxy
        every = np.ones(len(graph.owner), bool)
        self.alive = every if alive is None else alive
        self.wanted = every if wanted is None else wanted

    @property
    def steps(self) -> int:
        """Number of minibatches."""
        return self.proxy.steps

    def batches(self, first: int = 0) -> Iterable[tuple]:
        """Minibatches from one on, as `Proxy.batches`."""
        return self.proxy.batches(first)

    @functools.cached_property
    def gated(self) -> GatedNetwork:
        """A copy of the network with its gates.

        Where gates are closed, its batch norms have the statistics of what is left.
        """
        network = GatedNetwork(self.model, self.graph)
        if not self.alive.all():
            rows = functools.partial(network.rows, keep=self.alive)
            measure(
                network.model,
                ([x, tf.constant(rows(len(first(x))))] for x, _ in self.batches()),
            )
        return network

    def rows(self, count: int) -> np.ndarray:
        """Gates [count, n + 1], the same for each image: 1 where alive, else 0."""
        return self.gated.rows(count, self.alive)

    def kernels(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(numbers of channels [filters], kernel [..., filters]) of all layers."""
        for axes, variable in weights.kernels(self.model, self.graph):
            yield axes[-1], np.array(variable)

    def layer_of(self, channel: int) -> str:
        """The name of the first layer that makes a channel, for errors."""
        return self.graph.groups[self.graph.owner[channel]].name

    def as_logits(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs [..., classes] before their softmax, up to a constant an image.

        Args:
            outputs: Of the network; probabilities, if it ends in a softmax.
        """
        if not ends_in_softmax(functional(self.model)):
            return outputs
        return np.log(np.maximum(outputs, np.finfo(np.float32).tiny))

    def example_gradients(self, images: tf.Tensor, labels: tf.Tensor) -> np.ndarray:
        """dL_i/dg of every image i and channel, [batch, n], float64.

        Of an open channel, g = 1, so this is g dL_i/dg: to first order what the loss
        falls by without it. Of a closed one, g = 0, it is what the loss rises by with
        it. L_i is the image's own loss, not divided by the batch. The sum over the
        channel's pixels and over all edges by which it leaves is inside.

        Args:
            images: [batch, h, w, c].
            labels: [batch].
        """
        rows = tf.constant(self.rows(len(first(images))))
        return self._gradients(images, labels, rows).numpy().astype(float)[:, :-1]

    @functools.cached_property
    def _gradients(self) -> Callable:
        """(images, labels, gates) -> gate gradients [batch, n + 1], compiled."""
        model, loss = self.gated.model, self.loss

        @tf.function(autograph=False, reduce_retracing=True)
        def gradients(images, labels, rows):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(rows)
                total = tf.reduce_sum(
                    loss(labels, model([images, rows], training=False))
                )
            # Channels that the loss does not read have a slope of 0.
            return tape.gradient(
                total, rows, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        return gradients

    @functools.cached_property
    def outputs(self) -> Callable:
        """(images, a row of gates [n + 1]) -> outputs [batch, classes], compiled."""
        model = self.gated.model

        @tf.function(autograph=False, reduce_retracing=True)
        def outputs(images, row):
            rows = tf.repeat(row[None], tf.shape(first(images))[0], axis=0)
            return model([images, rows], training=False)

        return outputs


class ScoredWeights(ScoredNetwork):
    """A network as signals read it, whose every weight is a filter.

    The arguments are those of `ScoredNetwork`, and `entries`, the weights.
    """

    def __init__(self, *arguments: Any, entries: Kernels, **options: Any):
        super().__init__(*arguments, **options)
        self.entries = entries

    def kernels(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As of `ScoredNetwork`: (numbers of weights [m], kernel [1, m])."""
        arrays = weights.values(self.model)
        for key, own in zip(self.entries.shapes, self.entries.places, strict=True):
            yield own, arrays[key].reshape(1, -1)

    def example_gradients(self, images: tf.Tensor, labels: tf.Tensor) -> np.ndarray:
        """dL/d|w| of the minibatch's summed loss, [1, n], float64.

        A row an image would be as many numbers as the network has weights. The square
        of the sum stands for the sum of their squares: so it is, but for what they
        have in common, which is little where the network has learned.

        Args:
            images: [batch, h, w, c].
            labels: [batch].
        """
        found = dict(
            zip(self.entries.shapes, self._slopes(images, labels), strict=True)
        )
        signs = np.sign(self.entries.flat(weights.values(self.model)))
        return (signs * self.entries.flat(found))[None]

    @functools.cached_property
    def _slopes(self) -> Callable:
        """(images, labels) -> gradients of the kernels, compiled."""
        model, loss = self.model, self.loss
        keys = weights.trainable_keys(model)
        by_key = dict(zip(keys, model.trainable_variables, strict=True))
        kernels = [by_key[key].value for key in self.entries.shapes]

        @tf.function(autograph=False, reduce_retracing=True)
        def slopes(images, labels):
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(loss(labels, model(images, training=False)))
            # A kernel that the loss does not read has a slope of 0.
            return tape.gradient(
                total, kernels, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        return slopes


@dataclasses.dataclass
class Tally:
    """Sums over images or channels, as a stepper (`ns_tf.engine.loop.Stepper`).

    Args:
        total: Steps in all.
        items: First step -> the items from there on, each the arguments of `add`.
        add: Adds one item to the arrays.
        arrays: By name; changed in place, and what a checkpoint holds.
    """

    total: int
    items: Callable[[int], Iterable]
    add: Callable[..., None]
    arrays: Mapping[str, np.ndarray]
    steps: int = 0

    @property
    def finished(self) -> bool:
        """Whether every item was added."""
        return self.steps >= self.total

    def batches(self) -> Iterable[tuple]:
        """The items that are left."""
        return self.items(self.steps)

    def step(self, *item: Any) -> None:
        """Adds one item."""
        self.add(*item)
        self.steps += 1

    def shown(self) -> dict[str, Any]:
        """Nothing beside the count."""
        return {}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The sums so far, and of how many items they are."""
        return dict(self.arrays), {"steps": self.steps}

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned."""
        for name, array in self.arrays.items():
            array[...] = arrays[name]
        self.steps = facts["steps"]


def tally_in(runtime: Runtime, checkpoint: str = SCORING) -> Callable[..., None]:
    """How signals go through images or channels in a runtime.

    Args:
        runtime: Shows progress, keeps checkpoints, stops.
        checkpoint: Name of the checkpoint's file.

    Returns:
        A function as `ns_tf.prune.signals.tally_at_once`, which continues where an
        earlier process was stopped or killed.
    """

    def tally(total, items, add, arrays):
        work = Tally(total, items, add, arrays)
        loop.run(work, total, runtime, label="score", checkpoint=checkpoint)

    return tally
