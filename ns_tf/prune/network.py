"""The network that is being pruned: it trains, scores its channels and gets thinner.

A removed channel is closed first: its gates are zero and stay zero. The next rebuild
makes a network without it. A closed channel and one that is not there compute the same,
so when to rebuild is a question of speed alone (`ns_tf.prune.rebuilding`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

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

    n is the number of channels of the seed's graph. All arrays [n] use its numbers,
    however thin the network has become. `alive` are the channels that are not removed,
    `present` those that the weights still have.

    Args:
        seed: The network, made by `execution.build`; training starts at its weights.
        graph: Its channels.
        loss: (targets, outputs) -> losses [batch].
        config: Criterion, batch size, momentum and weight decay.
        execution: Devices, precision, XLA.
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
        self.loss = loss
        self.config = config
        self.criterion = criteria.get(config.criterion)
        self.execution = execution
        self.gates = gates.place(graph)
        size = len(graph.owner)
        self.alive = np.ones(size, bool)
        self.present = np.ones(size, bool)
        with execution.strategy.scope():
            # [n]: sums over the steps since `forget`.
            zeros = tf.zeros(size, keras.config.floatx())
            self.scores = tf.Variable(zeros, trainable=False, name="scores")
            # [n + 1]: 1 for channels alive. The last is NONE's: channels of an image,
            # as a concatenation may have them.
            ones = tf.ones(size + 1, keras.config.floatx())
            self.open = tf.Variable(ones, trainable=False, name="open")
        self.loss_scale = execution.loss_scale(seed)
        self._build(weights.values(seed), draws=weights.draws(seed))

    # Training.

    def train(self, inputs: tf.Tensor, targets: tf.Tensor, rate: float) -> tf.Tensor:
        """One training step.

        Args:
            inputs: [batch, ...], of all replicas.
            targets: [batch, ...].
            rate: The learning rate.

        Returns:
            The mean loss of the batch before the update, a scalar; not waited for.
        """
        return self._step(inputs, targets, tf.constant(rate, keras.config.floatx()))

    def score_sums(self) -> np.ndarray:
        """[n] float64: values of an in-step criterion, summed since `forget`."""
        return self.scores.numpy().astype(np.float64)

    def forget(self) -> None:
        """Starts new sums of scores."""
        self.scores.assign(tf.zeros_like(self.scores))
        if self.loss_scale:
            self.loss_scale.applied.assign(0)

    @property
    def scored(self) -> bool:
        """Whether a step since `forget` was scored; in float16 all may overflow."""
        return self.loss_scale is None or bool(self.loss_scale.applied.numpy())

    def kernels(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Kernels of the layers that make channels, without closed channels.

        Yields:
            (numbers of the channels [filters], kernel [..., filters]).
        """
        for axes, variable in weights.kernels(self.model, self.graph):
            present, _ = self._remaining(axes, self.present)
            # Closed channels do not count, whether they are present or not.
            kernel = take(np.array(variable), present, self.alive)
            yield present[-1][self.alive[present[-1]]], kernel

    # Thinning.

    def close(self, channels: np.ndarray) -> None:
        """Removes channels: the network computes as if they were not there.

        Their gates, and the momenta of these, become zero.

        Args:
            channels: Numbers of channels.
        """
        self.alive[channels] = False
        self._assign_open()
        slots = dict(zip(self._trainable, self.sgd.slots, strict=True))
        for key, variable in weights.weights(self.model).items():
            if self._is_gate(key):
                (axis,) = self.axes[key]
                stay = stays(axis, self.alive)[stays(axis, self.present)]
                variable.assign(np.array(variable) * stay)
                if key in slots:
                    slots[key].assign(slots[key].numpy() * stay)

    def _assign_open(self) -> None:
        """Passes `alive` to the training step."""
        open_ = np.append(self.alive, True)
        self.open.assign(open_.astype(keras.config.floatx()))

    def fast(self) -> np.ndarray:
        """[n] bool: channels that a rebuild keeps to be fastest.

        Those alive, and closed ones up to the next fast width (`fast_width`).
        """
        keep = self.alive.copy()
        for group in self.graph.groups:
            closed = self.present[group.channels] & ~self.alive[group.channels]
            count = int(self.alive[group.channels].sum())
            keep[group.channels[closed][: fast_width(count) - count]] = True
        return keep

    def compact(self, keep: np.ndarray | None = None) -> None:
        """Rebuilds the network without closed channels.

        Args:
            keep: [n] bool: what the new network has; at least what is alive. What is
                alive if None.
        """
        arrays, slots = weights.values(self.model), self._slot_values()
        was, self.present = self.present, (self.alive if keep is None else keep).copy()

        def thinner(values):
            return {
                key: take(value, *self._remaining(self.axes.get(key), was))
                for key, value in values.items()
            }

        self._build(thinner(arrays), thinner(slots), weights.draws(self.model))

    def _remaining(
        self, axes: Sequence | None, was: np.ndarray
    ) -> tuple[Sequence, np.ndarray]:
        """Arguments of `take` that cut a weight of the channels `was` to `present`."""
        if axes is None:
            return (), self.present
        return [a if a is None else a[stays(a, was)] for a in axes], self.present

    def _is_gate(self, key: Key) -> bool:
        """Whether a weight is a gate: a gate layer's, or a gating batch norm's."""
        layer, weight = key
        return weight == "gate" or (
            layer in self.gates.norms and weight in ("gamma", "beta")
        )

    def _build(
        self,
        arrays: Mapping[Key, np.ndarray],
        slots: Mapping[Key, np.ndarray] | None = None,
        draws: Mapping[Key, np.ndarray] | None = None,
    ) -> None:
        """Makes the model of the channels present, its optimizer and its step.

        Args:
            arrays: Weights of the channels present; gates are open if left out.
            slots: Momenta; zero if None.
            draws: States of layers that draw random numbers; new ones if None.
        """
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
        """Open gates and selection matrices: weights that the seed does not have."""
        arrays = {}
        for key, axes in extra.items():
            size = len(axes[-1])
            whole = np.ones(size) if key[1] == "gate" else selection(size)
            arrays[key] = take(whole, axes, self.present)
        return arrays

    def _compile(self) -> None:
        """Makes the training step of the present model."""
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
        """The probe of the gates that the model has."""
        by_key = weights.weights(self.model)
        place = {key: i for i, key in enumerate(self._trainable)}

        def numbers(key: Key) -> np.ndarray:
            """Numbers of the channels of a gate that are present."""
            (channels, *_) = self.axes[key]
            return channels[stays(channels, self.present)]

        norms = []
        for layer in self.gates.norms:
            gamma, beta = (layer, "gamma"), (layer, "beta")
            if gamma in place and beta in place:
                both = by_key[gamma], by_key[beta]
                places = place[gamma], place[beta]
                norms.append(NormGate(*both, places, numbers(gamma)))
        gates = [(by_key[key], numbers(key)) for key in by_key if key[1] == "gate"]
        in_step = signals.get(self.criterion.reads).in_step
        formula = self.criterion.formula if in_step else None
        return Probe(norms, gates, self.open, self.scores, formula)

    # State.

    def _slot_values(self) -> dict[Key, np.ndarray]:
        """The momenta by the keys of their weights."""
        values = [slot.numpy() for slot in self.sgd.slots]
        return dict(zip(self._trainable, values, strict=True))

    def state(self) -> dict[str, np.ndarray]:
        """All that training and scoring continue from, as arrays by name."""
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
        """Sets what `state` returned; makes the network of the channels present then.

        Args:
            state: Arrays by name.
        """
        self.alive, self.present = state["alive"].copy(), state["present"].copy()
        self._assign_open()
        self.scores.assign(state["scores"])
        if self.loss_scale:
            self.loss_scale.restore(state["loss_scale"])
        kinds = weights.by_kind(state)
        self._build(kinds["weight"], kinds["slot"], kinds.get("draw", {}))
