"""The compiled training step: forward, backward, update, under any strategy.

Keras's `fit` is not used: pruning reads the gradients, and `fit` fails under several
workers. The compiled function is the border to TensorFlow: everything above it handles
NumPy arrays and Python numbers.
"""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ns_tf.base import InputError, reason_of
from ns_tf.engine.execution import Execution
from ns_tf.engine.precision import LossScale
from ns_tf.engine.sgd import Sgd


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """One step of training: forward, backward, sum over replicas, update.

    Every replica computes the gradients of its part of the batch for
    L = sum losses / `batch_size`; their sum over the replicas is the gradient of the
    mean loss of the whole batch. Losses that layers add themselves are not used.

    Args:
        model: Trained in place.
        sgd: Made of `model.trainable_variables`.
        loss: (targets, outputs) -> losses [batch].
        batch_size: Examples of a batch, over all replicas.
        execution: What the model was built by; `sgd` was made in its strategy's scope.
        probe: (gradients of the trainable variables, gradients of `watch`) -> gradients
            to apply. Called in the step, after the sum over replicas. It reads numbers:
            zeros for variables that the loss does not read.
        watch: Variables beside the trainable ones whose gradients the probe reads.
        loss_scale: For float16. Multiplies the loss; gradients are divided by it before
            the probe or `sgd` reads them.
        teacher: A network whose outputs, in inference mode, `loss` takes as its third
            argument; not trained.
    """

    model: keras.Model
    sgd: Sgd
    loss: Callable
    batch_size: int
    execution: Execution
    probe: Callable | None = None
    watch: Sequence = ()
    loss_scale: LossScale | None = None
    teacher: keras.Model | None = None

    def compiled(self) -> Callable:
        """The compiled step.

        Returns:
            (inputs [batch, ...], targets [batch, ...], rate, a scalar) -> mean loss of
            the batch before the update. If float16 gradients overflow, the model's
            trainable variables stay as they are.
        """
        execution = self.execution
        run, reduce = execution.strategy.run, execution.strategy.reduce
        gradients = self._gradients()
        if execution.jit_compile:
            # Without the update, which takes little time.
            gradients = tf.function(gradients, autograph=False, jit_compile=True)

        def replica_step(inputs, targets, rate):
            loss, parts = gradients(inputs, targets)
            self._update(self._summed(parts), rate)
            return loss

        @tf.function(autograph=False)
        def step(inputs, targets, rate):
            losses = run(replica_step, args=(inputs, targets, rate))
            return reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

        return _checked(step) if execution.jit_compile else step

    def _gradients(self) -> Callable:
        """(inputs, targets) -> (loss, scaled gradients), of one replica's part."""
        watched = [variable.value for variable in self.watch]
        variables = [variable.value for variable in self.sgd.variables] + watched
        scaling = self.loss_scale

        def gradients(inputs, targets):
            with tf.GradientTape() as tape:
                tape.watch(watched)
                outputs = self._outputs(inputs)
                losses = self.loss(targets, outputs, *self._taught(inputs))
                loss = tf.reduce_sum(losses) / self.batch_size
                scaled = loss * scaling.scale if scaling else loss
            return loss, tape.gradient(scaled, variables)

        return gradients

    def _outputs(self, inputs: tf.Tensor) -> tf.Tensor:
        """What the model puts out in training.

        Raises:
            InputError: a layer cannot compute so: one that varies images may refuse a
                precision or a size.
        """
        try:
            return self.model(inputs, training=True)
        except Exception as error:  # A layer may raise anything.
            arrays = tf.nest.flatten(inputs)
            batch = ", ".join(f"{one.dtype.name} {list(one.shape)}" for one in arrays)
            raise InputError(
                f"{self.model.name!r} cannot be trained on a batch of {batch}: "
                f"{reason_of(error)}"
            ) from error

    def _taught(self, inputs: tf.Tensor) -> list[tf.Tensor]:
        """What the teacher answers; empty if there is none."""
        if self.teacher is None:
            return []
        return [tf.stop_gradient(self.teacher(inputs, training=False))]

    def _summed(self, gradients: list) -> list:
        """Unscaled gradients of the whole batch; None stays None.

        The sum over replicas comes first, as the probe squares what it is given.
        """
        read = [gradient for gradient in gradients if gradient is not None]
        if self.execution.replicas > 1:
            context = tf.distribute.get_replica_context()
            read = context.all_reduce(tf.distribute.ReduceOp.SUM, read)
        if self.loss_scale:
            read = [gradient / self.loss_scale.scale for gradient in read]
        summed = iter(read)
        return [None if one is None else next(summed) for one in gradients]

    def _update(self, gradients: list, rate: tf.Tensor) -> None:
        """Probes and applies the gradients; skips both if float16 overflowed.

        Weights that the loss does not read stay as they are, as in Keras: those behind
        a stop_gradient, or of a loss that layers add. A probe may still move them.
        """

        def update():
            count = len(self.sgd.variables)
            own = gradients[:count]
            read = [gradient is not None for gradient in own]
            if self.probe:
                variables = [*self.sgd.variables, *self.watch]
                numbers = [
                    tf.zeros_like(variable.value) if gradient is None else gradient
                    for variable, gradient in zip(variables, gradients, strict=True)
                ]
                own = self.probe(numbers[:count], numbers[count:])
            self.sgd.apply(own, rate, read)
            return tf.constant(0)  # Both branches of `tf.cond` return one type.

        if not self.loss_scale:
            update()
            return
        read = [gradient for gradient in gradients if gradient is not None]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in read])
        tf.cond(finite, update, lambda: tf.constant(0))
        self.loss_scale.update(finite)


def _checked(step: Callable) -> Callable:
    """The step; what XLA cannot compile is told in one line."""

    def checked(*arguments):
        try:
            return step(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            raise InputError(
                f"XLA cannot compile the network: {reason_of(error)} Leave "
                "--jit_compile away."
            ) from error

    return checked
