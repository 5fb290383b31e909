"""Layers of one's own that give their input itself, but for a training."""

import keras
import numpy as np
import pytest
from blocks import DropPath

from ns_tf.graph.flat import flat
from ns_tf.graph.passing import passes
from ns_tf.graph.walk import channel_graph

layers = keras.layers
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


def around(layer):
    image = keras.Input((4, 4, 3))
    x = layer(layers.Conv2D(11, 1, name="a")(image))
    x = layers.Conv2D(7, 1, name="b")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    graph = channel_graph(flat(model, blocks=True))
    return graph.groups[0].frozen


def test_what_draws_in_a_training_alone_passes_channels():
    layer = DropPath(name="drop")
    before = np.array(layer.draws.state)
    assert around(layer) is None and passes(layer, [(None, 4, 11)])
    np.testing.assert_array_equal(layer.draws.state, before)


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
