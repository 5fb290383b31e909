"""Gates that learn the outputs of the network as it was, and no labels (GAL)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.engine.execution import Execution
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax
from ns_tf.problem.tasks import Task
from ns_tf.prune.bank import Bank
from ns_tf.prune.formulas import BankGates
from ns_tf.prune.sites import Sites
from ns_tf.prune.teacher import teacher_of
from ns_tf.train.recipes import logits_of

_HIDDEN = (128, 256, 128)  # Units of the discriminator.
_LEAK = 0.2  # Slope of its activations below 0.
_LEAST = 1e-7  # Probability that is told from 0, and from 1.
_SIGNS = 0x6A1  # Seed of the signs by which curvatures are read.


class Taught(Bank):
    """A bank of gates whose weights learn from a teacher.

    The loss of an example is the mean squared difference of the logits. With an
    adversary, a discriminator learns in the same steps which logits are the teacher's;
    what the network adds to the loss for being told apart does not move the
    discriminator, and what the discriminator learns does not move the network.

    Args:
        network: As of `Bank`.
        sites: As of `Bank`.
        formulas: How gates move, and whether there is an adversary.
        execution: Its strategy holds gates and discriminator.
        slot: As of `Bank`.
        teacher: The network as it was, of one output.
    """

    def __init__(
        self,
        network: keras.Model,
        sites: Sites,
        formulas: BankGates,
        execution: Execution,
        slot: np.ndarray,
        teacher: keras.Model,
    ):
        super().__init__(network, sites, formulas, execution, slot)
        self.teacher = teacher_of(teacher, sites.structure)
        self.judge: list[keras.Variable] = []
        if formulas.adversary:
            with execution.strategy.scope():
                self.judge = discriminator(teacher.outputs[0].shape[-1])

    @property
    def variables(self) -> list[keras.Variable]:
        """The network's, then the discriminator's."""
        return [*super().variables, *self.judge]

    def objective(self, task: Task) -> Callable:
        """(targets, outputs, teacher's) -> losses [batch]; targets are not read.

        Args:
            task: Not read.
        """
        del task
        logits = learned_of(self.teacher)  # Both networks end in the same layer.

        def loss(targets, outputs, taught):
            del targets
            own, others = logits(outputs), logits(taught)
            losses = distance(own, others)
            if self.judge:
                losses = losses + adversarial(self.judge, own, others)
            return losses

        return loss

    def state(self) -> dict[str, np.ndarray]:
        """Of the discriminator too."""
        judge = {f"judge{i}": np.array(v) for i, v in enumerate(self.judge)}
        return {**super().state(), **judge}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        super().restore(arrays)
        for i, variable in enumerate(self.judge):
            variable.assign(arrays[f"judge{i}"])


def learned_of(model: keras.Model) -> Callable:
    """Outputs of a model -> what is learned of them: logits in Keras's floatx.

    Of probabilities of classes up to a constant an image; of those of a sigmoid the
    log-odds, ln p - ln(1 - p).

    Args:
        model: Of one output.
    """
    plain, whole = logits_of(model), functional(model)
    if ends_in_softmax(whole) or not ends_in_sigmoid(whole):
        return plain

    def logits(outputs):
        ops = keras.ops
        p = ops.clip(ops.cast(outputs, keras.config.floatx()), _LEAST, 1 - _LEAST)
        return ops.log(p) - ops.log1p(-p)

    return logits


def distance(own: Any, others: Any) -> Any:
    """Mean over all values of an example of (own - other)^2, [batch].

    >>> one, other = np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]])
    >>> keras.ops.convert_to_numpy(distance(one, other)).tolist()
    [2.5]

    Args:
        own: [batch, ...].
        others: [batch, ...].
    """
    return _mean((own - others) ** 2)


def adversarial(judge: Sequence[Any], own: Any, others: Any) -> Any:
    """What a network and its discriminator add to the loss, [batch].

    BCE(D(own), 1) moves the network; BCE(D(other), 1) + BCE(D(own), 0) + BCE(D(own), 1)
    moves the discriminator. The last of these is GAL's regulariser.

    Args:
        judge: The discriminator's kernels and biases.
        own: Logits [batch, ..., classes] of the network.
        others: Logits of the teacher.
    """
    held = [keras.ops.stop_gradient(keras.ops.convert_to_tensor(v)) for v in judge]
    fooling = -judged(held, own)
    right, wrong = judged(judge, others), judged(judge, keras.ops.stop_gradient(own))
    parts = (fooling, -right, wrong, -wrong)
    # BCE of the logit x is softplus(-x) for the label 1, softplus(x) for 0.
    return sum(_mean(keras.ops.softplus(part)) for part in parts)


def judged(judge: Sequence[Any], logits: Any) -> Any:
    """Logits [batch, ..., 1] of being the teacher's.

    Args:
        judge: Kernel and bias of every layer, in order.
        logits: [batch, ..., classes].
    """
    x = logits
    for place in range(0, len(judge), 2):
        x = x if place == 0 else keras.ops.leaky_relu(x, _LEAK)
        x = keras.ops.matmul(x, judge[place]) + judge[place + 1]
    return x


def discriminator(classes: int) -> list[keras.Variable]:
    """Kernels and biases of 128, 256, 128 units and 1; the same at every call.

    Args:
        classes: Of the logits that it reads.
    """
    sizes = (classes, *_HIDDEN, 1)
    found = []
    for place, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
        start = keras.initializers.GlorotUniform(seed=place)
        found.append(keras.Variable(start((before, after)), name="kernel"))
        found.append(keras.Variable(keras.ops.zeros((after,)), name="bias"))
    return found


def signed(model: keras.Model) -> Callable:
    """(targets, outputs) -> <logits, signs> sqrt(2 / values), [batch].

    The mean of its squared derivative by a gate is the curvature H of `distance`, which
    has no derivative where the network equals its teacher: with J the derivatives of
    the logits, distance ~ sum J^2 (1 - g)^2 / values, and E (sum sign J)^2 = sum J^2.

    Args:
        model: The network, of one output.
    """
    logits = learned_of(model)

    def loss(targets, outputs):
        del targets
        own = logits(outputs)
        signs = keras.random.uniform(keras.ops.shape(own), seed=_SIGNS) < 0.5
        values = np.prod(own.shape[1:])
        signs = keras.ops.where(signs, -1.0, 1.0) * np.sqrt(2 / values)
        axes = tuple(range(1, len(own.shape)))
        return keras.ops.sum(own * keras.ops.cast(signs, own.dtype), axis=axes)

    return loss


def _mean(values: Any) -> Any:
    """Mean over all but the first axis."""
    return keras.ops.mean(values, axis=tuple(range(1, len(values.shape))))
