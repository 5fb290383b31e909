"""Layers of one's own that give their input itself, but for a training."""

import keras
import numpy as np
import pytest
from blocks import DropPath

from ns_tf.graph.flat import flat
from ns_tf.graph.passing import passes
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops
register = keras.saving.register_keras_serializable("ns_tf_tests")


@register
class Sized(DropPath):
    """Takes one number of channels alone in a training."""

    def call(self, x, training=None):
        return x * np.ones(11, "float32") if training else x


@register
class Lifted(DropPath):
    """Is another function outside of a training."""

    def call(self, x, training=None):
        return x if training else x + 1


@register
class Hidden(DropPath):
    """Does not say how it was made."""

    def __init__(self, rate, **options):
        super().__init__(rate, **options)

    def get_config(self):
        return layers.Layer.get_config(self)


def around(layer, **options):
    image = keras.Input((4, 4, 3))
    x = layer(layers.Conv2D(11, 1, name="a")(image), **options)
    x = layers.Conv2D(7, 1, name="b")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    graph = channel_graph(flat(model, blocks=True))
    return graph.groups[0].frozen


def test_what_draws_in_a_training_alone_passes_channels():
    layer = DropPath(name="drop")
    before = np.array(layer.draws.state)
    assert around(layer) is None and passes(layer, [(None, 4, 11)])
    np.testing.assert_array_equal(layer.draws.state, before)


def test_a_call_that_is_always_of_a_training_stays():
    assert "cannot be followed" in around(DropPath(name="drop"), training=True)
    assert around(DropPath(name="drop"), training=False) is None


SHAPES: list[tuple] = []


class Noisy(layers.Layer):
    """Draws of Keras's own generator in a training, and notes for what."""

    def call(self, x, training=None):
        if not training:
            return x
        SHAPES.append(tuple(x.shape))
        return x + keras.random.normal(ops.shape(x))


def test_it_is_tried_once_on_few_pixels_and_draws_nothing_of_others():
    SHAPES.clear()
    keras.utils.set_random_seed(3)
    expected = np.array(keras.random.normal((2,)))
    keras.utils.set_random_seed(3)
    layer = Noisy()
    assert all(passes(layer, [(None, 224, 200, 5)]) for _ in range(2))
    assert SHAPES == [(2, 3, 3, 6)]
    np.testing.assert_array_equal(keras.random.normal((2,)), expected)


class Cropped(DropPath):
    """Wants all pixels in a training."""

    def call(self, x, training=None):
        return x + x[:, 7:8] if training else x


def test_what_wants_more_pixels_gets_all():
    assert passes(Cropped(), [(None, 8, 11)])


@pytest.mark.parametrize("layer", [Sized(), Lifted(), Hidden(0.5)])
def test_what_is_not_known_at_any_width_stays(layer):
    assert not passes(layer, [(None, 4, 11)])
    assert "cannot be followed" in around(layer)


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (layers.Dropout(0.5), [(None, 11)]),
        (DropPath(), [(None, 11), (None, 11)]),
        (DropPath(), [(None, 4, None)]),
        (DropPath(), [()]),
    ],
)
def test_layers_of_keras_several_inputs_and_open_widths_are_others(layer, shapes):
    assert not passes(layer, shapes)
