"""Masks that come with tensors: which layers make them, and which take them."""

import keras
import numpy as np
import pytest

from ns_tf.graph.flat import flat
from ns_tf.graph.masking import has_masks, makes_masks, takes_masks

layers, ops = keras.layers, keras.ops
register = keras.saving.register_keras_serializable("ns_tf_tests")


@register
class Taking(layers.Layer):
    """A dense layer; steps that a mask hides are zero."""

    def __init__(self, handing=False, **options):
        super().__init__(**options)
        self.dense = layers.Dense(5, name="dense")
        self.supports_masking = handing

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x, mask=None):
        y = self.dense(x)
        return y if mask is None else y * ops.cast(mask, y.dtype)[..., None]


@register
class Making(layers.Layer):
    """Hides steps of zeros from what follows."""

    def call(self, x):
        return 1.0 * x

    def compute_mask(self, x, previous=None):
        return ops.any(ops.not_equal(x, 0), axis=-1)


@register
class Hiding(layers.Layer):
    """Calls a recurrent layer, which hands a mask on if it is given one."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = layers.GRU(3, return_sequences=True)

    def call(self, x, padding=None):
        return self.inner(x, mask=padding)


def model(*through, shape=(7, 3)) -> keras.Model:
    x = image = keras.Input(shape)
    for one in through:
        x = one(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    "through, makes",
    [
        ([layers.Dense(3), layers.GRU(3)], False),
        ([layers.Masking()], True),
        ([model(layers.Masking())], True),
        ([Making()], True),
        ([model(Making())], True),
        ([Taking()], False),
        ([Taking(handing=True)], True),
        ([Hiding()], True),
        ([layers.Lambda(ops.abs)], False),
        ([layers.Lambda(ops.abs, mask=lambda x, mask=None: x[..., 0] > 0)], True),
    ],
)
def test_what_could_make_a_mask_is_said_to(through, makes):
    assert makes_masks(model(*through)) is makes


def test_a_mask_that_is_given_to_a_layer_of_keras_comes_with_its_output():
    steps, gru = keras.Input((7, 3)), layers.GRU(3, return_sequences=True)
    made = gru(steps, mask=steps[..., 0] > 0)
    assert has_masks(gru) and makes_masks(keras.Model(steps, made))
    assert not has_masks(layers.Dense(3))


def test_layers_that_take_masks_are_known_by_their_arguments():
    assert takes_masks(Taking()) and takes_masks(layers.MultiHeadAttention(2, 3))
    assert not takes_masks(Making()) and not takes_masks(Hiding())
    assert takes_masks(layers.Lambda(lambda x, mask=None: x))


def test_a_block_that_takes_a_mask_is_seen_through_where_none_can_come(rng):
    given = model(layers.Dense(5), Taking(name="block"), layers.Dense(2))
    copy = flat(given, blocks=True)
    assert "dense" in [one.name for one in copy.layers]
    numbers = rng.normal(size=(2, 7, 3))
    np.testing.assert_allclose(copy(numbers), given(numbers), rtol=1e-5)


@pytest.mark.parametrize("within", [False, True])
def test_a_block_that_gets_a_mask_from_afar_stays_a_layer(within, rng):
    """A model within shows neither the masks that come nor those that leave."""
    block = Taking(name="block")
    parts = [layers.Masking(), model(block)] if within else [model(layers.Masking())]
    given = model(*parts, *([] if within else [block]), layers.Dense(2))
    copy = flat(given, blocks=True)
    assert not has_masks(block) and "block" in [one.name for one in copy.layers]
    numbers = rng.normal(size=(2, 7, 3))
    numbers[:, 4:] = 0
    made = np.array(given(numbers))
    np.testing.assert_allclose(copy(numbers), made, rtol=1e-5)
    np.testing.assert_array_equal(made[:, 4:], 0)
