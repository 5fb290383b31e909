"""The compiled training step: forward, backward, update, under any strategy.

One custom loop everywhere: Keras's `fit` fails under several workers, and pruning has
to see the gradients.
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import RunError
from ns_tf.deployment import ends_in_softmax
from ns_tf.execution import Execution
from ns_tf.keras_graph import functional
from ns_tf.precision import LossScale


class Sgd:
    """SGD with momentum and coupled weight decay, as the paper's networks had it.

    v <- momentum v + (g + decay w); w <- w - rate v. Keras's weight decay is decoupled,
    its optimizer objects cannot follow a network that changes its shape.
    """

    def __init__(self, variables: Sequence, *, momentum: float, weight_decay: float):
        self.variables = list(variables)
        # A fixed name: eager kernels are cached by it, for ever.
        self.slots = [
            tf.Variable(tf.zeros_like(v.value), trainable=False, name="momentum")
            for v in self.variables
        ]
        self.momentum = momentum
        self.weight_decay = weight_decay

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Updates the variables by one step of learning rate `rate`."""
        triples = zip(self.variables, self.slots, gradients, strict=True)
        for variable, slot, gradient in triples:
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.value.handle,
                accum=slot.handle,
                lr=rate,
                grad=gradient + self.weight_decay * variable.value,
                momentum=self.momentum,
            )


def loss_of(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Cross-entropy [batch] of labels [batch] and the model's outputs [batch, classes].

    The outputs are logits, or probabilities if they come from a softmax.
    """
    from_logits = not ends_in_softmax(functional(model))

    def loss(labels, outputs):
        return keras.losses.sparse_categorical_crossentropy(
            labels, tf.cast(outputs, keras.config.floatx()), from_logits=from_logits
        )

    return loss


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """One step of training, compiled: forward, backward, update.

    Args:
        model: Trained in place.
        sgd: Made of `model.trainable_variables`.
        batch_size: Of all replicas together; the loss is the mean over it.
        execution: The model's and sgd's variables were made in its strategy's scope.
        probe: (gradients of the trainable variables, gradients of `watch`) -> gradients
            to apply. Called in the step, after the sum over replicas.
        watch: Variables beside the trainable ones whose gradient the probe reads.
        loss_scale: For float16: multiplies the loss, and is taken out of the gradients
            before anything reads them.
    """

    model: keras.Model
    sgd: Sgd
    batch_size: int
    execution: Execution
    probe: Callable | None = None
    watch: Sequence = ()
    loss_scale: LossScale | None = None

    def compiled(self) -> Callable:
        """The function (images, labels, rate) -> mean loss, which trains one step."""
        execution = self.execution
        run, reduce = execution.strategy.run, execution.strategy.reduce
        gradients = self._gradients()
        if execution.jit_compile:
            # The gradients, where the time goes; the optimizer's operations stay as
            # they are.
            gradients = tf.function(gradients, autograph=False, jit_compile=True)

        def replica_step(images, labels, rate):
            loss, found = gradients(images, labels)
            self._update(self._summed(found), rate)
            return loss

        @tf.function(autograph=False)
        def step(images, labels, rate):
            losses = run(replica_step, args=(images, labels, rate))
            return reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

        return step

    def _gradients(self) -> Callable:
        """(images, labels) -> (loss, gradients of this replica, scaled)."""
        loss_function = loss_of(self.model)
        watched = [variable.value for variable in self.watch]
        variables = [variable.value for variable in self.sgd.variables] + watched
        scaling = self.loss_scale

        def gradients(images, labels):
            with tf.GradientTape() as tape:
                tape.watch(watched)
                losses = loss_function(labels, self.model(images, training=True))
                loss = tf.reduce_sum(losses) / self.batch_size
                scaled = loss * scaling.scale if scaling else loss
            return loss, tape.gradient(scaled, variables)

        return gradients

    def _summed(self, gradients: list) -> list:
        """Gradients of the whole batch: the probe squares them, so sum first."""
        if self.execution.replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if self.loss_scale:
            gradients = [gradient / self.loss_scale.scale for gradient in gradients]
        return gradients

    def _update(self, gradients: list, rate: tf.Tensor) -> None:
        def update():
            count = len(self.sgd.variables)
            own, others = gradients[:count], gradients[count:]
            self.sgd.apply(self.probe(own, others) if self.probe else own, rate)
            return tf.constant(0)  # Branches of a condition return the same.

        if not self.loss_scale:
            update()
            return
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
        tf.cond(finite, update, lambda: tf.constant(0))
        self.loss_scale.update(finite)


class Losses:
    """Collects losses without waiting for them, and stops a run that has diverged."""

    def __init__(self, every: int = 10):
        self.every = every
        self.last = float("nan")
        self._sum = 0.0
        self._pending: list[tuple[int, tf.Tensor]] = []

    def add(self, step: int, loss: tf.Tensor) -> None:
        """Notes the loss of a step (counted from 1).

        Raises:
            RunError: if one of the last losses is not finite.
        """
        self._pending.append((step, loss))
        if len(self._pending) >= self.every:
            self.check()

    def check(self) -> None:
        """Looks at all losses noted so far; raises as `add` does."""
        for step, loss in self._pending:
            self.last = float(loss)
            if not np.isfinite(self.last):
                raise RunError(
                    f"The loss is {self.last} at training step {step}. Lower the "
                    "learning rate, or look for broken values in the data."
                )
            self._sum += self.last
        self._pending.clear()

    @property
    def told(self) -> dict[str, float]:
        """What progress shows of them: the last one, once any was looked at."""
        return {} if np.isnan(self.last) else {"loss": self.last}

    def total(self) -> float:
        """Sum of the losses since `start`."""
        self.check()
        return self._sum

    def start(self, total: float = 0.0) -> None:
        """Starts the sum anew, or goes on from one of an earlier run."""
        self.check()
        self._sum = total
