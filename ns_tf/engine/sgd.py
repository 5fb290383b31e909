"""SGD with momentum and coupled weight decay."""

from collections.abc import Sequence

import tensorflow as tf


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
