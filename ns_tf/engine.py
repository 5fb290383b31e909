"""The compiled training step: forward, backward, update, under any strategy.

One custom loop everywhere: Keras's `fit` fails under several workers, and pruning has
to see the gradients.
"""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError, RunError
from ns_tf.channels import functional, trace
from ns_tf.registry import unknown

STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
}


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The `tf.distribute` strategy of that name; "auto" mirrors over several GPUs.

    Raises:
        InputError: unknown name.
    """
    if name == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        name = "mirrored" if several else "one_device"
    if name not in STRATEGIES:
        raise unknown("strategy", name, [*STRATEGIES, "auto"])
    return _strategy(name)


@functools.cache
def _strategy(name: str) -> tf.distribute.Strategy:
    # One a process: the collectives of a second MirroredStrategy get the first one's
    # keys, and TensorFlow takes them for the same operation.
    return STRATEGIES[name]()


def set_threads(count: int) -> None:
    """Lets an operation use `count` CPU threads; 0 leaves it to TensorFlow.

    Raises:
        InputError: if TensorFlow has started with another number.
    """
    threading = tf.config.threading
    if count and count != threading.get_intra_op_parallelism_threads():
        try:
            threading.set_intra_op_parallelism_threads(count)
        except RuntimeError as error:
            raise InputError(
                f"--threads={count} comes too late: TensorFlow has started. Set it in "
                "a new process."
            ) from error


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


def synchronise(model: keras.Model, replicas: int) -> None:
    """Makes batch norms use the statistics of the whole batch, over all replicas."""
    if replicas > 1:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


def loss_of(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Cross-entropy [batch] of labels [batch] and the model's outputs [batch, classes].

    The outputs are logits, or probabilities if they come from a softmax.
    """
    from_logits = not _ends_in_softmax(functional(model))

    def loss(labels, outputs):
        return keras.losses.sparse_categorical_crossentropy(
            labels, tf.cast(outputs, keras.config.floatx()), from_logits=from_logits
        )

    return loss


def _ends_in_softmax(model: keras.Model) -> bool:
    """Whether a softmax is the last operation that computes anything."""
    graph = trace(model)
    operations = {operation.name: operation for operation in model.operations}
    producer = {call.output: call for call in graph.calls}
    call = producer[graph.outputs[0]]
    while call.inputs:
        operation = operations[call.name]
        activation = getattr(operation, "activation", None)
        names = (getattr(activation, "__name__", ""), type(operation).__name__.lower())
        if "softmax" in names:
            return True
        if names[1] not in ("flatten", "reshape", "identity", "dropout"):
            return False
        call = producer[call.inputs[0]]
    return False


def train_step(
    model: keras.Model,
    sgd: Sgd,
    *,
    batch_size: int,
    strategy: tf.distribute.Strategy,
    probe: Callable | None = None,
    watch: Sequence = (),
    jit_compile: bool = False,
) -> Callable:
    """A compiled function (images, labels, rate) -> mean loss that trains one step.

    Args:
        model: Trained in place.
        sgd: Made of `model.trainable_variables`.
        batch_size: Of all replicas together; the loss is the mean over it.
        strategy: The model's and sgd's variables were made in its scope.
        probe: (gradients of the trainable variables, gradients of `watch`) -> gradients
            to apply. Called in the step, after the sum over replicas.
        watch: Variables beside the trainable ones whose gradient the probe reads.
        jit_compile: Compile with XLA.
    """
    loss_function = loss_of(model)
    variables = model.trainable_variables
    watched = [variable.value for variable in watch]

    def replica_step(images, labels, rate):
        with tf.GradientTape() as tape:
            tape.watch(watched)
            losses = loss_function(labels, model(images, training=True))
            loss = tf.reduce_sum(losses) / batch_size
        gradients = tape.gradient(loss, [v.value for v in variables] + watched)
        if strategy.num_replicas_in_sync > 1:
            # Before the probe squares: the score is of the whole batch's gradient.
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        own, others = gradients[: len(variables)], gradients[len(variables) :]
        sgd.apply(probe(own, others) if probe else own, rate)
        return loss

    @tf.function(autograph=False, jit_compile=jit_compile)
    def step(images, labels, rate):
        losses = strategy.run(replica_step, args=(images, labels, rate))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return step


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

    def total(self) -> float:
        """Sum of the losses since `start`."""
        self.check()
        return self._sum

    def start(self, total: float = 0.0) -> None:
        """Starts the sum anew, or goes on from one of an earlier run."""
        self.check()
        self._sum = total
