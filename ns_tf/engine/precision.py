"""Mixed precision: 16 bits in the layers, float32 in weights, logits and losses.

Models are converted after they were built, by cloning them under another dtype policy,
so a builder of a network needs to know nothing of precision.
"""

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph.calls import functional
from ns_tf.graph.remake import keep_frozen
from ns_tf.graph.walk import channel_graph


def with_policy(model: keras.Model, policy: str) -> keras.Model:
    """A copy of the model that computes under a mixed policy, with the same weights.

    The layers that make the outputs stay in float32: a rounding of logits to 8 or 11
    bits would show in the loss. Layers made of layers, and layers that already have a
    policy of their own, stay as they are.

    Args:
        model: A functional or sequential model.
        policy: "mixed_bfloat16" or "mixed_float16".

    Raises:
        InputError: a layer cannot compute so, or Keras's floatx is not float32.
    """
    model = functional(model)
    mixed = converted(model, policy)
    for target, source in zip(mixed.variables, model.variables, strict=True):
        target.assign(np.array(source))
    return mixed


def converted(model: keras.Model, policy: str) -> keras.Model:
    """As `with_policy`, with fresh weights.

    Args:
        model: A functional or sequential model; may be one of shapes alone.
        policy: "mixed_bfloat16" or "mixed_float16".

    Raises:
        InputError: a layer cannot compute so, or Keras's floatx is not float32.
    """
    model = functional(model)
    last = _output_layers(model)

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer
        config = layer.get_config()
        # Keras has no public list of a layer's inner layers.
        single = layer.dtype_policy.name == "float32" and not layer._layers
        if "dtype" in config and single and layer.name not in last:
            config["dtype"] = policy
        return keep_frozen(layer, type(layer).from_config(config))

    if keras.config.floatx() != "float32":
        raise InputError(
            f"--precision={policy} goes with float32 weights; Keras's floatx is "
            f"{keras.config.floatx()}. Leave --precision away."
        )
    try:
        return keras.models.clone_model(model, clone_function=clone)
    except Exception as error:  # A layer may raise anything.
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[:2]) or type(error).__name__
        raise InputError(
            f"{model.name!r} cannot compute with --precision={policy}: {reason}"
        ) from error


def plain(model: keras.Model) -> keras.Model:
    """The model in float32 throughout, with the same weights.

    Args:
        model: A functional or sequential model.

    Returns:
        A copy without mixed policies; the model itself if it has none.
    """
    model = functional(model)

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer
        config = layer.get_config()
        if str(layer.dtype_policy.name).startswith("mixed_"):
            config["dtype"] = "float32"
        return type(layer).from_config(config)

    if all(not layer.dtype_policy.name.startswith("mixed_") for layer in model.layers):
        return model
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _output_layers(model: keras.Model) -> set[str]:
    """Names of the last operations that have weights, and of those behind them."""
    graph = channel_graph(model)
    with_weights = {layer.name for layer in model.layers if layer.weights}
    producer = {call.output[:2]: call for call in graph.calls}
    names, waiting = set(), list(graph.outputs)
    while waiting:
        call = producer[waiting.pop()[:2]]
        names.add(call.name)
        if call.name not in with_weights:
            waiting += call.inputs
    return names


class LossScale:
    """Keeps float16 gradients in range: multiplies the loss, divides the gradients.

    Dynamic loss scaling (Micikevicius et al., ICLR 2018, section 3.2). The scale begins
    at 2^15, doubles after 2000 steps with finite gradients, and halves, down to 1, at a
    step whose gradients are not finite, which updates nothing. The numbers are Keras's.
    All scales are powers of two, so scaling changes no digit of what stays in range.
    """

    STEPS = 2000  # Finite steps in a row before the scale doubles.

    def __init__(self):
        self.scale = tf.Variable(2.0**15, trainable=False, name="loss_scale")
        self.good = tf.Variable(0, trainable=False, name="loss_scale_good_steps")
        self.applied = tf.Variable(0, trainable=False, name="loss_scale_applied")

    def update(self, finite: tf.Tensor) -> None:
        """Adapts the scale after a step.

        Args:
            finite: A bool scalar: whether all gradients of the step were finite.
        """
        good = tf.where(finite, self.good + 1, 0)
        grown = good >= self.STEPS
        factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(1.0, self.scale * factor))
        self.good.assign(tf.where(grown, 0, good))
        self.applied.assign_add(tf.cast(finite, tf.int32))

    def state(self) -> np.ndarray:
        """[3]: scale, finite steps since it changed, steps that updated the weights."""
        variables = self.scale, self.good, self.applied
        return np.array([variable.numpy() for variable in variables])

    def restore(self, state: np.ndarray) -> None:
        """Sets what `state` returned."""
        self.scale.assign(state[0])
        self.good.assign(int(state[1]))
        self.applied.assign(int(state[2]))
