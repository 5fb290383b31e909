"""Layers of one weight or of numbers, and which weights are a layer's own."""

import keras
from blocks import Block, Scaled, Standard

from ns_tf.graph.own_weights import OwnWeight, as_inputs, own

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
