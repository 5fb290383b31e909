"""Sizes of weights as polynomials of the widths; pixels that they are applied at."""

import keras
import numpy as np
import pytest
from subclasses import Backbone, Doubled, around

from ns_tf.graph.walk import channel_graph
from ns_tf.networks.costs import ALWAYS
from ns_tf.networks.weight_sizes import vanishing_layers, weight_sizes

layers = keras.layers


def projected(a: int, b: int) -> keras.Model:
    """image - a - (b + shortcut if widths differ) - BN behind it - add - logits[5]."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(a, 1, name="a")(image)
    y = layers.Conv2D(b, 3, padding="same", name="b")(x)
    if a != b:
        x = layers.Conv2D(b, 1, use_bias=False, name="shortcut")(x)
        x = layers.BatchNormalization(name="shortcut_bn")(x)
    x = layers.Add(name="add")([y, x])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


@pytest.fixture(scope="module")
def sizes():
    """(layer, weight) -> WeightSize of the network above, at widths 17 and 19."""
    model = projected(17, 19)
    graph = channel_graph(model)
    follows = {i: (w, 1) for i, w in enumerate((0, 1)) if graph.groups[i].size > 5}
    present = {operation.name for operation in projected(17, 17).operations}
    vanishing = vanishing_layers(graph, follows, present)
    return {
        (size.layer, size.name): size
        for size in weight_sizes(model, graph, follows, vanishing, 2)
    }


def entries(size, widths) -> int:
    x = (*widths, 1)
    if size.differ != ALWAYS and widths[size.differ[0]] == widths[size.differ[1]]:
        return 0
    return sum(c * x[left] * x[right] for c, left, right in size.terms)


@pytest.mark.parametrize("widths", [(17, 19), (3, 11), (7, 7), (1, 2)])
def test_sizes_are_those_of_what_is_built(sizes, widths):
    model = projected(*widths)
    built = {
        (layer.name, weight.name): int(np.prod(weight.shape))
        for layer in model.layers
        for weight in layer.weights
    }
    assert {key: entries(size, widths) for key, size in sizes.items()} == {
        key: built.get(key, 0) for key in sizes
    }
    assert built.keys() <= sizes.keys()


def test_a_projection_and_the_norm_behind_it_exist_where_the_widths_differ(sizes):
    differ = {key[0]: size.differ for key, size in sizes.items()}
    assert differ.pop("shortcut") == differ.pop("shortcut_bn") == (0, 1)
    assert set(differ.values()) == {ALWAYS}


def test_positions_are_the_pixels_that_the_layer_puts_out(sizes):
    positions = {key[0]: size.positions for key, size in sizes.items()}
    assert positions["a"] == positions["b"] == positions["shortcut_bn"] == 6 * 7
    assert positions["logits"] == 1


def test_what_is_not_trained_is_marked(sizes):
    frozen = {key for key, size in sizes.items() if not size.trainable}
    assert frozen == {
        ("shortcut_bn", "moving_mean"),
        ("shortcut_bn", "moving_variance"),
    }


def test_a_layer_that_is_called_twice_is_applied_at_the_pixels_of_both():
    image = keras.Input((6, 7, 3), name="image")
    twice = layers.Conv2D(3, 3, name="twice")
    x = layers.GlobalAveragePooling2D()(twice(twice(image)))
    model = keras.Model(image, layers.Dense(5)(x))
    size = next(weight_sizes(model, channel_graph(model), {}, {}, 0))
    assert size.positions == 4 * 5 + 2 * 3


@pytest.mark.parametrize("make, positions", [(Backbone, 4 * 5), (Doubled, 1)])
def test_a_subclass_within_is_looked_into_unless_it_overrides_call(make, positions):
    """Else its weights are applied once for every pixel that it puts out."""
    model = around(make(name="mine"))
    sizes = list(weight_sizes(model, channel_graph(model), {}, {}, 0))
    first = next(size for size in sizes if size.layer == "mine")
    assert (first.name, first.positions) == ("kernel", positions)
    assert entries(first, ()) == 9 * 3 * 11
