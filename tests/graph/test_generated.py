"""Networks that make their own gates: against gates that are given."""

import numpy as np
import pytest

from ns_tf.graph import weights
from ns_tf.graph.blocks import BlockNetwork, blocks
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.generated import GeneratedBlocks, GeneratedNetwork, Generator
from ns_tf.graph.walk import channel_graph


def squashed(made, entries):
    return 1 / (1 + np.e ** (-entries * made))


@pytest.mark.parametrize("name", ["chain", "concat", "residual", "depthwise"])
def test_the_row_that_was_made_gates_the_network(
    name, handmade, randomise, rng, float64
):
    """The gates that come out, given to a network with gates, compute the same."""
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    free = [group.channels for group in graph.groups if group.frozen is None]
    network = GeneratedNetwork(model, graph, free, squashed).model
    images = rng.normal(size=(3, 6, 7, 3))
    row = np.ones((1, len(graph.owner) + 1))
    row[0, np.concatenate(free)] = 2.0
    outputs, gates = (np.array(x) for x in network([images, row], training=False))
    own = gates[0, np.concatenate(free)]
    assert ((own > 0) & (own < 1)).all() and (gates[0, -1] == 1) and np.ptp(own) > 0
    gated = GatedNetwork(model, graph).model
    expected = gated([images, gates.repeat(3, axis=0)], training=False)
    np.testing.assert_allclose(outputs, expected, atol=1e-10)
    made = [one for one in network.layers if isinstance(one, Generator)]
    assert len(made) == len(free), "one for each group, however many edges it has"
    assert {k for k in weights.values(network) if k[1] != "kernel"} <= set(
        weights.values(model)
    )


def test_every_block_has_a_gate_that_is_made_of_its_branch(
    handmade, randomise, rng, float64
):
    model = randomise(handmade["residual"]())
    graph = channel_graph(model)
    found = blocks(model, graph)
    network = GeneratedBlocks(model, graph, found, squashed).model
    images = rng.normal(size=(3, 6, 7, 3))
    row = np.append(np.full(len(found), 2.0), 1.0)[None]
    outputs, gates = (np.array(x) for x in network([images, row], training=False))
    assert gates.shape == row.shape and gates[0, -1] == 1
    assert ((gates[0, :-1] > 0) & (gates[0, :-1] < 1)).all()
    gated = BlockNetwork(model, graph, found).model
    expected = gated([images, gates.repeat(3, axis=0)], training=False)
    np.testing.assert_allclose(outputs, expected, atol=1e-10)
    made = [one for one in network.layers if isinstance(one, Generator)]
    assert [list(one.numbers) for one in made] == [[i] for i in range(len(found))]


def test_a_generator_by_hand(rng):
    """Of maps of 17 x 3: pooled by 3 and 2 pixels to 6 x 2, then one product."""
    layer = Generator([2, 0], [4, 1], lambda made, entries: made + entries)
    x, row = (
        rng.normal(size=(5, 17, 3, 3)).astype("float32"),
        np.zeros((1, 6), "float32"),
    )
    row[0, 4] = 7.0
    found = np.array(layer(x, row))
    mean = np.pad(x.mean(axis=0), ((0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    # 17 rows are padded to 18 at the end, 3 columns to 4.
    mean = mean.reshape(6, 3, 2, 2, 3).max(axis=(1, 3))[..., [2, 0]]
    made = mean.reshape(-1) @ np.array(layer.kernel)
    expected = row[0].copy()
    expected[[4, 1]] = made + [7.0, 0.0]
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)
    assert layer.kernel.shape == (6 * 2 * 2, 2)
