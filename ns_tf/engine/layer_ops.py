"""Layers of Keras's computed another way: the same result, faster or more safely."""

import functools

import keras
import tensorflow as tf

# A fused batch norm of other widths takes two to three times as long as Keras's own
# operations, with oneDNN on (docs/performance.md).
FUSED_MULTIPLE = 4


def subsample_first(layer: keras.Layer) -> None:
    """Lets a 1x1 convolution with a stride drop pixels first; leaves others alone.

    The gradient of TensorFlow's own corrupts memory (oneDNN, fewer than 8 channels).
    """
    if (
        type(layer) is keras.layers.Conv2D
        and tuple(layer.kernel_size) == (1, 1)
        and max(layer.strides) > 1
    ):
        layer.convolution_op = functools.partial(_subsampled, layer)


def _subsampled(layer: keras.layers.Conv2D, inputs, kernel):
    """A strided 1x1 convolution as one without stride, of the pixels that count."""
    rows, columns = (slice(None, None, stride) for stride in layer.strides)
    channels_last = layer.data_format == "channels_last"
    place = (
        (rows, columns, slice(None)) if channels_last else (slice(None), rows, columns)
    )
    return keras.ops.conv(
        inputs[(slice(None), *place)], kernel, data_format=layer.data_format
    )


def fuse(layer: keras.layers.BatchNormalization) -> None:
    """Lets a batch norm train by one operation, where that is faster on CPUs.

    Keras computes it by a dozen, each of which goes through memory once: a step of
    MobileNetV2 takes 1.2 times as long. Batch norms of other widths, axes or
    precisions, and what a batch norm does in inference, stay as they are.
    """
    if (
        type(layer) is keras.layers.BatchNormalization
        and not isinstance(layer.call, functools.partial)  # Done before.
        and layer.built
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.moving_mean.shape[0] % FUSED_MULTIPLE == 0
        and layer.compute_dtype == layer.variable_dtype == "float32"
        and not layer.renorm
        and not layer.synchronized
    ):
        layer.call = functools.partial(_fused, layer, layer.call)


def _fused(layer, usual, inputs, training=None, mask=None):
    """Batch norm of `inputs` [batch, height, width, channels], as Keras's `call`."""
    if not (training and layer.trainable) or mask is not None:
        return usual(inputs, training=training, mask=mask)
    inputs = tf.cast(inputs, tf.float32)  # A model may read whole numbers.
    shape = layer.moving_mean.shape
    nothing = tf.constant([], tf.float32)
    outputs, mean, sample_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma.value if layer.scale else tf.ones(shape),
        offset=layer.beta.value if layer.center else tf.zeros(shape),
        mean=nothing,
        variance=nothing,
        epsilon=layer.epsilon,
        is_training=True,
    )
    # Keras keeps the variance of the batch, the operation tells that of the population
    # that it is a sample of.
    count = tf.cast(tf.size(inputs) // shape[0], tf.float32)
    variance = sample_variance * ((count - 1) / count)
    for moving, now in (
        (layer.moving_mean, mean),
        (layer.moving_variance, variance),
    ):
        moving.assign(moving.value * layer.momentum + now * (1.0 - layer.momentum))
    return outputs
