"""Mixed precision: lower precision in the layers, float32 in weights and results."""

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph.calls import functional
from ns_tf.graph.walk import channel_graph


def with_policy(model: keras.Model, policy: str) -> keras.Model:
    """The model computing under a mixed policy of Keras's, with the same weights.

    The layers that make the outputs stay as they are: logits of 8 or 11 bits would be
    seen in the loss. So do layers that are made of layers, and those that are not plain
    float32.
    """
    model = functional(model)
    mixed = converted(model, policy)
    for target, source in zip(mixed.variables, model.variables, strict=True):
        target.assign(np.array(source))
    return mixed


def converted(model: keras.Model, policy: str) -> keras.Model:
    """The same with fresh weights.

    Raises:
        InputError: if a layer cannot compute so.
    """
    model = functional(model)
    last = _making_the_outputs(model)

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer
        config = layer.get_config()
        plain = layer.dtype_policy.name == "float32" and not layer._layers
        if "dtype" in config and plain and layer.name not in last:
            config["dtype"] = policy
        return type(layer).from_config(config)

    if keras.config.floatx() != "float32":
        raise InputError(
            f"--precision={policy} goes with float32 weights; Keras's floatx is "
            f"{keras.config.floatx()}. Leave --precision away."
        )
    try:
        return keras.models.clone_model(model, clone_function=clone)
    except Exception as error:  # Keras raises what its layers raise.
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[:2]) or type(error).__name__
        raise InputError(
            f"{model.name!r} cannot compute with --precision={policy}: {reason}"
        ) from error


def plain(model: keras.Model) -> keras.Model:
    """The model computing in float32 throughout, with the same weights."""
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
    made = keras.models.clone_model(model, clone_function=clone)
    made.set_weights(model.get_weights())
    return made


def _making_the_outputs(model: keras.Model) -> set[str]:
    """The last operations that have weights, and those behind them."""
    graph = channel_graph(model)
    with_weights = {layer.name for layer in model.layers if layer.weights}
    producer = {call.output: call for call in graph.calls}
    found, waiting = set(), list(graph.outputs)
    while waiting:
        call = producer[waiting.pop()]
        found.add(call.name)
        if call.name not in with_weights:
            waiting += call.inputs
    return found


class LossScale:
    """Keeps float16 gradients in range: the loss is multiplied, gradients divided.

    Doubled after 2000 steps that went well, halved by one whose gradients are not
    finite, which updates nothing (Micikevicius et al. 2018, section 3.2; the numbers
    are Keras's). Powers of two, so that what is not cut off is not changed.
    """

    STEPS = 2000

    def __init__(self):
        self.scale = tf.Variable(2.0**15, trainable=False, name="loss_scale")
        self.good = tf.Variable(0, trainable=False, name="loss_scale_good_steps")
        self.applied = tf.Variable(0, trainable=False, name="loss_scale_applied")

    def update(self, finite: tf.Tensor) -> None:
        """Takes note of whether a step's gradients were finite."""
        good = tf.where(finite, self.good + 1, 0)
        grown = good >= self.STEPS
        factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(1.0, self.scale * factor))
        self.good.assign(tf.where(grown, 0, good))
        self.applied.assign_add(tf.cast(finite, tf.int32))

    def state(self) -> np.ndarray:
        """[3]: scale, good steps since it changed, steps counted as applied."""
        variables = self.scale, self.good, self.applied
        return np.array([variable.numpy() for variable in variables])

    def restore(self, state: np.ndarray) -> None:
        """Continues from what `state` returned."""
        self.scale.assign(state[0])
        self.good.assign(int(state[1]))
        self.applied.assign(int(state[2]))
