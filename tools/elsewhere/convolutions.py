"""Convolutions as products of matrices, for JAX on an accelerator.

With `jax.vmap` over several seeds, XLA's own convolutions become grouped ones, which
are slow. Products of matrices become batched products, which are not.
"""

import jax
import jax.numpy as jnp
import keras

# Keras's own, for the convolutions that are not rewritten.
LIBRARY = keras.layers.Conv2D.convolution_op, keras.layers.DepthwiseConv2D.call


def use_products() -> None:
    """Lets all convolutions of Keras's compute as products of matrices."""
    keras.layers.Conv2D.convolution_op = convolution
    keras.layers.DepthwiseConv2D.call = depthwise


def convolution(
    layer: keras.layers.Conv2D, inputs: jax.Array, kernel: jax.Array
) -> jax.Array:
    """A Conv2D as one product of matrices.

    Args:
        layer: Says padding and strides.
        inputs: `[batch, h, w, channels]`.
        kernel: `[rows, columns, channels, filters]`.

    Returns:
        `[batch, h', w', filters]`, as `layer.convolution_op` gives it but for rounding.
    """
    if not _usual(layer):
        return LIBRARY[0](layer, inputs, kernel)
    kernel = keras.ops.convert_to_tensor(kernel, inputs.dtype)
    columns = jnp.concatenate(shifted(inputs, kernel.shape[:2], layer.strides), -1)
    return columns @ kernel.reshape(-1, kernel.shape[-1])


def depthwise(layer: keras.layers.DepthwiseConv2D, inputs: jax.Array) -> jax.Array:
    """A DepthwiseConv2D as a sum over the places of its kernel.

    Args:
        layer: With its weights.
        inputs: `[batch, h, w, channels]`.

    Returns:
        `[batch, h', w', channels]`, as `layer.call` gives it but for rounding.
    """
    if not _usual(layer) or layer.depth_multiplier != 1 or not layer.use_bias:
        return LIBRARY[1](layer, inputs)
    kernel = keras.ops.convert_to_tensor(layer.kernel, jnp.float32)
    views = shifted(inputs, kernel.shape[:2], layer.strides)
    places = kernel.reshape(len(views), -1)
    sums = sum(x.astype(jnp.float32) * k for x, k in zip(views, places, strict=True))
    bias = keras.ops.convert_to_tensor(layer.bias, inputs.dtype)
    return layer.activation(sums.astype(inputs.dtype) + bias)


def _usual(layer: keras.Layer) -> bool:
    """Whether a convolution is of the kind that is rewritten; others stay XLA's."""
    return (
        layer.padding == "same"
        and set(layer.dilation_rate) == {1}
        and getattr(layer, "groups", 1) == 1
        and layer.data_format == "channels_last"
    )


def shifted(
    x: jax.Array, size: tuple[int, int], strides: tuple[int, int]
) -> list[jax.Array]:
    """The pixels that each place of a kernel is multiplied with.

    Args:
        x: `[batch, h, w, channels]`; "same" padding is added here.
        size: Rows and columns of the kernel.
        strides: Of the convolution, by rows and by columns.

    Returns:
        rows * columns arrays `[batch, h', w', channels]`, row by row.
    """
    pads, ends = [], []
    for n, k, s in zip(x.shape[1:3], size, strides, strict=True):
        count = -(-n // s)
        total = max((count - 1) * s + k - n, 0)
        pads.append((total // 2, total - total // 2))
        ends.append((count - 1) * s + 1)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    return [
        x[:, i : i + ends[0] : strides[0], j : j + ends[1] : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]
