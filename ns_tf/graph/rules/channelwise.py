"""Layers and operations that work on each channel by itself and keep its place."""

import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.rules.effects import CHANNELWISE, THROUGH, Effect, opaque, rule

# Of parts in each of which all channels are the same.
_KEEPING_UNIFORM = "Cast Concatenate LogicalAnd LogicalNot LogicalOr".split()

# Of which there is one for sequences, one for images, one for volumes.
_SPATIAL = (
    "AdaptiveAveragePooling AdaptiveMaxPooling AveragePooling Cropping"
    " GlobalAveragePooling GlobalMaxPooling MaxPooling SpatialDropout UpSampling"
    " ZeroPadding"
).split()


@rule(
    *(f"{name}{axes}D" for name in _SPATIAL for axes in (1, 2, 3)),
    *"ActivityRegularization Dropout GaussianDropout Identity LeakyReLU".split(),
    *"RepeatVector StochasticDepth".split(),
    # Operations.
    *"Abs Absolute AdaptiveAveragePool AdaptiveMaxPool AveragePool Cast".split(),
    *"LeakyRelu MaxPool Negative Relu Relu6 StopGradient ZerosLike".split(),
)
def _scaling(walk, layer, inputs, shapes):
    """Each channel by itself, a zero stays zero, a factor stays a factor."""
    return Effect(THROUGH, inputs[0], scales=True)


@rule("Resizing", "Resize")
def _resizing(walk, layer, inputs, shapes):
    """Pixels that are put around may be of a number, which is no zero."""
    if layer.pad_to_aspect_ratio and layer.fill_value:
        return Effect(CHANNELWISE, inputs[0])
    return Effect(THROUGH, inputs[0], scales=True)


@rule(
    "ELU",
    # Operations.
    *"Arcsinh Arctan Celu Elu Erf Expm1 Gelu HardShrink HardSilu HardTanh".split(),
    *"Log1p Selu Sign Silu Sin Sinh SoftShrink Softsign Square Tanh".split(),
    *"TanhShrink".split(),
)
def _curved(walk, layer, inputs, shapes):
    """Each channel by itself, a zero stays zero."""
    return Effect(THROUGH, inputs[0])


@rule(
    *"AlphaDropout GaussianNoise".split(),
    # Operations.
    *"Cos Cosh Exp Exp2 HardSigmoid Log Log2 LogSigmoid Reciprocal Rsqrt".split(),
    *"Sigmoid Softplus SparsePlus SparseSigmoid Sqrt Squareplus Threshold".split(),
    *"LogicalNot OnesLike".split(),
)
def _lifting(walk, layer, inputs, shapes):
    """Each channel by itself; a zero becomes something else, or has no slope."""
    return Effect(CHANNELWISE, inputs[0])


@rule("Clip")
def _clip(walk, layer, inputs, shapes):
    """Limits that are numbers; a zero between them stays zero."""
    limits = layer.x_min, layer.x_max
    if not all(isinstance(limit, (int, float)) for limit in limits):
        return None
    kind = THROUGH if limits[0] <= 0 <= limits[1] else CHANNELWISE
    return Effect(kind, inputs[0])


@rule("ReLU")
def _relu(walk, layer, inputs, shapes):
    """A threshold t > 0 lifts a zero to -slope * t."""
    if float(layer.threshold) == 0:
        return Effect(THROUGH, inputs[0], scales=True)
    return Effect(CHANNELWISE, inputs[0])


@rule("Activation")
def _activation(walk, layer, inputs, shapes):
    """Channelwise, if the function is known to be."""
    reason = activations.mixing(layer)
    if reason:
        return opaque(walk, reason, inputs, len(inputs[0]))
    kind = THROUGH if activations.keeps_zero(layer.activation) else CHANNELWISE
    return Effect(kind, inputs[0], scales=activations.scales(layer.activation))


@rule("Rescaling")
def _rescaling(walk, layer, inputs, shapes):
    """x * scale + offset, with numbers for all channels alike."""
    if not all(isinstance(n, (int, float)) for n in (layer.scale, layer.offset)):
        return None
    if layer.offset:
        return Effect(CHANNELWISE, inputs[0])
    return Effect(THROUGH, inputs[0], scales=layer.scale > 0)


@rule("Any", "All")
def _some(walk, layer, inputs, shapes):
    """Over channels of which each has what the others have, as Keras's masks have them.

    That is so whichever of them there are, so nothing has to stay.
    """
    (axis, *others), last = layer.axis or (None,), len(shapes[0]) - 1
    if others or axis not in (-1, last) or not last:
        return None
    if not all(_uniform(node) for node in layer._inbound_nodes):
        return None
    return Effect(CHANNELWISE, np.full(walk.output_shape()[-1] or 0, -1))


def _uniform(node) -> bool:
    """Whether in all that a call reads the channels of a part have the same values.

    Args:
        node: Of Keras's graph; a part is an input of a concatenation.
    """
    for tensor in node.arguments.keras_tensors:
        # Keras has no public way from a tensor to the call that made it.
        operation, call, _ = tensor._keras_history
        kind = type(operation).__name__
        if kind in ("OnesLike", "ZerosLike") or tensor.shape[-1:] == (1,):
            continue
        made_by = operation._inbound_nodes[call]
        if kind not in _KEEPING_UNIFORM or not _uniform(made_by):
            return False
    return True


@rule("Softmax", "LogSoftmax")
def _softmax(walk, layer, inputs, shapes):
    """Channel by channel where it is over pixels."""
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if len(inputs) > 1 or not {-1, len(shapes[0]) - 1}.isdisjoint(axes):
        return None
    return Effect(CHANNELWISE, inputs[0])
