"""Layers that are made of layers are seen through where their call leaves a graph."""

import keras
import numpy as np
import pytest
from attentions import Window
from blocks import (
    Block,
    Causal,
    Classed,
    Counted,
    Decoding,
    Fused,
    Gated,
    Looked,
    Noted,
    Phased,
    Positioned,
    Scaled,
    TwoFaced,
    Waves,
)

from ns_tf.graph.flat import flat
from ns_tf.graph.traced import is_block, traced
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


def drawn(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def around(block: keras.layers.Layer, **options) -> keras.Model:
    """image[5, 7, 3] - stem - block - average - logits."""
    image = keras.Input((5, 7, 3), name="image")
    x = block(layers.Conv2D(11, 1, name="stem")(image), **options)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return drawn(keras.Model(image, layers.Dense(3, name="logits")(x)))


def same(one: keras.Model, other: keras.Model, **options) -> None:
    x = np.random.default_rng(1).normal(size=(2, 5, 7, 3)).astype("float32")
    np.testing.assert_allclose(
        np.asarray(one(x, **options)), np.asarray(other(x, **options)), rtol=1e-5
    )


def names(model: keras.Model) -> set[str]:
    return {operation.name for operation in model.operations}


def test_a_block_becomes_its_layers_with_their_weights():
    model = around(Block(13, name="block"))
    copy = flat(model, blocks=True)
    assert {"stem", "wide", "norm", "narrow"} < names(copy)
    assert "block" not in names(copy)
    same(model, copy)
    same(model, copy, training=True)
    graph = channel_graph(copy)
    assert {g.name: g.size for g in graph.groups if not g.frozen} == {
        "stem": 11, "wide": 13,
    }  # fmt: skip
    assert "block" in names(flat(model))  # Builders build blocks as they are.


def test_blocks_within_blocks_and_models_are_seen_through():
    image = keras.Input((None, None, 3), name="pixels")
    x = Gated(name="outer")(layers.Conv2D(11, 1, name="stem")(image))
    body = keras.Model(image, x, name="body")
    image = keras.Input((5, 7, 3), name="image")
    x = layers.GlobalAveragePooling2D(name="average")(body(image))
    model = drawn(keras.Model(image, layers.Dense(3, name="logits")(x)))
    copy = flat(model, blocks=True)
    assert not any(is_block(one) for one in copy.operations)
    assert {"stem", "first", "gate", "wide"} < names(copy)
    same(model, copy)


def test_a_block_that_is_called_twice_stays_one_set_of_weights():
    block = Block(13, name="block")
    image = keras.Input((5, 7, 3), name="image")
    x = block(block(layers.Conv2D(11, 1, name="stem")(image)))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = drawn(keras.Model(image, layers.Dense(3, name="logits")(x)))
    copy = flat(model, blocks=True)
    assert len(copy.weights) == len(model.weights)
    same(model, copy)


def test_training_false_and_frozen_blocks_stay_so():
    block = Block(13, name="block")
    model = around(block, training=False)
    copy = flat(model, blocks=True)
    same(model, copy, training=True)
    block.trainable = False
    kept = flat(model, blocks=True)
    assert not kept.get_layer("wide").trainable and kept.get_layer("stem").trainable


def test_a_block_keeps_the_regularizers_of_its_layers():
    block = Positioned(name="block")
    block.dense = layers.Dense(11, kernel_regularizer="l2", name="dense")
    model = around(block)
    copy = flat(model, blocks=True)
    assert "block" not in names(copy)
    np.testing.assert_allclose(copy.losses, model.losses)


def test_lengths_that_are_not_known_are_found_by_the_reshape():
    model = around(Positioned(name="block"))
    copy = flat(model, blocks=True)
    assert "block" not in names(copy)
    same(model, copy)


def test_a_block_that_asks_for_the_number_of_examples_takes_any(tmp_path):
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = Causal(name="block")(layers.Embedding(7, 11, name="words")(tokens))
    x = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    model = drawn(keras.Model(tokens, x))
    copy = flat(model, blocks=True)
    numbers = np.random.default_rng(0).integers(0, 7, (4, 5))
    np.testing.assert_allclose(copy(numbers), model(numbers), rtol=1e-5)
    free = [group.name for group in channel_graph(copy).groups if not group.frozen]
    assert free[0] == "words" and {"attention/heads", "wide"} < {*free}
    copy.save(tmp_path / "copy.keras")
    again = keras.models.load_model(tmp_path / "copy.keras")
    np.testing.assert_array_equal(again(numbers), copy(numbers))


def test_what_is_no_tensor_may_be_put_out_beside_those():
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    block = Decoding(name="block")
    x = layers.Embedding(7, 11, name="words")(tokens)
    x, *_ = keras.tree.flatten(block(x))
    x = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    model = drawn(keras.Model(tokens, x))
    assert [one is None for one in traced(block).constants] == [True, False]
    assert type(block.attention).__name__ == "Cached"
    copy = flat(model, blocks=True)
    numbers = np.random.default_rng(0).integers(0, 7, (4, 5))
    np.testing.assert_allclose(copy(numbers), model(numbers), rtol=1e-5)
    free = [g.makers[0] for g in channel_graph(copy).groups if not g.frozen]
    assert free == ["words", "query", "attention_output", "wide"]


@pytest.mark.parametrize(
    "block",
    [
        Scaled(name="block"),  # A weight of its own.
        Phased(name="block"),  # Another computation in training.
        TwoFaced(name="block"),  # Another one without symbols.
        Noted(name="block"),  # A loss of its own.
        Counted(name="block"),  # Another computation for each example.
        Positioned(name="block", activity_regularizer="l2"),  # A loss of its own.
    ],
    ids=lambda block: type(block).__name__,
)
def test_what_the_call_does_not_show_stays_a_layer(block):
    model = around(block)
    assert traced(block) is None
    copy = flat(model, blocks=True)
    assert "block" in names(copy)
    reasons = {group.frozen for group in channel_graph(copy).groups}
    assert any("'block'" in (reason or "") for reason in reasons)


@pytest.mark.parametrize("kind", [Looked, Waves, Classed, Fused])
def test_tables_tokens_and_constants_are_followed(kind, rng):
    """A table is looked up at numbers that no input decides."""
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = kind(name="block")(layers.Embedding(7, 11, name="words")(tokens))
    x = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    model = drawn(keras.Model(tokens, x))
    copy, examples = flat(model, blocks=True), rng.integers(0, 7, (4, 5))
    assert "block" not in names(copy)
    np.testing.assert_allclose(copy(examples), model(examples), rtol=1e-5)
    graph = channel_graph(copy)
    assert [g.name for g in graph.groups if not g.frozen] == ["words"]


def test_layers_of_keras_and_models_are_no_blocks():
    rnn = layers.RNN(layers.GRUCell(3))
    rnn(keras.Input((5, 7)))
    image = keras.Input((3,))
    model = keras.Model(image, layers.Dense(2)(image))
    model(image)
    assert not any(
        is_block(one) for one in (rnn, model, layers.Dense(3), layers.LSTM(3))
    )


def test_calls_of_two_shapes_keep_a_block_a_layer():
    dense = Gated(name="block")
    for size in (4, 5):
        dense(keras.Input((size, size, 11)))
    assert traced(dense) is None


class Added(layers.Layer):
    """Adds numbers that its call is given."""

    def call(self, x, numbers=0.0):
        return x + numbers


@pytest.mark.parametrize("changed", [False, True])
def test_calls_with_other_numbers_keep_a_block_a_layer(changed):
    """The text of a long array leaves out those in the middle."""
    block, image = Added(name="block"), keras.Input((2000,))
    numbers = np.zeros((2, 2000), "float32")
    numbers[1, 1000] = changed
    for one in numbers:
        block(image, numbers=one)
    assert (traced(block) is None) == changed


def test_windows_of_an_image_have_a_mask_each(rng):
    """So their number is one that the rows of all masks divide."""
    window = Window(name="window")
    masks = -9.0 * np.array([np.eye(4), 1 - np.eye(4), np.zeros((4, 4))], "float32")
    window(keras.Input((4, 5)), mask=masks)
    model = drawn(traced(window, masks=False).model)
    windows = rng.normal(size=(6, 4, 5)).astype("float32")
    found = np.array(model(windows))
    np.testing.assert_allclose(found, window(windows, mask=masks), atol=1e-6)
    np.testing.assert_allclose(found[:3], window(windows[:3], mask=masks), atol=1e-6)
    assert traced(window) is None, "a mask may come with the windows"


@keras.saving.register_keras_serializable("ns_tf_tests")
class Words(layers.Layer):
    """An embedding by hand, of which token 0 is padding."""

    def build(self, shape):
        self.table = self.add_weight(shape=(7, 4), name="table")

    def call(self, tokens):
        return ops.take(self.table, tokens, axis=0)

    def compute_mask(self, tokens, previous=None):
        return ops.not_equal(tokens, 0)


@keras.saving.register_keras_serializable("ns_tf_tests")
def padding(tokens, mask=None):
    return ops.not_equal(tokens, 0)


@keras.saving.register_keras_serializable("ns_tf_tests")
def one_hot(tokens):
    return ops.one_hot(tokens, 7)


@pytest.mark.parametrize(
    "kind", [Words, lambda **n: layers.Lambda(one_hot, mask=padding, **n)]
)
def test_masks_that_a_layer_makes_reach_what_lies_behind(kind):
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    masking = kind(name="masking")
    x = layers.LSTM(6)(masking(tokens))
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    model = drawn(keras.Model(tokens, inner(x)))
    copy = flat(model, blocks=True)
    assert traced(masking) is None and copy is not model
    numbers = np.array([[1, 2, 0, 0, 0], [3, 0, 1, 4, 0]])
    np.testing.assert_allclose(copy(numbers), model(numbers), rtol=1e-5)


class Tied(layers.Layer):
    """Reads the kernel of a layer within that it calls as well."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(7, name="dense")

    def call(self, x):
        return ops.matmul(self.dense(x), ops.transpose(self.dense.kernel))


class Summed(layers.Layer):
    """Gives an operation a function."""

    def call(self, x):
        rows = ops.moveaxis(x, 1, 0)
        total, _ = ops.scan(lambda c, row: (c + row, c), ops.zeros_like(rows[0]), rows)
        return ops.expand_dims(total, 1)


@pytest.mark.parametrize("kind", [Tied, Summed])
def test_weights_and_functions_that_a_graph_would_hide_keep_a_block(kind):
    model = around(kind(name="block"))
    copy = flat(model, blocks=True)
    assert "block" in names(copy) and len(copy.weights) == len(model.weights)
    same(model, copy)
    assert "stem" not in {g.name for g in channel_graph(copy).groups if not g.frozen}
    for weight in copy.weights:  # No number that a weight had is left in it.
        weight.assign(ops.zeros_like(weight))
    assert not np.any(copy(np.ones((2, 5, 7, 3))))
