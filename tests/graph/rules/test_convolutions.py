"""Layers that make channels: their axes, their kernels, what they freeze."""

import keras
import numpy as np
import pytest
from graphs import found
from random_graphs import stamp
from thinner import Thinner

from ns_tf.graph.rules import CHANNELWISE, MAKE, UNKNOWN, Kernel
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("ns_tf_tests")
def centred(x):
    """Nobody knows what it does."""
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


STRANGE = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sparsemax": "sparsemax",
    "glu": "glu",
    "centred": centred,
    "<lambda>": lambda x: x * x,
    "PReLU": layers.PReLU(),
    "Softmax": layers.Softmax(),
}


TAKING = {
    "Activation": lambda a: layers.Activation(a, name="odd"),
    "DepthwiseConv2D": lambda a: layers.DepthwiseConv2D(3, activation=a, name="odd"),
    "Conv2D": lambda a: layers.Conv2D(11, 1, activation=a, name="odd"),
    "Dense": lambda a: layers.Dense(11, activation=a, name="odd"),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("kind", TAKING)
@pytest.mark.parametrize("name", STRANGE)
def test_an_activation_that_may_mix_channels_freezes_and_is_named(name, kind):
    """What a convolution makes; what a layer that makes nothing reads."""
    _, _, graph = found(TAKING[kind](STRANGE[name]))
    reasons = {group.name: group.frozen for group in graph.groups}
    makes = kind in ("Conv2D", "Dense")
    assert reasons["odd" if makes else "a"].startswith(f"the {name} of 'odd' ")
    assert reasons["b"] is None and (not makes or reasons["a"] is None)


def test_a_sigmoid_in_a_layer_freezes_nothing():
    """A gate after it closes it; only what mixes channels has to stay whole."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, activation="sigmoid", name="a")(image)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].frozen is None


def test_a_softmax_at_the_end_freezes_the_classes_only():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layers.GlobalAveragePooling2D()(x)
    for end in (
        layers.Dense(2, activation="softmax", name="classes"),
        keras.Sequential([layers.Dense(2, name="classes"), layers.Softmax()]).layers,
    ):
        y = x
        for layer in end if isinstance(end, list) else [end]:
            y = layer(y)
        reasons = {
            g.name: g.frozen for g in channel_graph(keras.Model(image, y)).groups
        }
        assert reasons["a"] is None
        assert reasons["classes"] is not None


def test_rank_one_and_three_convolutions_have_the_same_axes():
    for rank, layer in ((1, layers.Conv1D), (3, layers.Conv3D)):
        image = keras.Input((5,) * rank + (3,), name="image")
        x = layer(7, 1, name="a")(image)
        x = layers.Flatten(name="flatten")(x)
        graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
        axes = graph.axes["a", "kernel"]
        assert axes[:rank] == (None,) * rank
        assert len(axes) == rank + 2
        np.testing.assert_array_equal(axes[-1], graph.groups[0].channels)
        assert len(graph.axes["logits", "kernel"][0]) == 5**rank * 7


MAKERS = {  # Layer -> axes of its kernel: "i" the input's channels, "o" its own.
    "dense": (layers.Dense(7, name="odd"), "io"),
    "convolution": (layers.Conv2D(7, 3, name="odd"), "..io"),
    "separable": (layers.SeparableConv2D(7, 3, name="odd"), "..io"),
    "transposed": (layers.Conv2DTranspose(7, 3, name="odd"), "..oi"),
    "einsum": (layers.EinsumDense("abcd,de->abce", (None, None, 7), name="odd"), "io"),
    "turned": (layers.EinsumDense("abcd,ed->abce", (None, None, 7), name="odd"), "oi"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_kernels_say_where_their_channels_are(name):
    layer, pattern = MAKERS[name]
    kind, reason, graph = found(layer)
    assert (kind, reason) == (MAKE, None)
    kernel = graph.kernels["odd"]
    axes = graph.axes["odd", kernel.name]
    read, own = (g.channels for g in graph.groups[:2])
    for axis, letter in zip(axes, pattern, strict=True):
        expected = {"i": read, "o": own, ".": None}[letter]
        assert axis is expected if expected is None else (axis == expected).all()
    assert axes[kernel.makes] is not None and pattern[kernel.makes] == "o"
    assert pattern[kernel.reads] == "i"
    (entry,) = graph.settings["odd"].values()
    np.testing.assert_array_equal(entry[-1] if isinstance(entry, tuple) else entry, own)


def test_groups_of_a_convolution_lose_the_same_places():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(12, 1, name="a")(image)
    x = layers.Conv2D(8, 1, groups=4, name="b")(x)
    x = layers.GlobalMaxPooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2)(x)))
    a, b = (graph.groups[i].channels for i in range(2))
    assert (len(a), len(b)) == (3, 2)
    *_, read, made = graph.axes["b", "kernel"]
    np.testing.assert_array_equal(read, a)
    np.testing.assert_array_equal(made, np.tile(b, 4))
    np.testing.assert_array_equal(graph.axes["a", "kernel"][-1], np.tile(a, 4))


def test_a_convolution_of_a_group_a_channel_is_depthwise():
    layer = layers.Conv2D(22, 1, groups=11, name="odd")
    kind, reason, graph = found(layer)
    assert (kind, reason) == (CHANNELWISE, None)
    assert graph.axes["odd", "kernel"][2] is None
    twice = np.repeat(graph.groups[0].channels, 2)
    np.testing.assert_array_equal(graph.axes["odd", "kernel"][3], twice)


@pytest.mark.parametrize("by_step", [False, True])
def test_a_convolution_of_a_group_a_channel_is_depthwise_to_the_last_channel(by_step):
    def network(width, step=layers.TimeDistributed if by_step else None):
        x = image = keras.Input((2, 5, 3) if by_step else (5, 3))
        stack = [
            layers.Conv1D(width, 1, name="a"),
            layers.Conv1D(2 * width, 3, groups=width, name="b"),
            layers.Dense(2, name="c"),
        ]
        for layer in stack:
            x = (step(layer, name=layer.name) if step else layer)(x)
        return keras.Model(image, x)

    reference = channel_graph(network(5))
    graph = channel_graph(network(1), reference)
    assert [group.makers for group in graph.groups] == [("a",), ("c",)]
    assert len(channel_graph(network(1)).groups) == 3


def test_groups_stay_groups_where_each_has_one_channel():
    def network(width):
        x = image = keras.Input((5, 3))
        x = layers.Conv1D(4 * width, 1, name="a")(x)
        x = layers.Conv1D(4 * width, 3, groups=4, name="b")(x)
        x = layers.Conv1D(4 * width, 1, name="c")(x)
        x = layers.GroupNormalization(4, name="norm")(x)
        return keras.Model(image, layers.Dense(2, name="d")(x))

    graph = channel_graph(network(1), channel_graph(network(3)))
    sizes = {group.makers: group.size for group in graph.groups}
    assert sizes == {("a",): 1, ("b",): 1, ("c",): 1, ("d",): 2}


def test_an_embedding_makes_channels_of_tokens():
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Embedding(13, 5, name="words")(tokens)
    x = layers.GlobalAveragePooling1D()(x)
    graph = channel_graph(keras.Model(tokens, layers.Dense(2)(x)))
    assert graph.groups[0].makers == ("words",) and graph.groups[0].frozen is None
    assert graph.kernels["words"] == Kernel("embeddings", reads=None)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("length", [7, 5])
def test_features_that_become_logits_of_tokens_are_those_of_the_table(
    tied, length, float64, rng
):
    """At any length of the text: tokens are no channels, as features are."""
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    table = layers.ReversibleEmbedding(13, 5, tie_weights=tied, name="words")
    x = layers.Dense(5, "relu", name="units")(table(tokens))
    model = keras.Model(tokens, table(x, reverse=True))
    graph = channel_graph(model)
    (group,) = graph.groups
    assert group.makers == ("words", "units") and group.frozen is None
    thinner = Thinner(stamp(model, rng), graph)
    keep, texts = np.arange(5) % 3 > 0, rng.integers(0, 13, (2, length))
    thin = thinner.thin(keep)
    assert thin.get_layer("units").units == thin.get_layer("words").output_dim == 3
    np.testing.assert_allclose(
        thin(texts), thinner.closed(keep)(texts), rtol=0, atol=1e-10
    )


def test_numbers_that_become_logits_of_tokens_keep_the_table():
    tokens, features = keras.Input((7,), dtype="int32"), keras.Input((7, 5))
    table = layers.ReversibleEmbedding(13, 5, name="words")
    outputs = [layers.Dense(3)(table(tokens)), table(features, reverse=True)]
    graph = channel_graph(keras.Model([tokens, features], outputs))
    assert graph.groups[0].frozen == "it is joined with what cannot go"


def test_a_bias_of_one_feature_follows_it():
    """Its length says as little as that of an axis without a bias."""
    layer = layers.EinsumDense("abc,cd->abd", (None, 1), bias_axes="d", name="one")
    steps = keras.Input((7, 3))
    x = layers.Dense(2)(layer(steps))
    graph = channel_graph(keras.Model(steps, x))
    (made,) = graph.axes["one", "bias"]
    assert made.tolist() == graph.groups[0].channels.tolist()


def test_further_axes_of_an_einsum_keep_their_lengths():
    image = keras.Input((6, 7, 3), name="image")
    heads = layers.EinsumDense(
        "abcd,def->abcef", (None, None, 2, 5), bias_axes="ef", name="heads"
    )
    flat = layers.EinsumDense("abcef,efd->abcd", (None, None, 7), name="flat")
    x = layers.GlobalAveragePooling2D()(flat(heads(image)))
    graph = channel_graph(keras.Model(image, layers.Dense(2)(x)))
    assert [group.size for group in graph.groups] == [5, 7, 2]
    size, made = (group.channels for group in graph.groups[:2])
    axes = (*graph.axes["heads", "bias"], *graph.axes["flat", "kernel"])
    assert [None if a is None else a.tolist() for a in axes] == [
        None, size.tolist(), None, size.tolist(), made.tolist(),
    ]  # fmt: skip


def test_an_einsum_that_moves_the_channels_is_not_followed():
    layer = layers.EinsumDense("abcd,be->aecd", (5, None, 11), name="odd")
    assert found(layer)[0] == UNKNOWN
