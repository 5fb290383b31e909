"""Layers made again at other sizes, and what their configurations have to hold."""

import keras
import numpy as np
import pytest
from blocks import DropPath
from graphs import headed
from subclasses import Adapted, Backbone, Nameless, Stack, around

from ns_tf.base import InputError
from ns_tf.graph.remake import (
    check_readable,
    config_of,
    copied,
    remade,
    resized,
)
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse

layers = keras.layers


def sequential(layer):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(3), layer])


def functional(layer):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, sequential(layer)(image * 2))


def test_of_several_layers_within_each_gets_its_size():
    steps = keras.Input((5, 3))
    cells = [layers.GRUCell(7), layers.LSTMCell(11)]
    x = layers.RNN(cells, name="rnn")(steps)
    model = keras.Model(steps, layers.Dense(2)(x))
    made = resized(model.get_layer("rnn"), channel_graph(model), lambda c: len(c) - 2)
    assert [cell.units for cell in made.cell.cells] == [5, 9]
    assert [type(one) for one in made.cell.cells] == [type(one) for one in cells]


@pytest.mark.parametrize("place", [lambda layer: layer, sequential, functional])
def test_thinner_networks_keep_what_a_normalization_adapted_to(rng, place):
    pixels = rng.uniform(0, 255, (31, 8, 8, 3)).astype("float32")
    normal = layers.Normalization()
    normal.adapt(pixels)
    found = analyse(from_model(headed([place(normal)])), (8, 8, 3), 5)
    assert found.scales_pixels
    thin = found.build((5, 3))
    again = analyse(from_model(thin), (8, 8, 3), 5).build()
    for network in (thin, again):
        first = network.get_layer(normal.name)
        np.testing.assert_allclose(first(pixels), normal(pixels), atol=1e-5)


def length(channels) -> int:
    """Every axis becomes as long as twice its channels and one."""
    return 2 * len(channels) + 1


def test_a_layer_is_made_again_at_the_length_of_its_last_axis(handmade):
    graph = channel_graph(model := handmade["flatten"]())
    conv = resized(model.get_layer("a"), graph, length)
    dense = resized(model.get_layer("hidden"), graph, length)
    assert (conv.filters, dense.units) == (2 * 11 + 1, 2 * 13 + 1)
    assert conv is not model.get_layer("a") and not conv.built
    assert conv.name == "a" and conv.kernel_size == (3, 3)
    assert dense.activation is keras.activations.relu


def test_layers_without_channels_of_their_own_are_copied(handmade):
    graph = channel_graph(model := handmade["flatten"]())
    for name in ("a_bn", "relu", "pool", "flatten"):
        layer = model.get_layer(name)
        copy = resized(layer, graph, length)
        assert copy is not layer and type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()


def test_a_reshape_gets_the_length_of_its_channels():
    image = keras.Input((1, 1, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layers.Reshape((11,), name="reshape")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    copy = resized(model.get_layer("reshape"), channel_graph(model), length)
    assert copy.target_shape == (23,)


def test_other_settings_may_be_changed(handmade):
    graph = channel_graph(model := handmade["chain"]())
    copy = resized(model.get_layer("a"), graph, length, use_bias=False)
    assert not copy.use_bias and copy.filters == 27


def doubled(x):
    return 2 * x


def test_a_layer_of_a_function_that_is_not_registered_is_refused_by_name():
    layer = layers.Lambda(lambda x: 2 * x, name="odd")
    with pytest.raises(InputError, match="'odd' cannot be made again") as error:
        remade(layer, layer.get_config())
    assert "write a Lambda as a class" in str(error.value)
    assert "\n" not in str(error.value)


def relu(x):
    """Not the one of Keras, whose name it has."""
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


def test_a_function_that_would_become_another_of_its_name_is_refused():
    layer = layers.Conv2D(3, 1, activation=relu, name="odd")
    with pytest.raises(InputError, match="activation 'relu' would become another"):
        remade(layer, layer.get_config())
    inner = layers.Dense(3, activation=keras.ops.gelu, name="odd")
    for layer in (inner, layers.TimeDistributed(inner)):
        with pytest.raises(InputError, match="activation 'gelu' would become another"):
            copied(layer)
    layer = layers.Conv2D(3, 1, activation=keras.ops.relu, name="even")
    copy = remade(layer, layer.get_config())
    assert copy.activation is keras.activations.relu


def test_a_layer_whose_activation_has_weights_is_refused_with_the_remedy():
    for called in (False, True):
        layer = layers.Conv2D(3, 1, activation=layers.PReLU(), name="odd")
        if called:
            layer(np.ones((1, 5, 5, 3)))
        with pytest.raises(InputError, match="'odd' has .* Call the PReLU behind it"):
            remade(layer, layer.get_config())


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("within", [False, True])
def test_activations_that_no_copy_would_have_are_refused_where_a_model_is_read(within):
    def odd(**options):
        cell = layers.GRUCell(3, name="odd", **options)
        return layers.RNN(cell) if within else layers.GRU(3, name="odd", **options)

    def read(layer):
        steps = keras.Input((4, 3))
        x = layers.Dense(2)(layers.Dense(5)(layer(steps)))
        return from_model(keras.Model(steps, x))

    for name in ("activation", "recurrent_activation"):
        with pytest.raises(InputError, match=f"odd' has a lambda as its {name}, "):
            read(odd(**{name: lambda x: x * x}))
    with pytest.raises(InputError, match="has a layer as its activation"):
        read(layers.Dense(3, activation=layers.PReLU()))
    named = keras.saving.register_keras_serializable("ns_tf_tests", "squared")
    assert read(odd(activation=named(lambda x: x * x)))


def test_an_identity_with_a_dtype_policy_is_made_again_and_again():
    layer = layers.Identity(dtype=keras.DTypePolicy("bfloat16"), name="skip")
    for _ in range(2):
        layer = remade(layer, config_of(layer))
    assert (layer.name, layer.dtype_policy.name) == ("skip", "bfloat16")


def test_a_copy_is_frozen_where_the_layer_is():
    """`Backbone.get_config` says nothing of it."""
    backbone = Backbone()
    backbone.get_layer("a").trainable = False
    stack = Stack()
    stack.trainable = False
    for model in (backbone, stack, layers.Dense(3, trainable=False)):
        copy = remade(model, model.get_config())
        pairs = zip(model._flatten_layers(), copy._flatten_layers(), strict=True)
        assert all(a.trainable == b.trainable for a, b in pairs if not a._layers)
        assert len(copy.trainable_weights) == len(model.trainable_weights)


def test_a_class_that_cannot_read_its_own_configuration_is_refused():
    """`Sequential.from_config` expects a list of layers."""
    layer = Stack(name="mine")
    with pytest.raises(InputError, match="'mine' cannot .*KeyError.'layers'.\\. Reg"):
        remade(keras.Sequential(name="mine"), layer.get_config())


def test_a_layer_that_loses_its_name_is_refused():
    """Weights are found by the names of layers."""
    model = around(Nameless(name="mine"))
    with pytest.raises(InputError, match="'mine' cannot be made again.*Nameless.get"):
        remade(model.get_layer("mine"), model.get_layer("mine").get_config())
    copy = remade(layers.Dense(3, name="a"), {"units": 5, "name": "b"})
    assert (copy.name, copy.units) == ("b", 5)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Doubled(layers.Layer):
    """Says nothing of its name, and has no weights."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return {"factor": self.factor}


def test_a_name_that_was_made_up_is_kept_where_there_are_no_weights():
    drop, doubled = DropPath(0.25), Doubled(2.0)
    copies = copied(drop), copied(doubled)
    assert [copy.name for copy in copies] == [drop.name, doubled.name]
    assert copies[0].rate == 0.25 and copies[1].factor == 2


def test_a_subclass_within_a_model_that_would_lose_its_statistics_is_refused(rng):
    inner = Adapted(name="mine")
    inner.get_layer("normal").adapt(rng.normal(3, 5, (7, 6, 7, 3)))
    model = around(inner)
    graph = channel_graph(model)
    with pytest.raises(InputError, match="'normal' in it has adapted to data.*Adapted"):
        resized(model.get_layer("mine"), graph, length)
    # Standing alone it is seen as the functional model that it is.
    assert channel_graph(inner, free=True).groups[0].makers == ("a",)


def test_a_model_of_registered_classes_can_be_read_elsewhere(handmade):
    for build in handmade.values():
        check_readable(build())
    check_readable(around(Backbone()))


class Unregistered(layers.Layer):
    def call(self, x):
        return x


def test_a_model_that_nobody_else_could_read_is_refused_with_the_remedy():
    image = keras.Input((3,))
    for layer in (Unregistered(name="odd"), layers.Activation(doubled, name="odd")):
        model = keras.Model(image, layer(image))
        with pytest.raises(InputError, match="'odd' .* Register your classes"):
            check_readable(model)


FLASH = keras.layers.MultiHeadAttention(2, 3, flash_attention=True)
LOOP = keras.layers.GRU(3, use_cudnn=False)


@pytest.mark.parametrize(
    "layer, option", [(FLASH, "_flash_attention"), (LOOP, "use_cudnn")]
)
def test_options_that_keras_does_not_write_down_are_kept(layer, option):
    copy = remade(layer, layer.get_config())
    assert getattr(copy, option) == getattr(layer, option)
