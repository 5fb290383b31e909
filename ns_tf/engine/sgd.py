"""SGD with momentum and coupled weight decay, as the paper's networks had it."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class Sgd:
    """SGD with momentum and coupled weight decay.

    For weight w of gradient g, with velocity v, momentum m, weight decay d, rate r::

        v <- m v + (g + d w)
        w <- w - r v

    With m = 0.5, d = 0.1, r = 0.2, from w = 1 and v = 0, two gradients of 0.3 give

    >>> w, v = 1.0, 0.0
    >>> for _ in range(2):
    ...     v = 0.5 * v + (0.3 + 0.1 * w)
    ...     w = w - 0.2 * v
    ...     print(round(v, 4), round(w, 4))
    0.4 0.92
    0.592 0.8016

    This is PyTorch's SGD. Keras's decay is decoupled from the momentum (AdamW), and a
    Keras optimizer cannot follow a network that changes its shape.

    Args:
        variables: Trainable variables; changed in place.
        momentum: m, from 0 to 1.
        weight_decay: d, of all variables, biases and batch norms too.
        undecayed: Variables among them that have none.
        masks: For each variable its entries that move, bool, an array or a variable;
            None for all. If empty, all of all variables. An entry that does not move,
            and has no velocity, stays bit for bit.
    """

    def __init__(
        self,
        variables: Sequence,
        *,
        momentum: float,
        weight_decay: float,
        undecayed: Sequence = (),
        masks: Sequence[np.ndarray | tf.Variable | None] = (),
    ):
        self.variables = list(variables)
        # All of one name: TensorFlow caches eager kernels by name, and frees none.
        self.slots = [
            tf.Variable(tf.zeros_like(v.value), trainable=False, name="momentum")
            for v in self.variables
        ]
        self.momentum = momentum
        none = {id(variable) for variable in undecayed}
        self.decays = [0.0 if id(v) in none else weight_decay for v in self.variables]
        self.masks = list(masks) or [None] * len(self.variables)

    def apply(
        self,
        gradients: Sequence[tf.Tensor | None],
        rate: tf.Tensor,
        read: Sequence[bool] = (),
    ) -> None:
        """Updates the variables by one step.

        Args:
            gradients: One for each variable, in order; None leaves it as it is.
            rate: The learning rate, a scalar. Variables may be of several types.
            read: For each variable whether the loss reads it; one that it does not read
                has no weight decay. If empty, it reads all.
        """
        read = read or [True] * len(self.variables)
        own = zip(self.variables, self.slots, self.decays, self.masks, strict=True)
        given = zip(own, gradients, read, strict=True)
        for (variable, slot, decay, mask), gradient, reads in given:
            if gradient is None:
                continue
            change = gradient + decay * variable.value if reads else gradient
            if mask is not None:
                change = tf.where(mask, change, tf.zeros_like(change))
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.value.handle,
                accum=slot.handle,
                lr=tf.cast(rate, change.dtype),
                grad=change,
                momentum=self.momentum,
            )
