"""Layers of Keras's computed by other operations: same results, faster or more safely.

The operation of a layer is replaced on the instance. The layer's class, configuration
and weights stay, so a saved model is a plain Keras model.
"""

import functools

import keras
import tensorflow as tf

# A fused batch norm of other widths takes two to three times as long as Keras's own
# operations, with oneDNN on (docs/performance.md).
FUSED_MULTIPLE = 4


def subsample_first(layer: keras.Layer) -> None:
    """Makes a strided 1x1 convolution drop the unused pixels first.

    y[i, j] = x[s i, s j] K, so a convolution without stride of x[::s, ::s] gives the
    same. TensorFlow's gradient of the strided one corrupts memory under oneDNN with
    fewer than 8 channels.

    Args:
        layer: Any layer; others than strided 1x1 `Conv2D` stay as they are.
    """
    if (
        type(layer) is keras.layers.Conv2D
        and tuple(layer.kernel_size) == (1, 1)
        and max(layer.strides) > 1
    ):
        layer.convolution_op = functools.partial(_subsampled, layer)


def _subsampled(layer: keras.layers.Conv2D, inputs, kernel):
    """A strided 1x1 convolution as one without stride, of every `strides`-th pixel.

    Args:
        layer: The convolution.
        inputs: [batch, height, width, channels], or channels first.
        kernel: [1, 1, channels, filters].
    """
    pixels = tuple(slice(None, None, stride) for stride in layer.strides)
    whole = (slice(None),)
    if layer.data_format == "channels_last":
        place = (*whole, *pixels, *whole)
    else:
        place = (*whole, *whole, *pixels)
    return keras.ops.conv(inputs[place], kernel, data_format=layer.data_format)


def fuse(layer: keras.layers.BatchNormalization) -> None:
    """Makes a batch norm train by TensorFlow's fused operation, where that is faster.

    Keras computes it by a dozen operations, each of which goes through memory once: a
    step of MobileNetV2 takes 1.2 times as long on CPUs.

    Args:
        layer: A batch norm. It stays as it is unless it is built, normalises the last
            of four axes in float32, has a multiple of `FUSED_MULTIPLE` channels, and
            is neither synchronised nor renormalised. Inference stays Keras's own.
    """
    if (
        type(layer) is keras.layers.BatchNormalization
        and not isinstance(layer.call, functools.partial)  # Not fused yet.
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
    """Batch norm of `inputs` [batch, height, width, channels], as Keras's `call`.

    Moving statistics follow m <- momentum m + (1 - momentum) batch, with the variance
    of the batch, not the unbiased one.

    Args:
        layer: The batch norm.
        usual: Keras's `call` of it, for inference and masks.
        inputs: [batch, height, width, channels].
        training: As of Keras's `call`.
        mask: As of Keras's `call`.
    """
    if not (training and layer.trainable) or mask is not None:
        return usual(inputs, training=training, mask=mask)
    inputs = tf.cast(inputs, tf.float32)  # A model may read whole numbers.
    shape = layer.moving_mean.shape
    empty = tf.constant([], tf.float32)
    outputs, mean, sample_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma.value if layer.scale else tf.ones(shape),
        offset=layer.beta.value if layer.center else tf.zeros(shape),
        mean=empty,
        variance=empty,
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The operation returns the unbiased variance, n / (n - 1) of the batch's.
    count = tf.cast(tf.size(inputs) // shape[0], tf.float32)
    variance = sample_variance * ((count - 1) / count)
    for moving, batch in (
        (layer.moving_mean, mean),
        (layer.moving_variance, variance),
    ):
        moving.assign(moving.value * layer.momentum + batch * (1.0 - layer.momentum))
    return outputs
