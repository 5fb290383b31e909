"""The network that is being pruned: it trains, scores its channels and gets thinner.

A removed channel is first closed (its gates are zero and stay zero), which the next
rebuild turns into a channel that is not there. Both compute the same, so when to
rebuild is a question of speed alone.
"""

from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from ns_tf.engine.execution import Execution, forget_kernels
from ns_tf.engine.padding import fast_width
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph import gates, weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.thin import rebuild, selection
from ns_tf.graph.weights import Key, stays, take, trainable_keys
from ns_tf.prune import criteria, signals
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.signals.gate_gradient import NormGate, Probe


class PrunableNetwork:
    """A seed network with a state for each of its channels.

    n is the number of channels of the seed's graph; all arrays [n] use its numbers,
    however thin the network has become.
    """

    def __init__(
        self,
        seed: keras.Model,
        graph: ChannelGraph,
        loss: Callable,
        config: PruneConfig,
        execution: Execution,
    ):
        self.seed_model = seed
        self.graph = graph
        self.loss = loss  # (targets, outputs) -> losses [batch]
        self.config = config
        self.criterion = criteria.get(config.criterion)
        self.execution = execution
        self.gates = gates.place(graph)
        size = len(graph.owner)
        self.alive = np.ones(size, bool)  # Channels that are not removed.
        self.present = np.ones(size, bool)  # Channels that the arrays still hold.
        with execution.strategy.scope():
            # [n]: sums over the steps since the last event.
            zeros = tf.zeros(size, keras.config.floatx())
            self.scores = tf.Variable(zeros, trainable=False, name="scores")
            # [n + 1]: the last is NONE, as an image's channels in a concatenation are.
            ones = tf.ones(size + 1, keras.config.floatx())
            self.open = tf.Variable(ones, trainable=False, name="open")
        self.loss_scale = execution.loss_scale(seed)
        self._build(weights.values(seed), draws=weights.draws(seed))

    # Training.

    def train(self, inputs: tf.Tensor, targets: tf.Tensor, rate: float) -> tf.Tensor:
        """One training step at that learning rate; returns the mean loss."""
        return self._step(inputs, targets, tf.constant(rate, keras.config.floatx()))

    def score_sums(self) -> np.ndarray:
        """[n]: scores summed over the steps since `forget`."""
        return self.scores.numpy().astype(np.float64)

    def forget(self) -> None:
        """Starts the sums of scores anew."""
        self.scores.assign(tf.zeros_like(self.scores))
        if self.loss_scale:
            self.loss_scale.applied.assign(0)

    @property
    def scored(self) -> bool:
        """False if all steps since `forget` overflowed, and so scored nothing."""
        return self.loss_scale is None or bool(self.loss_scale.applied.numpy())

    def kernels(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(channels [filters], kernel [..., filters]) of every layer that makes any."""
        for key, variable in weights.weights(self.model).items():
            axes = self.graph.axes.get(key)  # Selection matrices are not in it.
            if key[1] == "kernel" and axes and axes[-1] is not None:
                held, _ = self._remaining(axes, self.present)
                # What is closed does not count, whether it is still there or not.
                kernel = take(np.array(variable), held, self.alive)
                yield held[-1][self.alive[held[-1]]], kernel

    # Thinning.

    def close(self, channels: np.ndarray) -> None:
        """Removes channels; the network computes as if they were not there."""
        self.alive[channels] = False
        self._tell_open()
        slots = dict(zip(self._trainable, self.sgd.slots, strict=True))
        for key, variable in weights.weights(self.model).items():
            if self._is_gate(key):
                (axis,) = self.axes[key]
                stay = stays(axis, self.alive)[stays(axis, self.present)]
                variable.assign(np.array(variable) * stay)
                if key in slots:
                    slots[key].assign(slots[key].numpy() * stay)

    def _tell_open(self) -> None:
        open_ = np.append(self.alive, True)
        self.open.assign(open_.astype(keras.config.floatx()))

    def fast(self) -> np.ndarray:
        """[n] bool: what a rebuild had best keep.

        What is alive, and a few closed channels up to a width that is fast.
        """
        keep = self.alive.copy()
        for group in self.graph.groups:
            closed = self.present[group.channels] & ~self.alive[group.channels]
            count = int(self.alive[group.channels].sum())
            keep[group.channels[closed][: fast_width(count) - count]] = True
        return keep

    def compact(self, keep: np.ndarray | None = None) -> None:
        """Rebuilds the network without closed channels; or with those of `keep` [n]."""
        arrays, slots = weights.values(self.model), self._slot_values()
        was, self.present = self.present, (self.alive if keep is None else keep).copy()

        def thinner(values):
            return {
                key: take(value, *self._remaining(self.axes.get(key), was))
                for key, value in values.items()
            }

        self._build(thinner(arrays), thinner(slots), weights.draws(self.model))

    def _remaining(self, axes, was):
        """The axes as they were present, as `thinning.take` needs them."""
        if axes is None:
            return (), self.present
        held = [a if a is None else a[stays(a, was)] for a in axes]
        return held, self.present

    def _is_gate(self, key: Key) -> bool:
        layer, weight = key
        return weight == "gate" or (
            layer in self.gates.norms and weight in ("gamma", "beta")
        )

    def _build(self, arrays: Mapping, slots=None, draws: Mapping | None = None) -> None:
        """Makes the model of the channels present, its optimizer and its step."""
        with self.execution.strategy.scope():
            self.model, extra = rebuild(
                self.seed_model, self.graph, self.present, self.gates
            )
            self.execution.adapt(self.model)
            self.sgd = Sgd(
                self.model.trainable_variables,
                momentum=self.config.search_momentum,
                weight_decay=self.config.search_weight_decay,
            )
        self.axes = {**self.graph.axes, **extra}
        self._trainable = trainable_keys(self.model)
        weights.assign(self.model, {**self._new_arrays(extra), **arrays})
        weights.assign_draws(self.model, draws or {})
        if slots:
            for key, slot in zip(self._trainable, self.sgd.slots, strict=True):
                slot.assign(slots[key])
        self._compile()

    def _new_arrays(self, extra: Mapping[Key, tuple]) -> dict[Key, np.ndarray]:
        """Open gates and selection matrices, for where there were none before."""
        arrays = {}
        for key, axes in extra.items():
            size = len(axes[-1])
            whole = np.ones(size) if key[1] == "gate" else selection(size)
            arrays[key] = take(whole, axes, self.present)
        return arrays

    def _compile(self) -> None:
        probe = self._probe()
        self._step = TrainStep(
            self.model,
            self.sgd,
            self.loss,
            self.config.search_batch,
            self.execution,
            probe,
            probe.watch,
            self.loss_scale,
        ).compiled()
        forget_kernels()

    def _probe(self) -> Probe:
        """Reads the gradients of the gates that the model has."""
        by_key = weights.weights(self.model)
        place = {key: i for i, key in enumerate(self._trainable)}

        def held(key: Key) -> np.ndarray:
            (channels, *_) = self.axes[key]
            return channels[stays(channels, self.present)]

        norms = []
        for layer in self.gates.norms:
            gamma, beta = (layer, "gamma"), (layer, "beta")
            if gamma in place and beta in place:
                places = place[gamma], place[beta]
                norms.append(NormGate(by_key[gamma], by_key[beta], places, held(gamma)))
        gates = [(by_key[key], held(key)) for key in by_key if key[1] == "gate"]
        in_step = signals.get(self.criterion.reads).in_step
        formula = self.criterion.formula if in_step else None
        return Probe(norms, gates, self.open, self.scores, formula)

    # State.

    def _slot_values(self) -> dict[Key, np.ndarray]:
        values = [slot.numpy() for slot in self.sgd.slots]
        return dict(zip(self._trainable, values, strict=True))

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training goes on from, as arrays by name."""
        own = {"alive": self.alive, "present": self.present}
        own["scores"] = self.scores.numpy()
        if self.loss_scale:
            own["loss_scale"] = self.loss_scale.state()
        return {
            **own,
            **weights.named("weight", weights.values(self.model)),
            **weights.named("slot", self._slot_values()),
            **weights.named("draw", weights.draws(self.model)),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` returned."""
        self.alive, self.present = state["alive"].copy(), state["present"].copy()
        self._tell_open()
        self.scores.assign(state["scores"])
        if self.loss_scale:
            self.loss_scale.restore(state["loss_scale"])
        kinds = weights.by_kind(state)
        self._build(kinds["weight"], kinds["slot"], kinds.get("draw", {}))
