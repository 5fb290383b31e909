"""Layers that the networks share: shapes, starting values and precision."""

import keras
import numpy as np
import pytest

from ns_tf.networks import blocks


def image(height=7, width=11, channels=5):
    return keras.Input((height, width, channels), name="image")


def layer_of(tensor) -> keras.Layer:
    return tensor._keras_history.operation


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride, shape", [(1, (7, 11)), (2, (4, 6)), (3, (3, 4))])
def test_only_the_stride_changes_the_size_of_an_image(size, stride, shape):
    x = blocks.conv(image(), 13, size, stride=stride, bias=True, name="conv")
    y = blocks.depthwise(image(), size, stride=stride, name="depthwise")
    assert x.shape == (None, *shape, 13) and y.shape == (None, *shape, 5)


@pytest.mark.parametrize("bias", [False, True])
def test_a_convolution_has_a_bias_if_it_is_asked_for(bias):
    layer = layer_of(blocks.conv(image(), 13, 3, bias=bias, name="conv"))
    assert layer.name == "conv" and layer.use_bias is bias
    assert layer.count_params() == 9 * 5 * 13 + bias * 13


def assert_uniform(kernel, bound: float) -> None:
    """Within the bound, of the spread of U(-bound, bound), and centred."""
    values = np.array(kernel)
    assert np.abs(values).max() <= bound
    assert np.abs(values).max() > 0.95 * bound
    np.testing.assert_allclose(values.std(), bound / np.sqrt(3), rtol=0.1)
    assert abs(values.mean()) < 0.1 * bound


def test_kernels_start_uniform_within_one_over_the_root_of_the_fan_in():
    conv = layer_of(blocks.conv(image(), 23, 3, bias=True, name="conv"))
    assert_uniform(conv.kernel, 1 / np.sqrt(9 * 5))
    dense = layer_of(blocks.dense(keras.Input((53,)), 31, name="dense"))
    assert_uniform(dense.kernel, 1 / np.sqrt(53))
    assert (np.array(conv.bias) == 0).all() and (np.array(dense.bias) == 0).all()


def test_the_fan_in_of_a_depthwise_kernel_is_one_channel():
    layer = layer_of(blocks.depthwise(image(channels=97), 3, name="depthwise"))
    assert_uniform(layer.kernel, 1 / 3)


def test_batch_norms_have_the_settings_of_the_authors_framework():
    layer = layer_of(blocks.batch_norm(image(), name="bn"))
    assert (layer.name, layer.momentum, layer.epsilon) == ("bn", 0.9, 1e-5)
    assert layer.axis in (-1, 3) and layer.center and layer.scale


def test_the_last_layer_is_in_full_precision_whatever_the_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    x = blocks.dense(keras.Input((7,)), 3, name="dense")
    y = blocks.conv(image(), 3, 1, bias=True, name="conv")
    assert x.dtype == "float32" and y.dtype == "bfloat16"
