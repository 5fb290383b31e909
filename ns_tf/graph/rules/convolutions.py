"""Layers that make channels of channels by a kernel, and depthwise ones."""

from collections.abc import Mapping

import keras
import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.rules.effects import CHANNELWISE, MAKE, Effect, Kernel, opaque, rule


def _hold_mixed(walk, layer, output):
    """Freezes what a layer makes if its activation reads several channels."""
    reason = activations.mixing(layer)
    if reason:
        walk.freeze(output, reason)


def _spatial(weight: keras.Variable) -> tuple[None, ...]:
    """Axes of a kernel that no channels index: all but its last two."""
    return (None,) * (len(weight.shape) - 2)


@rule("Dense")
def _dense(walk, layer, inputs, shapes):
    """Every unit is a new channel; the kernel reads those of the input."""
    output = walk.make(layer.name, layer.units)
    axes = {"kernel": (inputs[0], output), "bias": (output,)}
    _hold_mixed(walk, layer, output)
    kernel = Kernel("kernel", window=True)
    return Effect(MAKE, output, axes, settings={"units": output}, kernel=kernel)


@rule("Conv1D", "Conv2D", "Conv3D")
def _convolution(walk, layer, inputs, shapes):
    """Every filter is a new channel; the kernel reads those of the input."""
    # At some widths others have as many groups as channels, too; one may have one.
    each = walk.follows(layer.name, "groups", otherwise=layer.groups > 1)
    if each and layer.groups == len(inputs[0]):
        return _one_each(walk, layer, inputs)
    output = walk.make(layer.name, layer.filters)
    reads = alike(walk, inputs[0], layer.groups)
    alike(walk, output, layer.groups)
    axes = {"kernel": (*_spatial(layer.kernel), reads, output), "bias": (output,)}
    _hold_mixed(walk, layer, output)
    kernel = Kernel("kernel", window=layer.groups == 1)
    return Effect(MAKE, output, axes, settings={"filters": output}, kernel=kernel)


def alike(walk, channels: np.ndarray, blocks: int) -> np.ndarray:
    """Ties equal blocks of channels, so that all of them lose the same places.

    Args:
        walk: Takes the ties.
        channels: [blocks * size] channel numbers.
        blocks: How many.

    Returns:
        [size] the channel numbers of one block.
    """
    first, *others = channels.reshape(blocks, -1)
    for other in others:
        walk.tie(first, other)
    return first


def _one_each(walk, layer, inputs):
    """A convolution of as many groups as channels is a depthwise one."""
    reason = activations.mixing(layer)
    if reason:
        return opaque(walk, reason, inputs, layer.filters)
    output = np.repeat(inputs[0], layer.filters // layer.groups)
    axes = {"kernel": (*_spatial(layer.kernel), None, output), "bias": (output,)}
    settings = {"filters": output, "groups": inputs[0]}
    return Effect(CHANNELWISE, output, axes, settings=settings)


@rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(walk, layer, inputs, shapes):
    """Channel c becomes channels c, c, ... of the output, one a multiplier."""
    reason = activations.mixing(layer)
    if reason:
        return opaque(walk, reason, inputs, len(inputs[0]) * layer.depth_multiplier)
    output = np.repeat(inputs[0], layer.depth_multiplier)
    axes = {
        "kernel": (*_spatial(layer.kernel), inputs[0], None),
        "bias": (output,),
    }
    return Effect(CHANNELWISE, output, axes)


@rule("SeparableConv1D", "SeparableConv2D")
def _separable(walk, layer, inputs, shapes):
    """A depthwise convolution and a 1x1 one, whose filters are the new channels."""
    output = walk.make(layer.name, layer.filters)
    between = np.repeat(inputs[0], layer.depth_multiplier)
    spatial = _spatial(layer.pointwise_kernel)
    axes = {
        "depthwise_kernel": (*spatial, inputs[0], None),
        "pointwise_kernel": (*spatial, between, output),
        "bias": (output,),
    }
    _hold_mixed(walk, layer, output)
    kernel = Kernel("pointwise_kernel")
    return Effect(MAKE, output, axes, settings={"filters": output}, kernel=kernel)


@rule("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def _transposed(walk, layer, inputs, shapes):
    """As a convolution; the kernel is [..., filters, channels that are read]."""
    output = walk.make(layer.name, layer.filters)
    axes = {
        "kernel": (*_spatial(layer.kernel), output, inputs[0]),
        "bias": (output,),
    }
    _hold_mixed(walk, layer, output)
    kernel = Kernel("kernel", reads=-1, makes=-2)
    return Effect(MAKE, output, axes, settings={"filters": output}, kernel=kernel)


@rule("Embedding", "ReversibleEmbedding")
def _embedding(walk, layer, inputs, shapes):
    """Every feature of a token is a new channel. The tokens are no channels.

    In reverse, features become logits of tokens.
    """
    args, kwargs = walk.arguments()
    output = features = walk.make(layer.name, layer.output_dim)
    if kwargs.get("reverse") or any(one is True for one in args):
        walk.tie(features, inputs[0])
        output = np.full(layer.input_dim, -1)
    else:
        walk.freeze(inputs[0], f"Embedding {layer.name!r} reads it as tokens")
    return Effect(
        MAKE,
        output,
        {"embeddings": (None, features), "reverse_embeddings": (features, None)},
        settings={"output_dim": features},
        kernel=Kernel("embeddings", reads=None),
    )


@rule("EinsumDense")
def _einsum(walk, layer, inputs, shapes):
    """As a dense layer, where the last axis of the input becomes the output's.

    There may be further axes, as of an attention's heads; they keep their lengths.
    """
    terms = layer.equation.replace(" ", "").replace("->", ",").split(",")
    read, kernel, made = terms
    ends = {read[-1], made[-1]}
    if not ends <= set(kernel) or read[-1] in made or made[-1] in read:
        return None
    size = layer.kernel.shape[kernel.index(made[-1])]
    if size != walk.output_shape()[-1]:
        return None
    output = walk.make(layer.name, size)
    channels = {read[-1]: inputs[0], made[-1]: output}
    axes = {"kernel": tuple(channels.get(name) for name in kernel)}
    if layer.bias is not None:
        axes["bias"] = _bias_axes(layer, made, channels)
    _hold_mixed(walk, layer, output)
    shape = (*layer.partial_output_shape[:-1], output)
    places = (kernel.index(end) - len(kernel) for end in (read[-1], made[-1]))
    return Effect(
        MAKE,
        output,
        axes,
        settings={"output_shape": shape},
        kernel=Kernel("kernel", *places),
    )


def _bias_axes(
    layer: keras.layers.EinsumDense, made: str, channels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray | None, ...]:
    """The axes of a bias, which goes along some last axes of the output."""
    last = made[-len(layer.bias.shape) :]
    along = zip(last, layer.bias.shape, strict=True)
    return tuple(
        channels.get(name) if name in layer.bias_axes else None for name, size in along
    )
