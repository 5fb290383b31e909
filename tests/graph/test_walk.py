"""The channel graph: what is one channel, which axis it indexes, in which order."""

import keras
import numpy as np
import pytest
from graphs import channels_of, groups, residual_twice, two_branches

from ns_tf.graph import weights
from ns_tf.graph.rules import CHANNELWISE
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, shapes_only

layers = keras.layers


def test_a_concatenation_puts_its_inputs_side_by_side():
    graph = channel_graph(two_branches())
    a, b, conv = (channels_of(graph, name) for name in ("a", "b", "conv"))
    assert [len(c) for c in (a, b, conv)] == [13, 23, 5]
    *spatial, inputs, outputs = graph.axes["conv", "kernel"]
    assert spatial == [None, None]
    np.testing.assert_array_equal(inputs, [*a, *b])
    np.testing.assert_array_equal(outputs, conv)
    inputs, _ = graph.axes["logits", "kernel"]
    np.testing.assert_array_equal(inputs, [*conv, *a, *b])


def closes(model, graph, name, channel, rng) -> bool:
    """Whether the entries of `name`'s kernel that the graph says read the channel do.

    The maker's channel is silenced in one copy, the reader's entries in another.
    """
    images = rng.normal(size=(5, *model.input_shape[1:]))
    before = weights.values(model)
    outputs = []
    for key, place in ((("a", "kernel"), -1), ((name, "kernel"), -2)):
        arrays = {k: v.copy() for k, v in before.items()}
        arrays["a", "bias"][graph.axes["a", "bias"][0] == channel] = 0
        hit = graph.axes[key][place] == channel
        np.moveaxis(arrays[key], place, 0)[hit] = 0
        weights.assign(model, arrays)
        outputs.append(np.array(model(images)))
    weights.assign(model, before)
    # Silenced, and heard at all.
    return bool(
        np.allclose(*outputs, atol=1e-6)
        and not np.allclose(outputs[0], model(images), atol=1e-4)
    )


def test_a_flattened_map_is_read_pixel_by_pixel(rng, randomise):
    image = keras.Input((3, 5, 2), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    x = layers.Flatten(name="flatten")(x)
    model = randomise(keras.Model(image, layers.Dense(11, name="logits")(x)))
    graph = channel_graph(model)
    inputs, _ = graph.axes["logits", "kernel"]
    pixel, channel = np.divmod(np.arange(3 * 5 * 7), 7)
    np.testing.assert_array_equal(inputs, channels_of(graph, "a")[channel])
    assert pixel.max() == 14
    for number in channels_of(graph, "a"):
        assert closes(model, graph, "logits", number, rng)


def test_a_depthwise_convolution_repeats_each_channel(rng, randomise):
    image = keras.Input((5, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.Conv2D(11, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = randomise(keras.Model(image, layers.Dense(2, name="logits")(x)))
    weights.weights(model)["depthwise", "bias"].assign(np.zeros(14))
    graph = channel_graph(model)
    a = channels_of(graph, "a")
    twice = [channel for channel in a for _ in range(2)]
    np.testing.assert_array_equal(graph.axes["depthwise", "bias"][0], twice)
    np.testing.assert_array_equal(graph.axes["depthwise", "kernel"][2], a)
    assert graph.axes["depthwise", "kernel"][3] is None
    np.testing.assert_array_equal(graph.axes["b", "kernel"][2], twice)
    for number in a:
        assert closes(model, graph, "b", number, rng)


def test_additions_tie_what_they_join():
    graph = channel_graph(residual_twice())
    assert {frozenset(makers) for makers in groups(graph).values()} == {
        frozenset({"stem"}),
        frozenset({"one_a"}),
        frozenset({"one_b", "one_project", "two_b"}),
        frozenset({"two_a"}),
    }
    tied = channels_of(graph, "one_b")
    for name in ("one_b", "one_project", "two_b"):
        np.testing.assert_array_equal(graph.axes[name, "kernel"][3], tied)
    np.testing.assert_array_equal(graph.axes["two_a", "kernel"][2], tied)
    np.testing.assert_array_equal(graph.axes["logits", "kernel"][0], tied)


def test_what_is_added_to_the_image_stays():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Add(name="add")([layers.Conv2D(3, 1, name="a")(image), image])
    x = layers.Conv2D(5, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert groups(graph) == {"b": ("b",)}
    assert graph.groups[0].frozen == "it is joined with what cannot go"


def test_squeeze_and_excite_ties_the_weights_to_what_they_weigh(handmade):
    graph = channel_graph(handmade["excite"]())
    assert groups(graph) == {
        "a": ("a", "back"),
        "squeeze": ("squeeze",),
        "b": ("b",),
    }


def test_a_shared_layer_ties_what_it_reads(handmade):
    graph = channel_graph(handmade["shared"]())
    assert groups(graph) == {"a": ("a", "twice"), "b": ("b",)}
    assert [call.name for call in graph.calls].count("twice") == 2


def test_a_shared_layer_without_weights_ties_nothing():
    relu = layers.ReLU(name="relu")
    x = image = keras.Input((6, 7, 3), name="image")
    for name, filters in (("a", 5), ("b", 7), ("c", 5)):
        x = relu(layers.Conv2D(filters, 1, name=name)(x))
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert groups(graph) == {"a": ("a",), "b": ("b",), "c": ("c",)}


def test_a_tensor_may_be_concatenated_with_itself():
    x = image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(5, 1, name="a")(x)
    x = layers.Concatenate(name="concat")([x, x])
    model = keras.Model(image, layers.Conv2D(7, 1, name="b")(x))
    graph = channel_graph(model)
    a = channels_of(graph, "a")
    np.testing.assert_array_equal(graph.axes["b", "kernel"][2], [*a, *a])


def test_outputs_stay_unless_they_are_asked_to_be_free(handmade):
    model = handmade["chain"]()
    assert channel_graph(model).groups[-1].frozen == "it is the model's output"
    assert groups(channel_graph(model, free=True)).keys() == {"a", "b", "logits"}


# The graph read from the config, against Keras's own walk over the model.


# Widths that agree by chance.


def test_a_reference_tells_apart_groups_that_agree_by_chance():
    found = analyse(architectures.get("preact_resnet18"), (8, 8, 3), 5)
    model = shapes_only(found.build, [4] * 17)
    alone, known = channel_graph(model), channel_graph(model, found.reference)
    crossings = {call.name for call in known.calls if call.crossing}
    assert crossings == {
        f"stage{stage}_block{block}_add"
        for stage, block in [(1, 1), (1, 2), (2, 2), (3, 2), (4, 2)]
    }
    assert not any(call.crossing for call in alone.calls)
    # Every layer has a width of its own, however many agree.
    assert len(groups(known)) == 17
    assert len(groups(alone)) < 17
    assert {name for makers in groups(known).values() for name in makers} == {
        name for makers in groups(alone).values() for name in makers
    }


def test_a_reference_knows_a_layer_that_is_added_to_two():
    """whole[a + b] + concat(a, b): its filters belong to a's group or to b's."""

    def build(a, b):
        image = keras.Input((6, 7, 3), name="image")
        sides = [
            layers.Conv2D(size, 1, name=name)(image)
            for name, size in (("a", a), ("b", b))
        ]
        whole = layers.Conv2D(a + b, 1, name="whole")(image)
        x = layers.Concatenate(name="concat")(sides)
        x = layers.Add(name="add")([whole, x])
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, layers.Dense(2, name="logits")(x))

    reference, model = channel_graph(build(17, 19)), build(13, 23)
    alone, known = channel_graph(model), channel_graph(model, reference)
    assert {group.size for group in alone.groups if group.frozen is None} == {13, 23}
    assert not any(call.crossing for call in known.calls)
    assert groups(known) == groups(alone)


@pytest.mark.parametrize("used", [(0, 1), (1,), (0,)])
def test_operations_of_several_outputs_are_as_any_without_a_rule(used):
    """`unstack` has none."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(14, 3, padding="same", name="a")(image)
    halves = keras.ops.unstack(layers.Reshape((6, 7, 7, 2))(x), 2, axis=-1)
    x = layers.Concatenate(name="concat")([halves[i] for i in used] + [image])
    x = layers.Conv2D(11, 3, name="b")(x)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    frozen = {group.name: group.frozen for group in graph.groups}
    assert "Unstack" in frozen["a"] and frozen["b"] is None
    assert len(graph.axes["b", "kernel"][2]) == 7 * len(used) + 3


def test_a_model_of_two_outputs_within_a_model_is_followed_to_the_one_that_is_read():
    inner = keras.Input((6, 7, 3))
    both = [layers.Conv2D(n, 1)(inner) for n in (5, 13)]
    image = keras.Input((6, 7, 3), name="image")
    _, x = keras.Model(inner, both)(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(11, 3, name="b")(x))
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert len(graph.axes["b", "kernel"][2]) == 13


def test_a_reference_changes_nothing_where_widths_differ():
    found = analyse(architectures.get("preact_resnet18"), (8, 8, 3), 5)
    model = shapes_only(found.build, range(3, 20))
    alone, known = channel_graph(model), channel_graph(model, found.reference)
    assert groups(alone) == groups(known)
    assert alone.axes.keys() == known.axes.keys()
    for key, axes in alone.axes.items():
        for one, other in zip(axes, known.axes[key], strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_kernel_of_a_frozen_layer_keeps_what_it_reads_and_makes(handmade):
    model = handmade["residual"]()
    model.get_layer("b").trainable = False
    reasons = {g.makers: g.frozen for g in channel_graph(model).groups}
    assert reasons["b",] == reasons["a", "c"] == "layer 'b' is not trainable"
    depthwise = handmade["depthwise"]()
    depthwise.get_layer("depthwise").trainable = False
    reasons = {g.name: g.frozen for g in channel_graph(depthwise).groups}
    assert reasons["a"] == "layer 'depthwise' is not trainable"
    assert reasons["b"] is None


def test_a_frozen_norm_follows_its_channels(handmade):
    model = handmade["chain"]()
    model.get_layer("a_bn").trainable = False
    graph = channel_graph(model)
    assert groups(graph) == {"a": ("a",), "b": ("b",)}
    assert {call.kind for call in graph.calls if call.name == "a_bn"} == {CHANNELWISE}


def test_tracing_leaves_the_model_as_it_is(handmade, rng):
    model = handmade["residual"]()
    images = rng.normal(size=(3, 6, 7, 3))
    before, config = np.array(model(images)), model.get_config()
    channel_graph(model)
    np.testing.assert_array_equal(model(images), before)
    assert model.get_config() == config


def test_an_embedding_of_two_texts_is_one():
    one, other = (keras.Input((n,), dtype="int32") for n in (5, 7))
    words = layers.Embedding(11, 3, name="words")
    texts = [layers.GlobalAveragePooling1D()(words(x)) for x in (one, other)]
    x = layers.Concatenate()(texts)
    graph = channel_graph(keras.Model([one, other], layers.Dense(2)(x)))
    assert graph.groups[0].makers == ("words",) and graph.groups[0].frozen is None


@pytest.mark.parametrize(
    "join",
    [
        lambda x, image: layers.Add()([x, image]),
        lambda x, image: x / image,
        lambda x, image: keras.ops.where(image > 0, x, 0.0),
    ],
)
def test_a_join_with_what_is_no_channel_is_one_in_every_network_of_a_model(join):
    """As a reference, the network itself says that nothing crosses there."""
    image = keras.Input((4, 5, 3), name="image")
    x = join(layers.Conv2D(3, 1, name="a")(image), image)
    x = layers.Conv2D(7, 1, name="b")(x)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    reference = channel_graph(model)
    graph = channel_graph(model, reference)
    assert not any(call.crossing for call in graph.calls) and graph.groups[0].frozen
