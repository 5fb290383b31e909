"""Weights of a block's own become layers, whose last axis follows channels."""

import keras
import numpy as np
import pytest
from blocks import Block, Standard

from ns_tf.graph.flat import flat
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.held_weights import with_weights
from ns_tf.graph.own_weights import OwnWeight
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params
from ns_tf.prune.trained import cut

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("ns_tf_tests")
class Table(layers.Layer):
    """Adds what it looks up in a table of its own; a gain meets all of it twice."""

    def build(self, shape):
        self.table = self.add_weight(shape=(7, shape[-2], 1), name="table")
        self.gain = self.add_weight(shape=shape[-1:], name="gain")

    def call(self, x):
        x = x + ops.take(self.table, np.array([3]), axis=0)
        return self.gain * ops.relu(x * self.gain)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Unnamed(layers.Layer):
    """A gain and a dense layer, of weights without names."""

    def build(self, shape):
        self.gain = self.add_weight(shape=shape[-1:])
        self.kernel = self.add_weight(shape=(shape[-1], 11))

    def call(self, x):
        return (x * self.gain) @ self.kernel


def around(block: layers.Layer) -> keras.Model:
    """tokens[5] - words[11] - block - average - logits."""
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = block(layers.Embedding(7, 11, name="words")(tokens))
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(tokens, layers.Dense(3, name="logits")(x))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.parametrize("kind", [Standard, Table])
def test_own_weights_follow_channels_and_removing_is_exact(kind, float64, tmp_path):
    model = around(kind(name="block"))
    found = from_model(model)
    structure = analyse(found, (5,), 3)
    rng = np.random.default_rng(1)
    examples = rng.integers(0, 7, (6, 5))
    source = found.source
    np.testing.assert_allclose(source(examples), model(examples), atol=1e-12)
    graph = channel_graph(source)
    assert [g.name for g in graph.groups if not g.frozen][0] == "words"
    keep = rng.random(len(graph.owner)) < 0.7
    keep |= graph.frozen
    keep[graph.groups[0].channels[:2]] = [True, False]
    small = cut(source, structure, keep)
    gated = GatedNetwork(source, graph)
    expected = gated.model([examples, gated.rows(6, keep)])
    np.testing.assert_allclose(small(examples), expected, atol=1e-10)
    widths = [int(keep[group.channels].sum()) for group in graph.groups[:-1]]
    assert int(structure.params(widths)) == count_params(small)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(examples), small(examples))


def test_what_is_frozen_or_regularised_stays_so():
    block = Table(name="block")
    model = around(block)
    block.gain.regularizer = keras.regularizers.L2(0.5)
    block.trainable = False
    copy = flat(model, blocks=True)
    kept = [one for one in copy.layers if isinstance(one, OwnWeight)]
    assert len(kept) == 2 and not any(one.trainable for one in kept)
    assert [one for one in kept if one.regularizer][0].shape == (11,)


def test_networks_made_anew_start_with_weights_like_these():
    block = Standard(name="block")
    model = around(block)
    block.scale.assign(np.full(11, 0.25))
    copy = flat(model, blocks=True, values=False)
    found = {
        one.name: np.array(one.weight) for one in copy.layers if hasattr(one, "weight")
    }
    np.testing.assert_array_equal(found["block_scale"], np.full(11, 0.25))
    assert 0.5 < found["block_offset"].mean() < 1.5


@keras.saving.register_keras_serializable("ns_tf_tests")
class Told(layers.Layer):
    """Adds constants that it keeps as weights, one of them a number."""

    def build(self, shape):
        options = {"initializer": "ones", "trainable": False}
        self.waves = self.add_weight(shape=shape[1:], name="waves", **options)
        self.number = self.add_weight(shape=(), name="number", **options)

    def call(self, x):
        return x + self.waves * self.number


def test_networks_made_anew_start_with_the_same_constants():
    block = Told(name="block")
    model = around(block)
    copy = flat(model, blocks=True, values=False)
    held = {one.name: one for one in copy.layers if isinstance(one, OwnWeight)}
    for name, weight in (("waves", block.waves), ("number", block.number)):
        layer = held[f"block_{name}"]
        again = OwnWeight.from_config(layer.get_config())
        again.build((None, 5, 11))
        np.testing.assert_allclose(again.weight, weight, rtol=1e-6)


def test_without_own_weights_the_graph_stays():
    block = Block(13, name="block")
    block(keras.Input((5, 7, 11)))
    model = keras.Model(x := keras.Input((5,)), layers.Dense(3)(x))
    assert with_weights(model, block) is model


def test_weights_without_names_go_by_their_attributes():
    model = around(Unnamed(name="block"))
    names = {one.name for one in flat(model, blocks=True).layers}
    assert {"block_gain", "block_kernel"} < names


@keras.saving.register_keras_serializable("ns_tf_tests")
class Transformed(layers.Layer):
    """Multiplies channels with a matrix that no training moves."""

    def build(self, shape):
        size = (shape[-1], shape[-1])
        self.matrix = self.add_weight(shape=size, trainable=False, name="matrix")

    def call(self, x):
        return x @ self.matrix


def test_a_matrix_that_no_training_moves_is_a_constant_and_no_kernel():
    model = around(Transformed(name="block"))
    copy = flat(model, blocks=True)
    assert isinstance(copy.get_layer("block_matrix"), OwnWeight)
    assert count_params(copy) == count_params(model) == 7 * 11 + 12 * 3
    assert channel_graph(copy).groups[0].frozen
