"""Layers of one weight or of numbers, and which weights are a layer's own."""

import keras
import numpy as np
from blocks import Block, Scaled, Standard

from ns_tf.graph.own_weights import Fixed, OwnWeight, as_inputs, as_numbers, own

layers = keras.layers


def test_own_weights_are_the_attributes_and_hidden_ones_are_refused():
    blocks = Block(13), Standard(), Scaled()
    for one in blocks:
        one(keras.Input((5, 7, 11)))
    assert [own(one) and {*own(one)} for one in blocks] == [
        {},
        {"scale", "offset"},
        None,
    ]


def test_symbolic_tensors_stand_in_for_weights_as_long_as_a_call_is_followed():
    block = Standard()
    block(keras.Input((5, 7, 11)))
    scale = block.scale
    with as_inputs(block) as inputs:
        assert block.scale is inputs[0] and block.offset.shape == (1, 7, 11)
    assert block.scale is scale


def test_a_weight_is_a_layer_of_its_file(tmp_path):
    layer = OwnWeight((2, 3), follows=True, regularizer="l2", constraint="non_neg")
    layer(keras.Input((4, 3)))
    again = OwnWeight.from_config(layer.get_config())
    assert again.shape == (2, 3) and again.follows
    assert again.get_config() == layer.get_config()


def test_weights_become_numbers_of_which_a_file_needs_no_class(tmp_path, rng):
    x = keras.Input((4, 3), name="x")
    own = OwnWeight((3,), initializer="random_normal", name="own")
    y = layers.Embedding(4, 3, name="table")(Fixed([0, 1, 2, 3], "int32", name="at")(x))
    model = keras.Model(x, layers.Dense(2, name="end")(x * own(x) + y))
    found = as_numbers(model)
    assert not {"own", "at", "table"} & {one.name for one in found.operations}
    assert found.get_layer("end") is model.get_layer("end")
    assert "ns_tf" not in found.to_json() and found.output_names == model.output_names
    numbers = rng.normal(size=(5, 4, 3)).astype("float32")
    np.testing.assert_allclose(found(numbers), model(numbers), rtol=1e-5, atol=1e-6)
    found.save(tmp_path / "found.keras")
    again = keras.models.load_model(tmp_path / "found.keras")
    np.testing.assert_array_equal(again(numbers), found(numbers))
    assert as_numbers(found) is found
