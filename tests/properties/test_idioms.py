"""Everyday networks: which layers may lose channels, and that removing is exact."""

import keras
import numpy as np
import pytest
from attentions import biased, rotated, shifted
from blocks import DropPath
from picked import picked
from random_graphs import assert_removing_is_zeroing, stamp
from thinner import Thinner

from ns_tf.graph.flat import flat
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.positions import positions
from ns_tf.networks.structure import analyse, count_params
from ns_tf.prune.removal import Prunable
from ns_tf.prune.trained import cut

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("ns_tf_tests")
class Attended(layers.Layer):
    """A layer of the user's, of which nothing is known."""

    def call(self, x):
        return x * ops.softmax(ops.mean(x, (1, 2), keepdims=True))


def conv(x, width, name, size=3, **options):
    return layers.Conv2D(width, size, padding="same", name=name, **options)(x)


def normed(x, width, name, activation="relu", **options):
    x = layers.BatchNormalization(**options)(conv(x, width, name))
    return layers.Activation(activation)(x)


def vgg(x):
    x = layers.MaxPooling2D()(normed(x, 5, "a"))
    return layers.Flatten()(normed(x, 7, "b"))


def residual(x):
    x = normed(x, 5, "a")
    y = layers.BatchNormalization()(conv(normed(x, 7, "b"), 5, "c"))
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))


def pre_activation(x):
    x = conv(x, 5, "a")
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.ReLU()(layers.BatchNormalization()(conv(y, 7, "b")))
    x = layers.Add()([x, conv(y, 5, "c")])
    return layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))


def inverted(x):
    x = layers.ReLU(6.0)(layers.BatchNormalization()(conv(x, 5, "a", 1)))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return layers.GlobalAveragePooling2D()(conv(x, 7, "b", 1))


def squeezed(x):
    x = normed(x, 5, "a", "silu")
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = conv(s, 3, "squeeze", 1, activation="silu")
    s = conv(s, 5, "excite", 1, activation="sigmoid")
    return layers.GlobalAveragePooling2D()(layers.Multiply()([x, s]))


def dense(x):
    for name in ("a", "b"):
        x = layers.Concatenate()([x, normed(x, 4, name)])
    return layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))


def inception(x):
    x = normed(x, 5, "a")
    sides = [conv(x, 4, "b", 1), conv(layers.MaxPooling2D(1)(x), 3, "c", 1), x]
    return layers.GlobalAveragePooling2D()(layers.Concatenate()(sides))


def u_net(x):
    x = normed(x, 5, "a")
    y = layers.UpSampling2D()(normed(layers.MaxPooling2D()(x), 7, "b"))
    x = conv(layers.Concatenate()([x, y]), 4, "c", activation="relu")
    return layers.GlobalAveragePooling2D()(x)


def perceptron(x):
    x = layers.Dense(7, activation="relu", name="a")(layers.Flatten()(x))
    x = layers.Dropout(0.0)(layers.BatchNormalization()(x))
    return layers.Dense(4, activation="tanh", name="b")(x)


def volume(x):
    x = layers.Conv3D(5, 1, activation="elu", name="a")(layers.Reshape((4, 3, 2, 3))(x))
    return layers.Flatten()(layers.Conv3D(4, 1, name="b")(x))


def sequence(x):
    x = layers.Conv1D(5, 3, activation="gelu", name="a")(layers.Reshape((8, 9))(x))
    return layers.Flatten()(layers.Conv1D(4, 3, name="b")(x))


def operators(x):
    x = conv(x, 5, "a")
    return layers.GlobalMaxPooling2D()(ops.relu(x + conv(x, 5, "b")))


def twins(x):
    both = layers.Conv2D(5, 3, padding="same", name="a")
    one, other = both(x), both(layers.Cropping2D(0)(x))
    return layers.GlobalAveragePooling2D()(layers.Subtract()([one, other]))


def augmented(x):
    x = layers.Rescaling(2.0)(layers.RandomBrightness(0.0, value_range=(-9, 9))(x))
    return layers.GlobalAveragePooling2D()(normed(x, 5, "a"))


def renormed(x):
    return layers.GlobalAveragePooling2D()(normed(x, 5, "a", renorm=True))


def transferred(x):
    x = conv(normed(x, 5, "a"), 4, "frozen", trainable=False)
    return layers.GlobalAveragePooling2D()(normed(x, 6, "b"))


def nested(x):
    inner = keras.Sequential([layers.Conv2D(3, 1), layers.BatchNormalization()])
    return layers.GlobalAveragePooling2D()(normed(inner(conv(x, 4, "a")), 5, "b"))


def behind_an_odd_layer(make):
    def network(x):
        x = layers.ReLU()(make()(conv(x, 4, "a")))
        return layers.GlobalAveragePooling2D()(normed(x, 5, "b"))

    return network


def recurrent(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = layers.LSTM(6, name="lstm")(x)
    return layers.Dense(5, activation="relu", name="b")(x)


def attention(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = layers.LayerNormalization()(
        x + layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    )
    return layers.Flatten()(layers.Dense(5, activation="relu", name="b")(x))


def pooled(x):
    return layers.GlobalAveragePooling2D()(x)


def scaled(x):
    x = normed(conv(x, 4, "a") * 2.0 - 1.0, 5, "b")
    return pooled(0.5 + x / 3.0)


def scaled_apart(x):
    """Numbers that differ between channels stay with their channels."""
    x = conv((x - np.ones(3)) / np.array([0.5, 1.0, 2.0]), 4, "a") * np.arange(4.0)
    return pooled(conv(conv(x, 6, "b"), 5, "c") * np.full(5, 2.0))


def hard_swish(x):
    x = conv(x, 5, "a")
    x = x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0))
    x = conv(x, 4, "b")
    return pooled(x * ops.sigmoid(x))


def scaled_residual(x):
    x = conv(x, 5, "a")
    return pooled(layers.ReLU()(x + 0.1 * conv(conv(x, 7, "b"), 5, "c")))


def squeezed_by_operations(x):
    x = conv(x, 5, "a")
    s = ops.mean(x, axis=(1, 2), keepdims=True)
    s = ops.sigmoid(conv(ops.relu(conv(s, 3, "squeeze", 1)), 5, "excite", 1))
    return ops.mean(ops.multiply(x, s), axis=[1, 2])


def squeezed_by_dense(x):
    x = conv(x, 5, "a")
    s = layers.Dense(3, activation="relu", name="squeeze")(pooled(x))
    s = layers.Dense(5, activation="sigmoid", name="excite")(s)
    s = layers.Reshape((1, 1, 5))(s)
    return ops.max(layers.Multiply()([s, x]), axis=(1, -2))


def excited_without_reshape(x):
    x = conv(x, 5, "a")
    s = layers.Dense(5, activation="sigmoid", name="excite")(pooled(x))
    return pooled(layers.Multiply()([x, s]))


def attended_in_space(x):
    x = conv(x, 5, "a")
    mask = conv(conv(x, 4, "b"), 1, "mask", activation="sigmoid")
    return pooled(conv(x * mask, 6, "c") + mask)


def layer_scaled(x):
    x = conv(x, 5, "a")
    return pooled(x + layers.Rescaling(0.3)(conv(conv(x, 7, "b"), 5, "c")))


def padded(x):
    x = ops.pad(conv(x, 5, "a"), [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=2.0)
    return pooled(conv(ops.clip(x, -1, 6), 4, "b"))


def sliced(x):
    x = conv(x, 5, "a")
    x = ops.maximum(x[:, 1:, ::2], x[:, :-1, 1::2]) - 1
    return ops.reshape(conv(x, 4, "b")[:, 0], (-1, 3 * 4))


def sliced_along_channels(x):
    x = conv(x, 6, "a")
    y = ops.concatenate([x[..., :4], x[..., -3:]], -1)
    x = ops.concatenate([x[:, 1:-1, :, 2:5], x[:, :2, ..., 3:]], 2)
    return layers.Concatenate()([pooled(x), pooled(conv(y, 5, "b"))])


def sliced_by_operation(x):
    x = normed(x, 7, "a")
    one = ops.slice(x, (0, 1, 0, 2), (-1, 2, 6, 3))
    other = conv(ops.slice(x, (0, 0, 0, 5), (-1, 4, 6, -1)), 5, "b")
    return layers.Concatenate()([pooled(one), pooled(other)])


def sliced_in_steps(x):
    x = conv(x, 6, "a")
    x = x[..., 1::3] * ops.sigmoid(x[..., ::3])
    return pooled(conv(conv(x, 5, "b")[..., ::-1], 4, "c"))


def mixer(x):
    """Dense layers over tokens, then over channels, as in MLP-Mixer."""
    x = layers.Dense(6, name="a")(layers.Reshape((8, 9))(x))
    y = layers.Dense(5, activation="gelu", name="b")(layers.Permute((2, 1))(x))
    x = x + layers.Permute((2, 1))(layers.Dense(8, name="c")(y))
    return ops.mean(x + layers.Dense(6)(layers.Dense(4, name="d")(x)), 1)


def cross_stage(x):
    """A part of the channels goes past the block, as in CSPNet."""
    x = normed(x, 9, "a")
    y = x[..., 4:] + conv(normed(x[..., 4:], 6, "b"), 5, "c")
    return pooled(conv(ops.concatenate([x[..., :4], y], -1), 4, "d"))


def ghost(x):
    """Half of the channels are cheap ones of the others, as in GhostNet."""
    x = normed(x, 5, "a")
    y = layers.Concatenate()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    return pooled(y[..., :8] + conv(y, 8, "b"))


def shuffled_halves(x):
    """Two units of ShuffleNetV2."""
    x = conv(x, 8, "a")
    for name in ("b", "c"):
        one, other = x[..., :4], x[..., 4:]
        x = ops.concatenate([one, normed(other, 4, name)], -1)
        x = ops.transpose(ops.reshape(x, (-1, 4, 6, 2, 4)), (0, 1, 2, 4, 3))
        x = ops.reshape(x, (-1, 4, 6, 8))
    return pooled(conv(x, 5, "d"))


def one_reshape_twice(x):
    """A layer without weights has one configuration for all of its calls."""
    rows = layers.Reshape((4, 30))
    one, other = rows(conv(x, 5, "a")), rows(conv(x, 5, "b"))
    return layers.GlobalAveragePooling1D()(layers.Concatenate()([one, other]))


def split(x):
    one, other, last = ops.split(conv(x, 9, "a"), 3, axis=-1)
    x = ops.concatenate([last, one, ops.tanh(other)], axis=-1)
    one, other = ops.split(conv(x, 8, "b"), 2, axis=-1)
    return pooled(one * ops.sigmoid(other))


def split_unequally(x):
    one, other = ops.split(conv(x, 9, "a"), [4], axis=-1)
    return pooled(conv(ops.concatenate([other, one], axis=-1), 5, "b"))


def split_in_space(x):
    one, other = ops.split(conv(x, 5, "a"), 2, axis=1)
    x = ops.concatenate([one, conv(other, 5, "b")], axis=1)
    return ops.sum(x, axis=(1, 2))


def shuffled(x):
    """Channel shuffle, as ShuffleNet writes it."""
    x = layers.Conv2D(8, 1, groups=2, name="b")(conv(x, 6, "a"))
    x = ops.transpose(ops.reshape(x, (-1, 4, 6, 2, 4)), (0, 1, 2, 4, 3))
    x = ops.reshape(x, (-1, 4, 6, 8))
    return pooled(layers.Conv2D(6, 1, groups=2, name="c")(x))


def shuffled_by_layers(x):
    x = layers.Reshape((4, 6, 2, 4))(conv(x, 8, "a"))
    x = layers.Reshape((4, 6, 8))(layers.Permute((1, 2, 4, 3))(x))
    return pooled(conv(x, 5, "b"))


def pixels_shuffled(x):
    x = ops.reshape(conv(x, 20, "a"), (-1, 4, 6, 2, 2, 5))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 8, 12, 5))
    return pooled(conv(x, 4, "b"))


def generator(x):
    x = layers.Dense(2 * 3 * 7, name="a")(layers.Flatten()(x))
    x = layers.Conv2DTranspose(5, 3, strides=2, name="b")(layers.Reshape((2, 3, 7))(x))
    return layers.Flatten()(conv(ops.leaky_relu(x), 4, "c"))


def depthwise_by_groups(x):
    x = layers.Conv2D(10, 3, groups=5, activation="relu", name="d")(conv(x, 5, "a"))
    return pooled(conv(x, 4, "b"))


def resnext(x):
    x = normed(x, 8, "a")
    y = layers.Conv2D(12, 3, groups=4, padding="same", name="b")(x)
    return pooled(x + conv(layers.ReLU()(y), 8, "c"))


def convnext(x):
    x = conv(x, 5, "a", 2)
    y = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    y = layers.Dense(7, activation="gelu", name="b")(y)
    x = x + layers.Dense(5, name="c")(y)
    return layers.LayerNormalization()(pooled(x))


def norms(x):
    x = layers.BatchNormalization()(conv(x, 5, "a"))
    y = layers.LayerNormalization(center=False)(x)
    x = layers.Concatenate()([layers.ReLU()(x), layers.RMSNormalization()(y)])
    x = layers.UnitNormalization()(conv(x, 6, "b") + 0.5)
    x = layers.GroupNormalization(3)(conv(x, 12, "c"))
    return pooled(layers.GroupNormalization(-1)(x))


def volume_transposed(x):
    x = layers.Conv3DTranspose(5, 2, name="a")(layers.Reshape((4, 3, 2, 3))(x))
    return layers.Flatten()(layers.UpSampling3D(2)(x))


def sequence_separable(x):
    x = layers.SeparableConv1D(5, 3, depth_multiplier=2, name="a")(
        layers.Reshape((8, 9))(x)
    )
    x = layers.Conv1DTranspose(4, 3, name="b")(layers.RepeatVector(3)(ops.mean(x, 1)))
    return layers.GlobalMaxPooling1D()(x)


def einsum(x):
    x = layers.EinsumDense("abcd,de->abce", (None, None, 5), bias_axes="e", name="a")(x)
    return pooled(layers.EinsumDense("abcd,ed->abce", (None, None, 4), name="b")(x))


def transformer(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = layers.Dense(7, activation="gelu", name="b")(layers.LayerNormalization()(x))
    x = x + layers.Dense(4, name="c")(y)
    return layers.LayerNormalization()(x)[:, 0]


def grouped_queries(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    y = layers.Dense(4, name="b")(x)
    y = layers.GroupQueryAttention(3, 4, 2, name="attention")(x, y, y)
    return ops.sum(y, 1)


def crossed(x):
    """Attention to another stream; a width of its own."""
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    y = layers.Dense(5, name="b")(x)
    attention = layers.MultiHeadAttention(2, 3, output_shape=6, name="attention")
    return ops.max(attention(x, value=y, key=x * 2.0), 1)


def every_step(x):
    steps = layers.TimeDistributed
    x = steps(layers.Conv2D(5, 2, activation="relu"), name="a")(
        layers.Reshape((3, 4, 2, 3))(x)
    )
    x = steps(layers.BatchNormalization())(x)
    x = steps(layers.Dense(4), name="b")(steps(layers.Flatten())(x))
    return layers.GlobalAveragePooling1D()(x)


def both_ways(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    gru = layers.GRU(3, return_sequences=True, reset_after=False)
    x = layers.Dense(5, name="b")(layers.Bidirectional(gru, name="gru")(x))
    x = layers.SimpleRNN(7, go_backwards=True, use_bias=False, name="simple")(x)
    return layers.BatchNormalization()(x)


def both_ways_joined(x):
    x = layers.Reshape((8, 9))(x)
    side = layers.LSTM(5, return_sequences=True, activation="relu", unroll=True)
    y = layers.Bidirectional(side, merge_mode="ave", name="lstm")(x)
    x = y + layers.GRU(5, return_sequences=True, name="gru")(x)
    side = layers.GRU(4, recurrent_activation="hard_sigmoid")
    return layers.Bidirectional(side, merge_mode="mul", name="b")(x)


def one_lstm_twice(x):
    x = layers.Reshape((8, 9))(x)
    lstm = layers.LSTM(5, return_sequences=True, name="lstm")
    return layers.Subtract()([lstm(x), lstm(x[:, ::-1])])[:, 3]


def of_one_cell(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = layers.RNN(layers.LSTMCell(6), return_sequences=True, name="lstm")(x)
    x = layers.RNN(layers.GRUCell(5, reset_after=False), name="gru")(x)
    return layers.Dense(3, activation="relu", name="b")(x)


def of_several_cells(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    cells = [layers.GRUCell(5), layers.LSTMCell(3), layers.SimpleRNNCell(4)]
    x, *states = layers.RNN(cells, return_state=True, name="rnn")(x)
    x = layers.Concatenate()([x, keras.tree.flatten(states)[1]])
    return layers.Dense(3, activation="relu", name="b")(x)


def sequence_to_sequence(x):
    x = layers.Reshape((8, 9))(x)
    y, *states = layers.LSTM(
        5, return_sequences=True, return_state=True, name="encoder"
    )(x)
    y = layers.LSTM(5, return_sequences=True, name="decoder")(y, initial_state=states)
    return layers.GRU(4, activation="softmax")(layers.Dense(3, name="a")(y))


def both_ways_with_states(x):
    x = layers.Reshape((8, 9))(x)
    side = layers.GRU(3, return_state=True, return_sequences=True)
    one, other, *states = layers.Bidirectional(side, merge_mode=None, name="both")(x)
    y = layers.Concatenate()(states)
    return layers.GRU(6, name="decoder")(ops.maximum(one, other), initial_state=y)


def images_in_a_row(x):
    x = layers.Reshape((2, 2, 6, 3))(x)
    x = layers.ConvLSTM2D(5, 2, padding="same", return_sequences=True, name="a")(x)
    return layers.Flatten()(layers.ConvLSTM2D(4, 2, strides=2, name="b")(x))


def attended_by_channels_and_pixels(x):
    """CBAM: the means and the maxima of pixels, then those of channels."""
    x, first, last = (
        conv(x, 5, "a"),
        layers.Dense(3, name="b"),
        layers.Dense(5, name="d"),
    )
    y = last(first(ops.mean(x, (1, 2)))) + last(first(ops.max(x, (1, 2))))
    x = x * layers.Reshape((1, 1, 5))(ops.sigmoid(y))
    y = [ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)]
    x = x * conv(layers.Concatenate()(y), 1, "mask", activation="sigmoid")
    return pooled(conv(x - ops.min(x, -1, keepdims=True), 4, "c"))


def selected(x):
    """Branches weighed by a softmax over them, as in SKNet; halves as in GLU."""
    one, other = conv(x, 5, "a"), conv(x, 5, "b", 1)
    y = layers.Dense(3, activation="relu", name="c")(pooled(one + other))
    y = [layers.Dense(5, name=name)(y) for name in ("e", "f")]
    y = ops.softmax(ops.stack(y, axis=1), axis=1)
    first, last = ops.unstack(y, axis=1)
    x = one * first[:, None, None] + other * last[:, None, None]
    return ops.glu(layers.Dense(8, name="d")(pooled(x)))


def in_windows(x):
    """Attention within windows, which a reshape takes into the batch, as in Swin."""
    x = conv(x, 4, "a")
    y = ops.reshape(ops.roll(x, (1, 1), (1, 2)), (-1, 2, 2, 2, 3, 4))
    y = ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 6, 4))
    y = layers.LayerNormalization()(layers.Dense(4, name="b")(y))
    y = y + layers.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = ops.reshape(layers.Dense(4, name="c")(y), (-1, 2, 2, 2, 3, 4))
    y = ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, 4, 6, 4))
    return pooled(x + y)


def non_local(x):
    x = conv(x, 5, "a")
    one, other, last = (layers.Reshape((24, 3))(conv(x, 3, n, 1)) for n in "bcd")
    y = layers.Softmax()(layers.Dot(axes=2)([one, other]))
    y = layers.Reshape((4, 6, 3))(layers.Dot(axes=(2, 1))([y, last]))
    return pooled(x + conv(y, 5, "e", 1))


def attention_of_keras(x):
    x = layers.Reshape((8, 9))(x)
    query, value, key = (
        layers.Dense(n, name=m)(x) for n, m in ((4, "q"), (5, "v"), (4, "k"))
    )
    x = layers.Attention(use_scale=True)([query, value, key])
    return ops.normalize(layers.Dense(3, name="a")(ops.take(x, 2, axis=1)))


def by_statistics_of_pixels(x):
    """An instance norm by hand, a leaky function by `where`, channels beside zeros."""
    x = conv(x, 4, "a")
    mean = ops.mean(x, (1, 2), keepdims=True)
    x = (x - mean) / ops.sqrt(ops.var(x, (1, 2), keepdims=True) + 0.1)
    x = ops.where(x > 0, x, 0.1 * x)
    x = layers.Concatenate()([x, ops.zeros_like(x)]) + conv(x, 8, "b")
    return ops.std(conv(x, 5, "c"), axis=(1, 2))


def attention_of_many_ways(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = layers.MultiHeadAttention(
        3, 5, value_dim=2, use_bias=False, use_gate=True, name="attention"
    )(x, x, use_causal_mask=True)
    x = layers.GroupQueryAttention(
        3, 6, 3, use_gate=True, sliding_window=3, name="grouped"
    )(x, x)
    y, scores = layers.MultiHeadAttention(2, 3, output_shape=5, name="told")(
        x, x, return_attention_scores=True
    )
    return layers.Concatenate()([y[:, 0], ops.mean(scores, (1, 2))])


def attention_over_images(x):
    x = conv(x, 5, "a")
    return pooled(layers.MultiHeadAttention(3, 2, name="attention", dropout=0.0)(x, x))


def attention_by_matmul(x):
    """Heads of dense layers' channels: all heads lose the same places."""
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))

    def heads(name, size=3):
        y = ops.reshape(layers.Dense(2 * size, name=name)(x), (-1, 8, 2, size))
        return ops.transpose(y, (0, 2, 1, 3))

    scores = heads("query") @ ops.transpose(heads("key"), (0, 1, 3, 2)) * 0.5
    y = ops.softmax(scores, axis=-1) @ heads("value", 5)
    y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 8, 10))
    return layers.Flatten()(x + layers.Dense(4, name="b")(y))


def attention_by_einsum(x):
    """Heads are an axis of their own, and stay."""
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))

    def heads(name, size=3):
        shape = (None, 2, size)
        dense = layers.EinsumDense("btc,chd->bthd", shape, bias_axes="hd", name=name)
        return dense(x)

    scores = ops.einsum("bthd,bshd->bhts", heads("query"), heads("key"))
    y = ops.einsum("bhts,bshd->bthd", ops.softmax(scores), heads("value", 5))
    y = layers.EinsumDense("bthd,hdc->btc", (None, 4), bias_axes="c", name="b")(y)
    return layers.Flatten()(layers.LayerNormalization()(x + y))


def attention_by_operation(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    names = ("query", "key", "value")
    parts = [
        ops.reshape(layers.Dense(6, name=name)(x), (-1, 8, 2, 3)) for name in names
    ]
    y = ops.dot_product_attention(*parts, scale=0.5)
    return layers.Flatten()(layers.Dense(4, name="b")(ops.reshape(y, (-1, 8, 6))))


def norm_by_operations(x):
    """Means over channels are those of the channels that there are; sums lose some."""
    x = layers.Dense(5, name="a")(layers.Reshape((8, 9))(x))
    x = x - ops.mean(x, axis=-1, keepdims=True)
    x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 0.1)
    y = layers.Dense(4, name="b")(x)
    return layers.Flatten()(y * ops.sigmoid(ops.sum(x, axis=-1, keepdims=True)))


def video(x):
    """A model of rows at every step, with a batch norm and a shortcut; then a GRU."""
    row = keras.Input((6, 3))
    y = layers.Conv1D(4, 3, padding="same", name="a")(row)
    y = layers.Add()([y, layers.BatchNormalization()(y)])
    y = layers.Dense(5, activation="relu", name="b")(layers.GlobalMaxPooling1D()(y))
    y = layers.TimeDistributed(keras.Model(row, y))(x)
    return layers.GRU(4, name="gru")(y)


def shortcut_of_zeros(x):
    """A ResNet of option A: two stages, the shortcuts padded on both sides, and on one.

    The channels of the first stage are in the middle of those of the second.
    """
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(x)
    for name, before, after in (("a", 2, 2), ("b", 0, 3)):
        width = ((0, 0), (0, 0), (0, 0), (before, after))
        y = layers.Conv2D(x.shape[-1] + before + after, 3, 2, "same", name=name)(x)
        y = layers.BatchNormalization()(y)
        x = layers.ReLU()(layers.Add()([y, ops.pad(x[:, ::2, ::2], width)]))
    return layers.GlobalAveragePooling2D()(x)


def added_queries_and_keys(x):
    """`AdditiveAttention`, once with keys of their own."""
    x = layers.Reshape((8, 9))(x)
    q, v = (layers.Dense(n, name=name)(x) for name, n in (("q", 6), ("v", 6)))
    y = layers.AdditiveAttention()([q, v])
    k = layers.Dense(6, name="k")(x)
    x = layers.AdditiveAttention()([y, layers.Dense(4, name="w")(x), k])
    return layers.Flatten()(layers.Dense(3, name="a")(x))


def spectral(x):
    """The start of a discriminator."""
    for number, width in enumerate((4, 5)):
        conv = layers.Conv2D(width, 3, padding="same", activation="relu")
        x = layers.SpectralNormalization(conv, name=f"conv{number}")(x)
    return layers.Flatten()(x)


@keras.saving.register_keras_serializable("ns_tf_tests")
class ByHand(layers.Layer):
    """A dense layer of weights of its own; its examples may be dropped behind it."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units, self.drop = units, DropPath()

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units))
        self.b = self.add_weight(shape=(self.units,))

    def call(self, x):
        return self.drop(ops.relu(ops.matmul(x, self.w) + self.b))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def by_hand(x):
    """Layers of one's own, a DropPath and a Lambda."""
    x = layers.Conv2D(4, 3, name="a")(x)
    x = layers.Add()([x, DropPath()(ByHand(4, name="hand")(x))])
    x = layers.Lambda(lambda one: ops.mean(ops.tanh(one), axis=(1, 2)))(x)
    return ByHand(5, name="last")(x)


def products_that_stay(x):
    """Channels meet pixels; a scale that follows from the number of channels."""
    x = layers.Dense(8, name="a")(layers.Reshape((8, 9))(x))
    y = x @ layers.Dense(5, name="b")(x)
    q, k, v = (ops.reshape(layers.Dense(6, name=n)(y), (-1, 8, 2, 3)) for n in "qkv")
    y = ops.reshape(ops.dot_product_attention(q, k, v), (-1, 8, 6))
    return layers.Flatten()(layers.Dense(4, name="c")(y))


ODD = {  # Layer behind a -> layers that may lose channels.
    "layer norm": (layers.LayerNormalization, "a b"),
    "group norm": (lambda: layers.GroupNormalization(2), "a b"),
    "unit norm": (layers.UnitNormalization, "a b"),
    "norm of pixels": (lambda: layers.LayerNormalization(axis=[1, 2, 3]), "b"),
    "parametric relu": (layers.PReLU, "a b"),
    "parametric relu, shared": (lambda: layers.PReLU(shared_axes=[1, 2]), "a b"),
    "separable": (lambda: layers.SeparableConv2D(4, 3, name="odd"), "a odd b"),
    "grouped": (lambda: layers.Conv2D(4, 3, groups=2, name="odd"), "a odd b"),
    "transposed": (lambda: layers.Conv2DTranspose(4, 3, name="odd"), "a odd b"),
    "resized": (lambda: layers.Resizing(6, 6), "a b"),
    "softmax": (layers.Softmax, "b"),
    "softmax of pixels": (lambda: layers.Softmax(axis=(1, 2)), "a b"),
    "softmax within": (lambda: layers.Conv2D(4, 1, activation="softmax"), "a b"),
    "one's own": (Attended, "b"),
}
HEADS = "attention/heads attention/key_dim attention/value_dim"
# Network -> layers that may lose channels.
FREE = {
    **{vgg: "a b", residual: "a b c", pre_activation: "a b c", inverted: "a b"},
    **{squeezed: "a squeeze excite", dense: "a b", inception: "a b c", u_net: "a b c"},
    **{perceptron: "a b", volume: "a b", sequence: "a b", operators: "a b"},
    **{twins: "a", augmented: "a", renormed: "a", transferred: "b", nested: "b"},
    **{recurrent: "a lstm b", scaled: "a b", scaled_apart: "b"},
    **{attention: f"a {HEADS} attention b", one_lstm_twice: "lstm"},
    **{hard_swish: "a b", scaled_residual: "a b c", layer_scaled: "a b c"},
    **{squeezed_by_operations: "a squeeze excite", excited_without_reshape: "a excite"},
    **{squeezed_by_dense: "a squeeze excite", attended_in_space: "a b c"},
    **{padded: "a b", sliced: "a b", sliced_along_channels: "a/1 a/2 b"},
    **{sliced_by_operation: "a/1 a/2 a/3 b", sliced_in_steps: "a b c"},
    **{
        mixer: "b d",
        cross_stage: "a b c d",
        ghost: "a/1 b/1 a/2 b/2",
        shuffled_halves: "a b c d",
    },
    **{split: "a/1 a/2 a/3 b", split_unequally: "a/1 a/2 b", one_reshape_twice: "a b"},
    **{split_in_space: "a b", shuffled: "a b c", shuffled_by_layers: "a b"},
    **{pixels_shuffled: "a b", generator: "a b c", depthwise_by_groups: "a b"},
    **{resnext: "a b c", convnext: "a b c", norms: "a b c", volume_transposed: "a"},
    **{sequence_separable: "a b", einsum: "a b"},
    **{transformer: f"a {HEADS} attention b c"},
    **{grouped_queries: "a b attention attention/heads attention/head_dim"},
    **{crossed: f"a b attention {HEADS}", both_ways: "a gru b simple"},
    **{both_ways_joined: "lstm gru b", sequence_to_sequence: "encoder decoder a"},
    of_one_cell: "a lstm gru b",
    of_several_cells: "a rnn rnn/cell_1 rnn/cell_2 b",
    **{both_ways_with_states: "both decoder", images_in_a_row: "a b"},
    attended_by_channels_and_pixels: "a b d c",
    **{selected: "a b c d e f", non_local: "a b c d e"},
    in_windows: f"a b c attention {HEADS}",
    **{attention_of_keras: "q v k a", by_statistics_of_pixels: "a b c"},
    **{attention_over_images: f"a {HEADS} attention"},
    attention_of_many_ways: f"a {HEADS} attention grouped grouped/heads"
    " grouped/head_dim told told/key_dim told/value_dim",
    **{every_step: "a b", products_that_stay: "b c"},
    **{norm_by_operations: "a b"},
    **{
        shortcut_of_zeros: "stem a a/1 a/2 b b/1 b/2",
        added_queries_and_keys: "q v k w a",
    },
    **dict.fromkeys(
        [attention_by_matmul, attention_by_einsum, attention_by_operation],
        "a query key value b",
    ),
}
TABLE = {network.__name__: (network, free) for network, free in FREE.items()} | {
    name: (behind_an_odd_layer(make), free) for name, (make, free) in ODD.items()
}


# `test_closing_is_removing_and_what_is_cut_is_built` has them, and their layers.
CLOSED = "norms", "transformer", "generator", "every_step", "grouped_queries"
CLOSED += "sliced_along_channels", "attention_by_matmul", "norm_by_operations"
CLOSED += "of_several_cells", "both_ways_with_states"
CLOSED += ("attended_by_channels_and_pixels",)
# Written otherwise, another one has the same layers and operations.
ALIKE = "resnext", "attention", "layer_scaled", "inception", "scaled"
ALIKE += "scaled_residual", "squeezed_by_operations", "excited_without_reshape"
ALIKE += "split_unequally", "shuffled_by_layers", "both_ways", "of_one_cell"


@pytest.mark.parametrize("name", picked(TABLE.keys() - {*CLOSED, *ALIKE}, TABLE))
def test_removing_is_exact_and_reaches_what_is_known(name, rng, float64):
    network, free = TABLE[name]
    image = keras.Input((4, 6, 3), name="image")
    model = keras.Model(image, layers.Dense(5, name="logits")(network(image)))
    graph = channel_graph(stamp(model, rng))
    makers = {m for group in graph.groups if not group.frozen for m in group.makers}
    assert makers & graph.kernels.keys() == set(free.split())
    assert_removing_is_zeroing(model, rng)
    assert np.isfinite(model(rng.normal(size=(2, 4, 6, 3)))).all()


def test_tokens_that_are_padding_stay_so_behind_gates(rng, float64):
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Embedding(13, 5, mask_zero=True, name="words")(tokens)
    x = layers.LayerNormalization()(layers.Dense(6, name="a")(x))
    x = layers.Bidirectional(layers.LSTM(3), name="lstm")(x)
    model = stamp(keras.Model(tokens, layers.Dense(5)(x)), rng)
    examples = rng.integers(0, 3, (11, 7))
    graph = channel_graph(model)
    found = [group.name for group in graph.groups if not group.frozen]
    assert found == ["words", "a", "lstm"]
    gated = GatedNetwork(model, graph)
    np.testing.assert_allclose(
        gated.model([examples, gated.rows(11)]), model(examples), atol=1e-12
    )
    assert_closing_is_removing(model, examples, rng)


def assert_closing_is_removing(model, inputs, rng) -> None:
    """A search's masked network, the gates of a trained one, and the thin network."""
    thinner = Thinner(model, channel_graph(model))
    keep = thinner.subset(rng, 0.7)
    thin = np.array(thinner.thin(keep)(inputs))
    gated = GatedNetwork(model, thinner.graph)
    closed = gated.model([inputs, gated.rows(len(inputs), keep)])
    for other in (closed, thinner.closed(keep)(inputs)):
        np.testing.assert_allclose(other, thin, rtol=0, atol=1e-10)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Tabled(layers.Layer):
    """Adds what layers make of a table of places."""

    def __init__(self, norm, **options):
        super().__init__(**options)
        self.table = layers.Embedding(5, 4, name="table")
        self.dense = layers.Dense(6, name="dense")
        self.norm = layers.LayerNormalization(name="norm") if norm else None

    def build(self, shape):
        self.table.build()
        self.dense.build((5, 4))
        if self.norm:
            self.norm.build((5, 6))

    def call(self, x):
        y = self.dense(self.table(ops.arange(5)))
        return x + (self.norm(y) if self.norm else y)


@pytest.mark.parametrize("norm", [False, True])
def test_tables_that_layers_read_have_no_rows_of_gates(norm, rng, float64):
    steps = keras.Input((5, 3), name="steps")
    x = Tabled(norm, name="block")(layers.Dense(6, name="a")(steps))
    x = layers.Flatten()(layers.Dense(7, name="b")(x))
    model = keras.Model(steps, layers.Dense(2, name="logits")(x))
    model = stamp(flat(model, blocks=True), rng)
    graph = channel_graph(model)
    free = [group.name for group in graph.groups if not group.frozen]
    assert free == (["b"] if norm else ["a", "b"])
    dense = model.get_layer("dense")
    assert positions(model, graph)[id(dense.kernel)] == 5
    assert_closing_is_removing(model, rng.normal(size=(7, 5, 3)), rng)


def test_cells_and_convolutions_of_two_sides_close_as_they_go(rng, float64):
    images = keras.Input((3, 4, 5, 3), name="images")
    side = layers.ConvLSTM2D(4, 2, padding="same", return_sequences=True)
    x = layers.Bidirectional(side, merge_mode="ave", name="images_both")(images)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.Bidirectional(layers.RNN(layers.GRUCell(5)), name="both")(x)
    model = stamp(keras.Model(images, layers.Dense(2)(x)), rng)
    graph = channel_graph(model)
    assert [group.frozen is None for group in graph.groups] == [True, True, False]
    assert_closing_is_removing(model, rng.normal(size=(7, 3, 4, 5, 3)), rng)


KINDS = [norms, transformer, generator, split, both_ways, every_step, grouped_queries]
KINDS += [sliced_along_channels, sliced_by_operation, cross_stage, ghost]
KINDS += [shuffled_halves, of_one_cell, attention_by_matmul, norm_by_operations]
KINDS += [attention_by_operation, of_several_cells, sequence_to_sequence]
KINDS += [both_ways_with_states, images_in_a_row, attended_by_channels_and_pixels]
KINDS += [in_windows, attention_of_keras, added_queries_and_keys]
SEEN = {video: "a b gru", by_hand: "a last_w", spectral: "conv0 conv1"}
SEEN |= {
    biased: "a one_attention_q one_attention_v two_attention_q two_attention_v",
    shifted: "a b",
    rotated: "a k v",
}


# Another one is made of their layers and operations.
MADE = both_ways, of_one_cell, sequence_to_sequence, in_windows, shuffled_halves
MADE += added_queries_and_keys, attention_of_keras, ghost, cross_stage, split
MADE += attention_by_operation, sliced_by_operation, images_in_a_row, shifted, rotated


@pytest.mark.parametrize(
    "network", picked(lambda one: one not in MADE, [*KINDS, *SEEN])
)
def test_closing_is_removing_and_what_is_cut_is_built(network, rng, float64, tmp_path):
    image = keras.Input((4, 6, 3), name="image")
    given = keras.Model(image, layers.Dense(5, name="logits")(network(image)))
    found = from_model(stamp(given, rng))
    model, images = found.source, rng.normal(size=(7, 4, 6, 3))
    np.testing.assert_allclose(model(images), given(images), rtol=0, atol=1e-10)
    assert_closing_is_removing(model, images, rng)
    structure = analyse(found, (4, 6, 3), 5)
    graph = structure.graph(model)
    free = [group.name for group in graph.groups if not group.frozen]
    if network in SEEN:
        assert SEEN[network] == " ".join(free)
    else:
        makers = {m for group in graph.groups if not group.frozen for m in group.makers}
        assert makers & graph.kernels.keys() == set(FREE[network].split())
    keep = np.ones(len(graph.owner), bool)
    for group in graph.groups:
        keep[group.channels[1:2]] = group.frozen is not None
    small = cut(model, structure, keep)
    gated = GatedNetwork(model, graph)
    expected = np.array(gated.model([images, gated.rows(7, keep)]))
    np.testing.assert_allclose(small(images), expected, rtol=0, atol=1e-10)
    widths = np.array(Prunable.of(structure, graph).count(keep))
    assert int(structure.params(widths)) == count_params(small)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(images), small(images))
