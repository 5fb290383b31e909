"""What the channel graph knows of epitomes."""

import keras
import numpy as np
import pytest
from graphs import around, found, groups
from thinner import Thinner

from ns_tf.graph.rules import MAKE
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.layers import EpitomeConv2D, EpitomeDense
from ns_tf.networks.structure import analyse

OVERLAPPING = {
    "learned": lambda: EpitomeConv2D(13, 3, epitome=(4, 3, 5, 6), name="e"),
    "fixed": lambda: EpitomeConv2D(7, 3, sampling="fixed", stride=2, name="e"),
    "wrapped": lambda: EpitomeConv2D(
        13, 3, epitome=(3, 3, 5, 6), sampling="wrapped", name="e"
    ),
}


@pytest.mark.parametrize(
    "name, told",
    {
        "learned": "blocks of the kernel overlap in the epitome of 'e'",
        "fixed": "filters overlap in the epitome of 'e'",
        "wrapped": "a tile is cut off of the epitome of 'e'",
    }.items(),
)
def test_channels_of_epitomes_that_overlap_stay_with_the_reason(name, told):
    kind, before, graph = found(OVERLAPPING[name]())
    reasons = {group.name: group.frozen for group in graph.groups}
    assert (kind, before, reasons["e"]) == (MAKE, told, told)
    assert reasons["b"] is None  # What lies behind is free.


TIED = {
    "image": lambda: EpitomeConv2D(
        14, 3, epitome=(3, 3, 11, 7), sampling="wrapped", name="e"
    ),
    "features": lambda: EpitomeDense(14, epitome=(11, 7), sampling="wrapped", name="e"),
}


@pytest.mark.parametrize("name", TIED)
def test_whole_tiles_are_tied_and_networks_of_other_widths_are_built(name):
    model = around(TIED[name]())
    graph = channel_graph(model)
    assert groups(graph) == {"a": ("a",), "e": ("e",), "b": ("b",)}
    assert [group.size for group in graph.groups[:3]] == [11, 7, 5]
    structure = analyse(from_model(model), (6, 7, 3), 2)
    for widths in ((11, 7, 5), (5, 3, 7)):
        small = structure.build(widths)
        assert small.count_params() == structure.params(np.array(widths))
        assert small.get_layer("e").epitome[-2:] == widths[:2]
        assert small.get_layer("e").channels == 2 * widths[1]


def test_closed_channels_of_tiles_are_channels_that_are_gone(rng):
    layer = EpitomeConv2D(15, 3, epitome=(3, 3, 4, 5), sampling="wrapped", name="e")
    x = image = keras.Input((6, 7, 3))
    x = layer(keras.layers.Conv2D(12, 1, name="a")(x))
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 1, name="b")(x))
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    thinner = Thinner(model, channel_graph(model))
    images = rng.normal(size=(3, 6, 7, 3))
    for _ in range(3):
        keep = thinner.subset(rng, 0.6)
        closed, thin = thinner.closed(keep), thinner.thin(keep)
        assert np.allclose(closed(images), thin(images), atol=1e-5)
        left = thin.get_layer("e")
        assert left.channels == 3 * left.epitome[3]


def test_an_activation_that_mixes_channels_is_told():
    layer = EpitomeDense(
        14, epitome=(11, 7), sampling="wrapped", activation="softmax", name="e"
    )
    _, before, graph = found(layer, flat=True)
    reasons = {group.name: group.frozen for group in graph.groups}
    assert before is None and reasons["e"].startswith("the softmax of 'e'")
