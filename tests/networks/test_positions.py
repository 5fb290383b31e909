"""Multiply-adds by positions are those of the operations that TensorFlow runs."""

import dataclasses

import keras
import pytest
from multiply_adds import counted, on, traced

from ns_tf.base import InputError
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.layers import EpitomeConv1D, EpitomeConv2D, EpitomeDense
from ns_tf.networks.positions import positions

layers = keras.layers


def recurrent(kind, **options):
    """[7, 5] -> layer of 6 units -> Dense; its steps one by one in the graph."""
    return on((7, 5), getattr(layers, kind)(6, unroll=True, **options), layers.Dense(3))


MODELS = {
    **{
        f"{kind}, {'all steps' if every else 'the last step'}": (
            lambda kind=kind, every=every: recurrent(kind, return_sequences=every)
        )
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for every in (False, True)
    },
    "GRU, reset before": lambda: recurrent("GRU", reset_after=False),
    "two directions": lambda: on(
        (7, 5),
        layers.Bidirectional(layers.LSTM(6, unroll=True, return_sequences=True)),
        layers.Bidirectional(layers.GRU(4, unroll=True), merge_mode="sum"),
    ),
    "a network a step": lambda: on(
        (4, 8, 9, 3),
        layers.TimeDistributed(layers.Conv2D(5, 3, strides=2)),
        layers.TimeDistributed(layers.Flatten()),
        layers.LSTM(6, unroll=True),
    ),
    "einsums": lambda: on(
        (7, 5),
        layers.EinsumDense("abc,cd->abd", (7, 6)),
        layers.EinsumDense("abc,bcd->acd", (6, 4)),
        layers.EinsumDense("...x,xy->...y", (6, 3)),
    ),
    "convolutions": lambda: on(
        (8, 9, 3),
        layers.Conv2D(4, 3, strides=2),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2),
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.SpectralNormalization(layers.Conv2D(4, 1)),
    ),
    "epitomes": lambda: on(
        (8, 9, 5),
        EpitomeConv2D(7, 3, epitome=(4, 3, 3, 4), strides=2),
        EpitomeConv2D(11, 3, epitome=(3, 3, 4, 5), sampling="wrapped"),
        EpitomeDense(6, sampling="fixed", stride=2),
        layers.Reshape((2, 6)),
        EpitomeConv1D(5, 2, sampling="fixed", repeat=3, padding="causal"),
    ),
    "within a model": lambda: on(
        (7, 5), on((None, 5), layers.Conv1D(4, 3)), recurrent_of_four()
    ),
}


def recurrent_of_four():
    return on((5, 4), layers.GRU(6, unroll=True))


@pytest.mark.parametrize("name", MODELS)
def test_products_are_counted_at_every_pixel_and_step(name):
    model = MODELS[name]()
    assert counted(model) == traced(model) > 0


def test_stacked_cells_meet_every_step():
    model = on((7, 5), layers.RNN([layers.LSTMCell(6), layers.GRUCell(4)]))
    assert counted(model) == 7 * (4 * (5 + 6) * 6 + 3 * (6 + 4) * 4)


def test_a_recurrent_convolution_meets_every_pixel_at_every_step():
    for every in (False, True):
        layer = layers.ConvLSTM2D(6, 3, return_sequences=every)
        entries = 3 * 3 * (3 + 6) * 4 * 6
        assert counted(on((5, 8, 9, 3), layer)) == 5 * (6 * 7) * entries


def test_an_attention_reads_its_own_tokens_and_the_others():
    one, other = keras.Input((7, 8)), keras.Input((11, 5))
    layer = layers.MultiHeadAttention(2, 3, output_shape=4)
    model = keras.Model([one, other], layer(one, other))
    query, key_and_value, output = 7 * 8 * 6, 11 * 5 * 6 * 2, 7 * 6 * 4
    assert counted(model) == query + key_and_value + output
    other = keras.Input((11, 8))
    model = keras.Model(
        [one, other], layers.GroupQueryAttention(3, 4, 2)(one, other, other)
    )
    query, key_and_value, output = 7 * 8 * 12, 11 * 8 * 6 * 2, 7 * 12 * 8
    assert counted(model) == query + key_and_value + output


@pytest.mark.parametrize("kind", ["masked", "of a masked value", "named", "grouped"])
def test_masks_and_names_of_an_attention_do_not_matter(kind):
    """Keras sorts tensors that are given by name, and masks are among them."""
    one, other = keras.Input((6, 8)), keras.Input((9, 8))
    mask, tokens = keras.Input((6, 9), dtype="bool"), keras.Input((9,), dtype="bool")
    layer = layers.MultiHeadAttention(2, 3)
    grouped = layers.GroupQueryAttention(3, 4, 2)
    x = {
        "masked": lambda: layer(one, other, attention_mask=mask),
        "of a masked value": lambda: layer(one, other, value_mask=tokens),
        "named": lambda: layer(query=one, value=other, key=other),
        "grouped": lambda: grouped(one, other, attention_mask=mask),
    }[kind]()
    size = 12 if kind == "grouped" else 6
    expected = 6 * 8 * size + 9 * 8 * 6 * 2 + 6 * size * 8
    assert counted(keras.Model([one, other, mask, tokens], x)) == expected


def test_windows_in_the_batch_count_all():
    image = keras.Input((4, 6, 5))
    x = layers.Dense(7)(keras.ops.reshape(image, (-1, 2, 3, 5)))
    x = layers.Dense(3)(keras.ops.reshape(x, (-1, 24, 7)))
    assert counted(keras.Model(image, x)) == 24 * (5 * 7 + 7 * 3)


def test_channels_first_is_counted_by_pixels():
    layer = layers.Conv2D(4, 3, data_format="channels_first")
    assert counted(on((3, 8, 9), layer)) == 27 * 4 * (6 * 7)


def test_an_axis_of_unknown_length_counts_once():
    assert counted(on((None, 5), layers.Dense(4))) == 5 * 4


def test_a_model_within_that_fits_one_size_alone_is_refused_in_one_line():
    """Counting copies it at the size of the call."""

    @keras.saving.register_keras_serializable("ns_tf_tests")
    class Whole(layers.Layer):
        def call(self, x):
            if x.shape[1] is not None and x.shape[1] != 9:
                raise TypeError("No.")
            return x

    inner = on((None, None, 3), Whole(), layers.Conv2D(4, 3))
    image = keras.Input((None, None, 3))
    model = keras.Model(image, inner(image))
    model_graph = channel_graph(model)
    assert positions(model, model_graph)
    (call,) = (call for call in model_graph.calls if call.inputs)
    shapes = {**model_graph.shapes, call.inputs[0]: (None, 8, 8, 3)}
    with pytest.raises(InputError, match="cannot be made again for the 8x8x3 "):
        positions(model, dataclasses.replace(model_graph, shapes=shapes))
