"""What each layer type does to channels: one rule a type, a file for each family.

A rule is a function of (walk, layer, inputs, shapes) that returns an `Effect`. A layer
type without a rule freezes the channels that reach it, with the layer named as the
reason: nothing is guessed.

A layer of one's own is followed once `@rule("ClassName")` has registered its rule, in
every process that reads the model. For a layer that multiplies every channel by a
weight::

    from ns_tf.graph.rules import THROUGH, Effect, rule

    @keras.saving.register_keras_serializable("mine")
    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[-1:], name="scale")

        def call(self, x):
            return x * self.scale

    @rule("Scale")
    def scale(walk, layer, inputs, shapes):
        return Effect(THROUGH, output=inputs[0], axes={"scale": (inputs[0],)})

Its output has the channels of its input. A channel that is all zeros stays so. Axis 0
of its weight `scale` is indexed by those channels: removing some shortens the weight.
"""

from ns_tf.graph.rules import (  # noqa: F401  Each registers its rules.
    attention,
    channelwise,
    convolutions,
    hub,
    joins,
    norms,
    products,
    recurrent,
    shapes,
    wrappers,
)
from ns_tf.graph.rules.effects import (
    ADD,
    CHANNELWISE,
    INPUT,
    JOIN,
    MAKE,
    NORM,
    STATISTICS,
    THROUGH,
    UNKNOWN,
    Effect,
    Kernel,
    Walk,
    apply,
    arrays_in,
    is_known,
    mapped,
    rule,
)

__all__ = [
    "ADD",
    "CHANNELWISE",
    "INPUT",
    "JOIN",
    "MAKE",
    "NORM",
    "STATISTICS",
    "THROUGH",
    "UNKNOWN",
    "Effect",
    "Kernel",
    "Walk",
    "apply",
    "arrays_in",
    "is_known",
    "mapped",
    "rule",
]
