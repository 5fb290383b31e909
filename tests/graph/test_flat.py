"""Models within models become one graph of their layers, and compute the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from subclasses import Backbone, DoubledStack, Stack

from ns_tf.graph.flat import flat
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def block(filters: int, name: str, **options) -> keras.Model:
    """A convolution and a batch norm as a model of their own."""
    image = keras.Input((None, None, 3), name="pixels")
    x = layers.Conv2D(filters, 3, name="conv", **options)(image)
    return keras.Model(image, layers.BatchNormalization(name="norm")(x), name=name)


class Odd(layers.Layer):
    """Its configuration has what its constructor does not take."""

    def get_config(self):
        return {**super().get_config(), "pixels": 42}

    def call(self, x):
        return 2 * x


class Hub(keras.Model):
    """A functional subclass with an odd layer: it can be made again, that layer not."""

    def __init__(self, **options):
        image = keras.Input((6, 7, 3), name="image")
        super().__init__(image, layers.Conv2D(3, 1)(Odd()(image)), **options)

    def get_config(self):
        return {"name": self.name}


def drawn(model: keras.Model) -> keras.Model:
    """The model with random weights, moving variances positive."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def same(one: keras.Model, other: keras.Model, **options) -> None:
    """Asserts that two models of one image compute the same."""
    shape = [n or 11 for n in one.inputs[0].shape[1:]]
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(
        np.asarray(one(x, **options)), np.asarray(other(x, **options)), rtol=1e-6
    )


def names(model: keras.Model) -> set[str]:
    return {operation.name for operation in model.operations}


def test_a_model_without_models_within_is_itself(handmade):
    model = handmade["flatten"]()
    assert flat(model) is model


def test_layers_within_keep_their_names_where_no_other_layer_has_them():
    image = keras.Input((11, 11, 3), name="image")
    inner = keras.Sequential(
        [layers.Conv2D(7, 3, name="inner"), layers.ReLU(name="relu")], name="stack"
    )
    x = layers.Conv2D(5, 1, name="conv")(inner(block(3, "block")(image)))
    model = drawn(keras.Model(image, layers.Flatten(name="flat")(x)))
    copy = flat(model)
    assert names(copy) == {
        "image", "block_conv", "norm", "inner", "relu", "conv", "flat",
    }  # fmt: skip
    same(model, copy)
    assert copy.count_params() == model.count_params()


def test_two_models_of_the_same_layers_are_told_apart_by_their_names():
    image = keras.Input((11, 11, 3), name="image")
    sides = [block(5, side)(image) for side in ("left", "right")]
    model = drawn(keras.Model(image, layers.Concatenate()(sides)))
    assert {"left_conv", "right_conv", "left_norm"} < names(flat(model))
    same(model, flat(model))


def test_names_stay_apart_from_those_that_a_path_would_make():
    image = keras.Input((11, 11, 3), name="image")
    x = layers.Add(name="left_conv")(
        [block(5, "left")(image), block(5, "right")(image)]
    )
    model = drawn(keras.Model(image, x))
    assert {"left_conv", "left_conv_", "right_conv"} < names(flat(model))
    same(model, flat(model))


def test_a_model_called_twice_stays_one_set_of_weights():
    image = keras.Input((11, 11, 3), name="image")
    shared = block(3, "shared", padding="same")
    model = drawn(keras.Model(image, shared(shared(image))))
    copy = flat(model)
    assert len(copy.weights) == len(model.weights) == 6
    calls = [call for call in channel_graph(copy).calls if call.name == "conv"]
    assert len(calls) == 2
    same(model, copy)


def test_a_layer_that_two_models_within_share_stays_one():
    image = keras.Input((11, 11, 3), name="image")
    base = block(5, "base")
    early = keras.Model(base.input, base.get_layer("conv").output, name="early")
    model = drawn(keras.Model(image, layers.Add()([base(image), early(image)])))
    assert len(flat(model).weights) == len(model.weights)
    same(model, flat(model))


def test_several_levels_and_subclasses():
    image = keras.Input((6, 7, 3), name="image")
    inner = keras.Sequential([image, Backbone(name="body")], name="inner")
    middle = keras.Sequential([image, layers.Rescaling(0.5), inner], name="middle")
    model = drawn(keras.Model(image, layers.Softmax()(middle(image))))
    copy = flat(model)
    assert not any(hasattr(one, "operations") for one in copy.operations)
    same(model, copy)


def test_a_subclass_that_holds_a_model_is_flattened_too():
    model = drawn(keras.Sequential([keras.Input((6, 7, 3)), Stack(name="stack")]))
    assert {"a", "logits"} < names(flat(model))
    same(model, flat(model))


def test_a_model_that_overrides_call_stays_a_layer():
    image = keras.Input((6, 7, 3), name="image")
    x = block(3, "base", padding="same")(image)
    model = drawn(keras.Model(image, DoubledStack(name="odd")(x)))
    copy = flat(model)
    assert {"odd", "conv"} < names(copy)
    same(model, copy)
    reasons = {group.frozen for group in channel_graph(copy).groups}
    assert any("'odd'" in (reason or "") for reason in reasons)


def test_a_model_stays_a_layer_where_a_layer_of_it_cannot_be_made_again():
    image = keras.Input((6, 7, 3), name="image")
    inner = Hub(name="inner")
    model = drawn(keras.Model(image, inner(block(3, "base", padding="same")(image))))
    copy = flat(model)
    assert {"inner", "conv"} < names(copy)
    assert copy.get_layer("inner") is not model.get_layer("inner")
    same(model, copy)


@pytest.mark.parametrize("training", [False, None])
def test_the_mode_of_a_call_goes_to_the_layers_within(training):
    image = keras.Input((11, 11, 3), name="image")
    inner = block(5, "base")
    model = drawn(keras.Model(image, inner(image, training=training)))
    same(model, flat(model), training=True)


def test_frozen_models_stay_frozen_and_the_rest_is_trained():
    image = keras.Input((11, 11, 3), name="image")
    base = block(5, "base")
    base.trainable = False
    x = layers.Conv2D(2, 1, name="head")(base(image, training=False))
    copy = flat(drawn(keras.Model(image, x)))
    assert [w.path for w in copy.trainable_weights] == ["head/kernel", "head/bias"]


def test_several_inputs_and_outputs_by_name():
    a, b = keras.Input((7,), name="a"), keras.Input((5,), name="b")
    two = keras.Model(
        {"a": a, "b": b},
        {"sum": layers.Dense(3)(a) + layers.Dense(3)(b), "a": layers.Dense(2)(a)},
        name="two",
    )
    x, y = keras.Input((7,), name="x"), keras.Input((5,), name="y")
    made = two({"a": x, "b": y})
    model = drawn(keras.Model([x, y], [made["sum"], layers.ReLU()(made["a"])]))
    rng = np.random.default_rng(2)
    given = [rng.normal(size=(2, n)).astype("float32") for n in (7, 5)]
    for one, other in zip(model(given), flat(model)(given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_whole_numbers_are_cast_as_keras_does():
    image = keras.Input((11, 11, 3), dtype="uint8", name="image")
    inner = keras.Input((11, 11, 3))
    body = keras.Model(inner, layers.Rescaling(1 / 255)(inner), name="body")
    model = keras.Model(image, layers.Conv2D(3, 3)(body(image)))
    x = np.random.default_rng(0).integers(0, 256, (2, 11, 11, 3)).astype("uint8")
    np.testing.assert_allclose(model(x), flat(model)(x), rtol=1e-6)


def test_a_model_declared_for_other_sizes_is_read_at_those_of_its_call():
    image = keras.Input((23, 23, 3), name="image")
    model = drawn(keras.Model(image, block(5, "base")(image)))
    shapes = channel_graph(flat(model)).shapes
    assert (None, 21, 21, 5) in shapes.values()


def test_the_model_is_not_changed():
    image = keras.Input((11, 11, 3), name="image")
    base = block(5, "base")
    model = drawn(keras.Model(image, base(image)))
    before = model.to_json()
    flat(model).weights[0].assign(model.weights[0] * 0.0)
    assert model.to_json() == before and model.weights[0].numpy().any()


@keras.saving.register_keras_serializable("ns_tf_tests")
class Silent(layers.Layer):
    """Puts out nothing beside a tensor; its call takes numbers alone."""

    def call(self, x):
        return tf.identity(x), None


@keras.saving.register_keras_serializable("ns_tf_tests")
class Told(layers.Layer):
    """Two dense layers; of what lies between them it needs the first output."""

    def __init__(self, silent=False, **options):
        super().__init__(**options)
        self.wide, self.narrow = layers.Dense(7, name="wide"), layers.Dense(5)
        self.inner = Silent() if silent else None
        self.silent = silent

    def call(self, x):
        y = self.wide(x)
        return self.narrow(self.inner(y)[0] if self.silent else y)


def test_a_block_that_cannot_be_called_anew_stays_a_layer_alone():
    """Keras takes no symbolic call of what puts out nothing."""
    image = keras.Input((5,), name="image")
    x = image
    for number, silent in enumerate((False, True, False, True)):
        x = Told(silent, name=f"block{number}")(x)
    model = drawn(keras.Model(image, x))
    copy = flat(model, blocks=True)
    assert {"block0_wide", "block1", "block2_wide", "block3"} < names(copy)
    assert not {"block0", "block2"} & names(copy)
    same(model, copy)
