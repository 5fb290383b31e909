"""Layers of epitomes: what they compute, save, and tell the channel graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from picked import picked

from ns_tf.base import InputError
from ns_tf.networks.layers import EpitomeConv1D, EpitomeConv2D, EpitomeDense
from ns_tf.networks.layers.plain import as_plain

layers = keras.layers

LAYERS = {
    "learned": lambda: EpitomeConv2D(13, 3, epitome=(4, 3, 5, 6), name="e"),
    "strided": lambda: EpitomeConv2D(
        13, (3, 2), epitome=(3, 2, 7, 11), strides=2, padding="same", name="e"
    ),
    "wrapped": lambda: EpitomeConv2D(
        13, 3, epitome=(3, 3, 5, 6), sampling="wrapped", activation="relu", name="e"
    ),
    "fixed": lambda: EpitomeConv2D(
        7, 3, sampling="fixed", stride=2, repeat=11, dilation_rate=2, name="e"
    ),
    "dense": lambda: EpitomeDense(13, epitome=(5, 6), use_bias=False, name="e"),
    "dense, wrapped": lambda: EpitomeDense(
        13, epitome=(5, 6), sampling="wrapped", name="e"
    ),
    "dense, fixed": lambda: EpitomeDense(13, sampling="fixed", stride=3, name="e"),
    **{
        f"sequence, {padding}": lambda padding=padding: EpitomeConv1D(
            13, 3, epitome=(5, 4, 6), padding=padding, dilation_rate=2, name="e"
        )
        for padding in ("valid", "same", "causal")
    },
    "sequence, fixed": lambda: EpitomeConv1D(13, 3, sampling="fixed", name="e"),
}


def network(name):
    shape = (9, 11) if name.startswith("sequence") else (8, 9, 11)
    x = image = keras.Input(shape)
    return keras.Model(image, LAYERS[name]()(x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_keras_own_with_the_kernel_that_it_makes(name, rng, tmp_path):
    """Its output, the shape that it says, all after a file was read again."""
    model = network(name)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    layer, plain = model.get_layer("e"), model.get_layer("e").plain()
    assert type(plain) in (layers.Conv1D, layers.Conv2D, layers.Dense)
    plain.build(model.input_shape)
    plain.set_weights([w for w in (layer.made(), layer.bias) if w is not None])
    x = rng.normal(size=(2, *model.input_shape[1:])).astype("float32")
    expected = keras.ops.convert_to_numpy(plain(x))
    y = keras.ops.convert_to_numpy(model(x))
    assert np.allclose(y, expected, atol=1e-4 * np.abs(expected).max())
    assert model.output_shape[1:] == y.shape[1:]
    model.save(tmp_path / "e.keras")
    again = keras.models.load_model(tmp_path / "e.keras")
    assert np.array_equal(keras.ops.convert_to_numpy(again(x)), y)
    assert again.get_layer("e").get_config() == layer.get_config()


@pytest.mark.parametrize(
    "name", picked(["learned", "wrapped", "fixed", "dense", "sequence, same"], LAYERS)
)
def test_every_weight_learns(name, rng):
    model = network(name)
    x = rng.normal(size=(2, *model.input_shape[1:]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x, training=True) ** 2)
    slopes = tape.gradient(loss, model.trainable_variables)
    assert len(slopes) == len(model.weights)  # None that does not learn.
    assert all(np.any(np.array(slope) != 0) for slope in slopes)


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="padding is one of valid, same; got 'causal'"):
        EpitomeConv2D(5, 3, epitome=(3, 3, 5, 7), padding="causal")
    with pytest.raises(InputError, match="Expected 2 sizes from 1"):
        EpitomeConv2D(5, (3, 3, 3), epitome=(3, 3, 5, 7))
    with pytest.raises(InputError, match="at least 1 channel"):
        EpitomeDense(0, epitome=(5, 7))


def test_a_dense_layer_passes_masks_on_and_its_plain_one_too(rng, tmp_path):
    x = tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8, mask_zero=True)(x)
    x = EpitomeDense(12, epitome=(8, 6), sampling="wrapped", name="e")(x)
    model = keras.Model(tokens, layers.GlobalAveragePooling1D()(x))
    model.save(tmp_path / "e.keras")
    read = keras.saving.load_model(tmp_path / "e.keras")
    short, padded = np.array([[3, 4, 5]]), np.array([[3, 4, 5, 0, 0, 0]])
    inner = keras.Model(tokens, model.get_layer("e").output)
    expected = keras.ops.convert_to_numpy(inner(padded))[:, : short.shape[1]].mean(1)
    for one in (model, read, as_plain(model)):
        np.testing.assert_allclose(one(padded), expected, rtol=1e-4, atol=1e-6)
