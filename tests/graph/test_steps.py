"""A model at every step of a sequence is its layers, called once for all steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph.flat import flat
from ns_tf.graph.steps import (
    as_examples,
    by_step,
    hides,
    is_plain,
    is_stepped,
    of_examples,
    stepped,
)
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


def backbone() -> keras.Model:
    """image[4, 4, 3] - a[5] - norm - b[7] - average; a shortcut over the norm."""
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(5, 3, name="a")(image)
    x = layers.Add()([x, layers.BatchNormalization(name="norm")(x)])
    x = layers.Conv2D(7, 2, activation="relu", name="b")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="backbone")


def drawn(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def video(inner: keras.Layer, shape=(3, 4, 4, 3), **options) -> keras.Model:
    """frames - inner at every step, twice - difference of the means - logits[2]."""
    frames = keras.Input(shape, name="frames")
    every = layers.TimeDistributed(inner, name="every")
    x = every(frames, **options) - every(frames[:, ::-1], **options)
    x = layers.Flatten()(layers.Dense(6, name="c")(x))
    return drawn(keras.Model(frames, layers.Dense(2, name="logits")(x)))


@pytest.mark.parametrize("options", [{}, {"training": False}])
def test_a_model_at_every_step_is_its_layers(options, float64, rng):
    model = video(backbone(), **options)
    calls = [len(one._inbound_nodes) for one in model._flatten_layers()]
    copy = flat(model, blocks=True)
    assert [len(one._inbound_nodes) for one in model._flatten_layers()] == calls
    assert {type(copy.get_layer(name)).__name__ for name in "ab"} == {"Conv2D"}
    graph = channel_graph(copy)
    free = [group.name for group in graph.groups if not group.frozen]
    assert free == ["a", "b", "c"] and graph.rows["b", 0, 0] == 3
    frames = rng.normal(size=(5, 3, 4, 4, 3))
    for training in (False, True):  # Norms see one step at a time, as they did.
        one, other = (np.array(m(frames, training=training)) for m in (model, copy))
        np.testing.assert_allclose(one, other, rtol=1e-9)
    for name in ("moving_mean", "moving_variance"):
        one, other = (
            [np.array(w) for w in m.weights if w.path.endswith(name)]
            for m in (model, copy)
        )
        # Which of the two calls is first is open; at all steps at once there is one.
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_frozen_norms_are_called_once_for_all_steps():
    inner = backbone()
    inner.trainable = False
    copy = flat(video(inner), blocks=True)
    assert type(copy.get_layer("norm")) is layers.BatchNormalization


@keras.saving.register_keras_serializable("ns_tf_tests")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def of(*inner: keras.Layer, shape=(3, 4, 5)) -> tuple[layers.Layer, keras.KerasTensor]:
    """Layers as a model at every step, and what it is called on."""
    model = keras.Sequential([keras.Input(shape[1:]), *inner])
    x = keras.Input(shape)
    layer = layers.TimeDistributed(model)
    layer(x)
    return layer, x


def mixed(x):
    return ops.roll(x, 1, axis=0)


def with_states():
    layer = layers.Identity()
    layer.stateful = True
    return of(layer)


STAYS = {
    "open length": lambda: of(layers.Dense(2), shape=(None, 4, 5)),
    "open width": lambda: of(layers.Conv1D(2, 1), shape=(3, None, 5)),
    "states": with_states,
    "examples that change places": lambda: of(layers.Lambda(mixed)),
    "examples that change places within": lambda: of(
        layers.TimeDistributed(layers.Lambda(mixed))
    ),
    "steps of steps": lambda: of(
        layers.TimeDistributed(layers.BatchNormalization()), layers.Flatten()
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_is_not_the_same_for_all_steps_at_once_stays(name):
    assert as_examples(*STAYS[name]()) is None


def test_masks_that_go_with_the_steps_keep_it_a_layer():
    steps = keras.Input((7, 4))
    x = layers.Masking()(steps)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
    x = layers.LSTM(5)(layers.TimeDistributed(inner, name="every")(x))
    copy = flat(keras.Model(steps, layers.Dense(2)(x)), blocks=True)
    assert is_stepped(copy.get_layer("every"))


@keras.saving.register_keras_serializable("ns_tf_tests")
class Whole(layers.Layer):
    """A batch norm within a layer that stays one layer: its call takes numbers alone.

    Of a class that is asked to take symbols, it is seen through.
    """

    symbols = False

    def __init__(self, **options):
        super().__init__(**options)
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, shape):
        self.norm.build(shape)

    def call(self, x, training=None, mask=None):
        y = self.norm(x, training=training)
        return y if self.symbols else tf.identity(y)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Open(Whole):
    symbols = True


def hidden(x):
    return Whole(name="whole")(x)


def opened(x):
    return Open(name="whole")(x)


def called_by_name(x):
    return layers.BatchNormalization(name="norm")(inputs=x)


def masked(x):
    return layers.BatchNormalization(name="norm")(layers.Masking()(x))


@pytest.mark.parametrize("norm", [hidden, called_by_name, masked])
def test_norms_that_cannot_be_called_by_step_keep_it_a_layer(norm, rng):
    """The rest of the network is seen through as ever."""
    step = keras.Input((4, 5))
    every = layers.TimeDistributed(keras.Model(step, norm(step)), name="every")
    frames = keras.Input((3, 4, 5))
    x = layers.Flatten()(Doubled(name="twice")(every(frames)))
    model = drawn(keras.Model(frames, layers.Dense(2)(x)))
    copy = flat(model, blocks=True)
    names = {one.name for one in copy.operations}
    assert is_stepped(copy.get_layer("every")) and "twice" not in names
    examples = rng.normal(size=(7, 3, 4, 5)).astype("float32")
    examples[:, 1, 2] = 0
    for training in (False, True):
        one, other = (np.array(m(examples, training=training)) for m in (model, copy))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_norms_in_a_block_are_called_by_step(rng):
    step, frames = keras.Input((4, 5)), keras.Input((3, 4, 5))
    every = layers.TimeDistributed(keras.Model(step, opened(step)), name="every")
    model = drawn(keras.Model(frames, layers.Flatten()(every(frames))))
    copy = flat(model, blocks=True)
    assert isinstance(copy.get_layer("norm"), layers.TimeDistributed)
    examples = rng.normal(size=(7, 3, 4, 5)).astype("float32")
    for training in (False, True):
        one, other = (np.array(m(examples, training=training)) for m in (model, copy))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_mask_of_a_later_call_keeps_it_a_layer():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
    every, steps = layers.TimeDistributed(inner, name="every"), keras.Input((7, 4))
    x = Doubled(name="twice")(layers.GlobalAveragePooling1D()(every(steps)))
    y = layers.LSTM(6)(every(layers.Masking()(steps)))
    copy = flat(keras.Model(steps, layers.Dense(2)(x + y)), blocks=True)
    assert is_stepped(copy.get_layer("every"))
    assert "twice" not in {one.name for one in copy.operations}


def test_a_model_that_is_called_for_itself_too_stays_one_set_of_weights():
    inner, frames = backbone(), keras.Input((3, 4, 4, 3))
    x = layers.TimeDistributed(inner)(frames)
    x = ops.concatenate([layers.Flatten()(x), inner(frames[:, 0])], axis=-1)
    model = keras.Model(frames, layers.Dense(2)(x))
    copy = flat(drawn(model), blocks=True)
    assert len(copy.weights) == len(model.weights)
    frames = np.random.default_rng(1).normal(size=(2, 3, 4, 4, 3))
    for training in (False, True):
        one, other = (np.array(m(frames, training=training)) for m in (model, copy))
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_a_model_of_which_one_call_alone_is_followed_is_refused():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(7)])
    steps = keras.Input((None, 5))
    x = layers.GlobalMaxPooling1D()(layers.TimeDistributed(inner)(steps))
    model = keras.Model(steps, layers.Dense(2)(x + inner(steps[:, 0])))
    with pytest.raises(InputError, match="within another layer"):
        flat(model, blocks=True)


def test_only_models_are_seen_through_and_only_statistics_go_by_steps():
    layer, x = of(Doubled(), layers.BatchNormalization(), layers.Dropout(0.5))
    assert is_stepped(layer) and not is_stepped(layers.TimeDistributed(Doubled()))
    (norm,) = by_step(layer)
    assert isinstance(norm, layers.BatchNormalization)
    copy = stepped(norm, "norm")
    assert of_examples(copy, keras.Input((4, 5)), steps=3).shape == (None, 4, 5)
    assert (copy.name, copy.layer.name) == ("norm", "norm_step")
    assert as_examples(layer, x).output_shape == (None, 3, 4, 5)
    assert hides(layer.layer, {id(norm)}) and not hides(norm, {id(norm)})
    assert not hides(layer, {id(norm)})
    assert all(map(is_plain, norm._inbound_nodes))
