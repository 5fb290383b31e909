"""The weights of a model by layer and name, and parts of them."""

import keras
import numpy as np
import pytest

from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import by_kind, named, stays, take

layers = keras.layers


def test_every_weight_has_a_key_of_its_own():
    """A nested model and an attention layer have several kernels each."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(5, 1, name="a")(image)
    inner = [layers.Conv2D(5, 1, name="b"), layers.Conv2D(5, 1, name="c")]
    x = keras.Sequential(inner, name="inner")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    assert len(weights.weights(model)) == len(model.weights)


def test_take_is_plain_indexing(rng):
    array = rng.normal(size=(3, 5, 7))
    keep = np.array([1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    axes = (None, np.array([0, 1, 4, 5, 9]), np.array([2, 2, -1, 3, 6, 7, 10]))
    part = take(array, axes, keep)
    expected = array[:, [0, 3, 4]][:, :, [0, 1, 2, 3, 6]]
    np.testing.assert_array_equal(part, expected)
    np.testing.assert_array_equal(take(array, (), keep), array)


def test_what_is_no_channel_always_stays():
    keep = np.zeros(5, bool)
    stay = stays(np.array([-1, 0, 4, -1]), keep)
    np.testing.assert_array_equal(stay, [1, 0, 0, 1])


def test_values_and_assign_are_each_others_inverse(handmade, randomise):
    model = randomise(handmade["residual"]())
    arrays = weights.values(model)
    assert len(arrays) == len(model.weights)
    randomise(model)
    assert any(
        (np.array(w) != arrays[k]).any() for k, w in weights.weights(model).items()
    )
    weights.assign(model, arrays)
    for key, weight in weights.weights(model).items():
        np.testing.assert_array_equal(weight, arrays[key])
    del arrays["a", "kernel"]
    with pytest.raises(KeyError):
        weights.assign(model, arrays)


def test_layers_made_of_layers_have_numbered_names():
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    x = keras.Input((5, 7), name="x")
    model = keras.Model(x, attention(x, x))
    keys = list(weights.weights(model))
    assert len(set(keys)) == len(attention.weights) == 8
    for number, (key, weight) in enumerate(zip(keys, attention.weights, strict=True)):
        assert key[1] in (weight.name, f"{weight.name}.{number}")


def test_weights_without_names_have_the_same_keys_in_every_copy():
    """Keras numbers them over all layers of the process."""

    class Bare(keras.layers.Layer):
        def build(self, shape):
            self.one = self.add_weight(shape=(3,))
            self.other = self.add_weight(shape=(5,))

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((7,)), Bare(name="bare")])
    copy = keras.models.clone_model(model)
    keys = [("bare", "variable"), ("bare", "variable.1")]
    assert list(weights.weights(model)) == list(weights.weights(copy)) == keys


def test_trainable_keys_are_those_of_the_trainable_variables_in_order(handmade):
    model = handmade["chain"]()
    model.get_layer("a").trainable = False
    by_key = weights.weights(model)
    keys = weights.trainable_keys(model)
    for key, variable in zip(keys, model.trainable_variables, strict=True):
        assert by_key[key] is variable
    assert ("a", "kernel") not in keys and ("a_bn", "moving_mean") not in keys


def test_what_can_be_trained_does_not_depend_on_what_is_frozen(handmade):
    model = handmade["chain"]()
    inner = keras.Sequential([model, layers.Dense(3, name="end")])
    whole = {id(variable) for variable in inner.trainable_variables}
    assert {id(v) for v in weights.learnable(inner)} == whole
    assert weights.frozen(inner) == weights.held(inner) == []
    model.trainable = False
    assert {id(v) for v in weights.learnable(inner)} == whole
    assert {id(v) for v in weights.frozen(inner)} == {
        id(v) for v in weights.learnable(model)
    }
    assert {id(v) for v in weights.held(inner)} == {id(v) for v in model.weights}
    model.get_layer("b").trainable = True  # Trains, within a model that does not.
    (kernel, bias) = model.get_layer("b").weights
    assert not {id(kernel), id(bias)} & {id(v) for v in weights.held(inner)}
    assert weights.partly_frozen(inner) is None
    kernel.trainable = False
    assert weights.partly_frozen(inner) == "b"


def test_values_are_copies(handmade):
    model = handmade["chain"]()
    arrays = weights.values(model)
    arrays["a", "kernel"][:] = 3
    assert not (np.array(model.get_layer("a").kernel) == 3).any()


def test_random_generators_go_on_from_where_they_were():
    x = keras.Input((97,), name="x")
    model = keras.Model(x, layers.Dropout(0.5, name="drop")(x))
    assert list(weights.draws(model)) == [("drop", "0")]
    ones = np.ones((2, 97), "float32")
    model(ones, training=True)
    state = weights.draws(model)
    first, second = (np.array(model(ones, training=True)) for _ in range(2))
    assert (first != second).any()
    weights.assign_draws(model, state)
    np.testing.assert_array_equal(model(ones, training=True), first)
    weights.assign_draws(model, {})  # Nothing of it: draws on.
    np.testing.assert_array_equal(model(ones, training=True), second)


# Names in checkpoints.


def test_named_and_by_kind_are_each_others_inverse(handmade):
    arrays = weights.values(handmade["residual"]())
    slots = {key: 2 * array for key, array in arrays.items() if key[1] == "kernel"}
    state = named("weight", arrays) | named("slot", slots)
    assert len(state) == len(arrays) + len(slots)
    assert state["weight/a/kernel"] is arrays["a", "kernel"]
    kinds = by_kind(state)
    assert kinds.keys() == {"weight", "slot"}
    for kind, expected in (("weight", arrays), ("slot", slots)):
        assert kinds[kind].keys() == expected.keys()
        assert all(kinds[kind][key] is expected[key] for key in expected)


def test_entries_of_other_names_belong_to_no_kind():
    state = {"alive": 2, "slot/0": 3, "a/b/c/d": 5, "weight/a/kernel": 7}
    assert by_kind(state) == {"weight": {("a", "kernel"): 7}}
    assert by_kind({}) == {} and named("weight", {}) == {}


def test_keras_allows_no_slash_in_names():
    """So a name of three parts is the name of one array."""
    with pytest.raises(ValueError, match="/"):
        layers.Dense(2, name="a/b")
    with pytest.raises(ValueError, match="/"):
        keras.Variable(np.zeros(2), name="a/b")
    assert "/" not in "".join(sum(weights.weights(nested_model()), ()))


def nested_model() -> keras.Model:
    """A model within a model within a model."""
    deep = keras.Sequential([keras.Input((7,)), layers.Dense(7)], name="deep")
    features = keras.Input((7,))
    inner = keras.Model(features, deep(features), name="inner")
    image = keras.Input((7,), name="x")
    return keras.Model(image, inner(image))


@pytest.mark.parametrize("seed", range(3))
def test_taking_everything_changes_nothing_and_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    array = rng.normal(size=(5, 7))
    axes = (rng.integers(-1, 11, 5), rng.integers(-1, 11, 7))
    keep = rng.random(11) < 0.5
    np.testing.assert_array_equal(take(array, axes, np.ones(11, bool)), array)
    rows = take(array, (axes[0], None), keep)
    both = take(rows, (None, axes[1]), keep)
    np.testing.assert_array_equal(both, take(array, axes, keep))
    assert both.shape == tuple(int(stays(axis, keep).sum()) for axis in axes)


def test_kernels_have_the_channels_that_are_made_last(randomise):
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2DTranspose(5, 2, name="a")(image)
    x = layers.SeparableConv2D(11, 3, name="b")(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, name="none")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = randomise(keras.Model(image, layers.Dense(2, name="logits")(x)))
    graph = channel_graph(model)
    found = list(weights.kernels(model, graph))
    a, b = (model.get_layer(name) for name in "ab")
    expected = [np.swapaxes(np.array(a.kernel), -1, -2), np.array(b.pointwise_kernel)]
    for (axes, kernel), own in zip(found, expected, strict=False):
        np.testing.assert_array_equal(kernel, own)
        assert [len(axis) for axis in axes if axis is not None] == list(own.shape[-2:])
    assert [axes[-1].tolist() for axes, _ in found] == [
        group.channels.tolist() for group in graph.groups
    ]


def test_a_query_takes_up_what_its_layer_divides_less_by(float64):
    steps = keras.Input((7, 3), name="steps")
    layer = keras.layers.MultiHeadAttention(2, 16, name="odd")
    graph = channel_graph(keras.Model(steps, layer(steps, steps)), free=True)
    keep = np.ones(len(graph.owner), bool)
    own = next(group.channels for group in graph.groups if group.name == "odd/key_dim")
    keep[own[4:]] = False
    for weight, name in zip(layer.weights, weights.names(layer).values(), strict=True):
        found = weights.thinned(np.array(weight), ("odd", name), graph, keep)
        part = weights.take(np.array(weight), graph.axes["odd", name], keep)
        factor = 0.5 if "query" in weight.path else 1.0
        np.testing.assert_array_equal(found, factor * part)
