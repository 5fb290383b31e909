"""Where gates of a bank are: what moves, and into which weights gates go."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.blocks import BlockNetwork, blocks
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is
from ns_tf.prune.sites import BlockSites, ChannelSites


def structure_of(model):
    return as_it_is(from_model(model, fixed=True))


def test_a_layer_of_channels_has_one_that_is_open_and_blocks_may_all_be_closed(
    handmade,
):
    model = handmade["residual"]()
    graph = channel_graph(model)
    structure = structure_of(model)
    channels, none = ChannelSites(graph, structure), np.zeros(len(graph.owner))
    raw = np.arange(float(len(none)))
    opened = channels.opened(none, raw)
    for group in graph.groups:
        own = opened[group.channels]
        assert own.all() if group.frozen else (own[-1] == 1 and own.sum() == 1)
    found = blocks(model, graph)
    sites = BlockSites(graph, structure, found)
    assert sites.opened(np.zeros(1), np.zeros(1)).tolist() == [0]
    assert sites.free.all() and sites.pins(model) == []
    assert len(channels.pins(model)) == 2


@pytest.mark.parametrize(
    "kind, name",
    [
        *(("blocks", "residual"), ("channels", "residual"), ("channels", "flatten")),
        *(
            pytest.param("channels", name, marks=pytest.mark.slow)
            for name in ("depthwise", "concat", "shared")
        ),
    ],
)
def test_gates_in_the_weights_compute_what_gates_did(
    kind, name, handmade, randomise, rng, float64
):
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    structure = structure_of(model)
    sites = ChannelSites(graph, structure)
    if kind == "blocks":
        sites = BlockSites(graph, structure, blocks(model, graph))
    sites.check()
    gates = np.where(sites.free, rng.uniform(0.5, 1.5, len(sites.free)), 1.0)
    images, row = rng.normal(size=(3, 6, 7, 3)), keras.Variable(np.append(gates, 1.0))
    network = sites.network(model)
    forward = sites.forward(network, row)
    own = BlockNetwork if kind == "blocks" else GatedNetwork
    args = (blocks(model, graph),) if kind == "blocks" else ()
    taking = own(model, graph, *args).model
    for closed in (0, 1):  # With one that is 0, too.
        gates[np.flatnonzero(sites.free)[:closed]] = 0.0
        row.assign(np.append(gates, 1.0))
        rows = np.array(row)[None].repeat(3, axis=0)
        for training in (True, False):
            expected = taking([images, rows], training=training)
            found = forward(images, training=training)
            np.testing.assert_allclose(found, expected, atol=1e-10)
    weights.assign(model, weights.values(network))  # Statistics have moved.
    weights.assign(model, sites.folded(model, gates))
    np.testing.assert_allclose(model(images, training=False), expected, atol=1e-10)


def test_gates_that_fit_into_no_kernel_are_refused():
    image = keras.Input((6, 7, 3))
    x = keras.layers.Conv2D(5, 3, name="a")(image)
    x = keras.layers.LayerNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(2)(x))
    with pytest.raises(InputError, match="'norm' has no such kernel"):
        ChannelSites(channel_graph(model), None).check()
