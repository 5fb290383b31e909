"""The compiled training step: forward, backward, update, under any strategy.

One custom loop everywhere: Keras's `fit` fails under several workers, and pruning has
to see the gradients.
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ns_tf.engine.execution import Execution
from ns_tf.engine.precision import LossScale
from ns_tf.engine.sgd import Sgd


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """One step of training, compiled: forward, backward, update.

    Args:
        model: Trained in place.
        sgd: Made of `model.trainable_variables`.
        loss: (targets, outputs) -> losses [batch].
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
    loss: Callable
    batch_size: int
    execution: Execution
    probe: Callable | None = None
    watch: Sequence = ()
    loss_scale: LossScale | None = None

    def compiled(self) -> Callable:
        """The function (inputs, targets, rate) -> mean loss, which trains one step."""
        execution = self.execution
        run, reduce = execution.strategy.run, execution.strategy.reduce
        gradients = self._gradients()
        if execution.jit_compile:
            # The gradients, where the time goes; the optimizer's operations stay as
            # they are.
            gradients = tf.function(gradients, autograph=False, jit_compile=True)

        def replica_step(inputs, targets, rate):
            loss, found = gradients(inputs, targets)
            self._update(self._summed(found), rate)
            return loss

        @tf.function(autograph=False)
        def step(inputs, targets, rate):
            losses = run(replica_step, args=(inputs, targets, rate))
            return reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

        return step

    def _gradients(self) -> Callable:
        """(inputs, targets) -> (loss, gradients of this replica, scaled)."""
        watched = [variable.value for variable in self.watch]
        variables = [variable.value for variable in self.sgd.variables] + watched
        scaling = self.loss_scale

        def gradients(inputs, targets):
            with tf.GradientTape() as tape:
                tape.watch(watched)
                losses = self.loss(targets, self.model(inputs, training=True))
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
