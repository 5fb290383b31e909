"""The network that answers are learned from, made cheaper: norms are within kernels."""

import collections
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ns_tf.networks.structure import Structure
from ns_tf.prune.trained import copied

_LAST = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    keras.layers.Dense,
)  # Their filters are the last axis of the kernel.
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def teacher_of(model: keras.Model, structure: Structure) -> keras.Model:
    """A copy of a network that infers the same, up to rounding, by fewer operations.

    In inference a norm is a factor and a summand of each filter. Where it alone reads
    what a layer makes, they go into the layer:

        (x K + b - mean) f + beta = x (K f) + ((b - mean) f + beta),
        f = gamma / sqrt(variance + epsilon).

    The copy is for inference alone: in training it would compute something else.

    Args:
        model: The network; not changed.
        structure: Of its architecture.
    """
    copy = copied(model, structure)
    for layer, norm in list(_pairs(copy, structure)):
        _join(layer, norm)
    return copy


def _pairs(
    model: keras.Model, structure: Structure
) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """(layer, the norm that alone reads what it makes), each called once."""
    calls = structure.graph(model).calls
    times = collections.Counter(call.name for call in calls)
    read = collections.Counter(tensor for call in calls for tensor in call.inputs)
    ends = {tensor._keras_history.operation.name for tensor in model.outputs}
    makers = {call.output: call.name for call in calls}
    layers = {layer.name: layer for layer in model.layers}
    for call in calls:
        tensor = call.inputs[0] if call.inputs else None
        before = makers.get(tensor)
        once = times[before] == times[call.name] == read[tensor] == 1
        layer, norm = layers.get(before), layers.get(call.name)
        if once and before not in ends and _joins(layer, norm):
            yield layer, norm


def _joins(layer: keras.Layer | None, norm: keras.Layer | None) -> bool:
    """Whether a norm can go into a layer: of filters along the last axis."""
    return (
        type(layer) in (*_LAST, *_DEPTHWISE)
        and type(norm) is keras.layers.BatchNormalization
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, norm.input_spec.ndim - 1)
        and layer.compute_dtype == layer.variable_dtype == norm.compute_dtype
        and isinstance(layer.kernel, keras.Variable)
    )


def _join(layer: keras.Layer, norm: keras.Layer) -> None:
    """Puts a norm into the layer before it, whose weights are changed."""

    def value(variable: Any, other: float) -> np.ndarray:
        return other if variable is None else np.array(variable, float)

    mean, variance = value(norm.moving_mean, 0), value(norm.moving_variance, 1)
    factor = value(norm.gamma, 1.0) / np.sqrt(variance + norm.epsilon)
    shift = value(norm.beta, 0.0) - mean * factor
    kernel = np.array(layer.kernel, float)
    filters = kernel.shape[-2:] if type(layer) in _DEPTHWISE else kernel.shape[-1:]
    layer.kernel.assign(kernel * factor.reshape(filters))
    if layer.use_bias:
        layer.bias.assign(np.array(layer.bias, float) * factor + shift)
        shift = None

    def shifted(inputs, training=None, mask=None):
        """What is left of the norm."""
        del training, mask
        if shift is None:
            return inputs
        return inputs + keras.ops.convert_to_tensor(shift, inputs.dtype)

    norm.call = shifted
