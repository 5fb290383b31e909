"""One training step against the gradient by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.precision import LossScale
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep

RATE, DECAY = 0.1, 0.01


def linear(weights) -> keras.Model:
    """y = x W, no bias."""
    image = keras.Input((weights.shape[0],))
    model = keras.Model(
        image, keras.layers.Dense(weights.shape[1], use_bias=False)(image)
    )
    model.set_weights([weights])
    return model


def squares(targets, outputs):
    """Half the squared distance, [batch]."""
    return keras.ops.sum((outputs - targets) ** 2, axis=-1) / 2


def stepper(model, execution, **options):
    """A step of SGD without momentum, and what it is made of."""
    with execution.strategy.scope():
        sgd = Sgd(model.trainable_variables, momentum=0.0, weight_decay=DECAY)
    return TrainStep(model, sgd, squares, 6, execution, **options).compiled()


@pytest.fixture
def data(rng):
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.normal(size=(3, 2))


def by_hand(inputs, targets, weights):
    """(mean loss, its gradient)."""
    error = inputs @ weights - targets
    return (error**2).sum() / 2 / len(inputs), inputs.T @ error / len(inputs)


@pytest.mark.parametrize("devices", ["one_device", "mirrored"])
def test_a_step_returns_the_mean_loss_and_descends_its_gradient(data, float64, devices):
    """Over two replicas, too: their gradients are summed, not averaged again."""
    inputs, targets, weights = data
    way = Execution(strategy(devices))
    model = way.build(lambda: linear(weights))
    step = stepper(model, way)
    batches = tf.data.Dataset.from_tensors((inputs, targets)).unbatch().batch(6)
    (batch,) = way.deal_out(batches)
    loss = step(*batch, tf.constant(RATE, tf.float64))
    expected, gradient = by_hand(inputs, targets, weights)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    np.testing.assert_allclose(
        model.get_weights()[0],
        weights - RATE * (gradient + DECAY * weights),
        rtol=1e-12,
    )


def test_a_probe_sees_gradients_and_says_which_to_apply(data, float64):
    inputs, targets, weights = data
    gate = keras.Variable(np.array([2.0, 3.0]))
    sums = tf.Variable(tf.zeros(2, tf.float64))

    class Gated(keras.layers.Layer):
        def call(self, x):
            return x * gate

    image = keras.Input((3,))
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(image, Gated()(dense(image)))
    model.set_weights([weights])

    def probe(own, others):
        sums.assign_add(others[0])
        return [tf.zeros_like(gradient) for gradient in own]

    step = stepper(model, Execution(), probe=probe, watch=[gate])
    step(inputs, targets, tf.constant(RATE, tf.float64))
    np.testing.assert_allclose(model.get_weights()[0], weights * (1 - RATE * DECAY))
    hidden = inputs @ weights
    error = hidden * [2.0, 3.0] - targets
    np.testing.assert_allclose(sums, (error * hidden).mean(axis=0), rtol=1e-12)


def test_a_loss_scale_changes_nothing_but_what_overflows(data):
    inputs, targets, weights = (array.astype(np.float32) for array in data)
    model, scale = linear(weights), LossScale()
    step = stepper(model, Execution(), loss_scale=scale)
    expected, gradient = by_hand(inputs, targets, weights)
    loss = step(inputs, targets, tf.constant(RATE))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    after = model.get_weights()[0]
    np.testing.assert_allclose(
        after, weights - RATE * (gradient + DECAY * weights), rtol=1e-4, atol=1e-6
    )
    scale.scale.assign(np.float32(2.0**127))
    step(1e3 * inputs, targets, tf.constant(RATE))
    np.testing.assert_array_equal(model.get_weights()[0], after)
    np.testing.assert_array_equal(scale.state(), [2.0**126, 0, 1])


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("devices", ["one_device", "mirrored"])
def test_weights_that_the_loss_does_not_read_stay(data, devices, scaled):
    """A probe reads gradients of zero, and moves them alone: they have no decay."""
    inputs, targets, weights = (array.astype(np.float32) for array in data)
    way = Execution(strategy(devices))

    def build():
        image = keras.Input((3,))
        x = keras.ops.stop_gradient(keras.layers.Dense(3, name="stays")(image))
        dense = keras.layers.Dense(2, use_bias=False, name="moves")
        return keras.Model(image, dense(x + image))

    model = way.build(build)
    before = model.get_weights()
    scale = LossScale() if scaled else None
    batches = tf.data.Dataset.from_tensors((inputs, targets)).unbatch().batch(6)
    (batch,) = way.deal_out(batches)
    stepper(model, way, loss_scale=scale)(*batch, tf.constant(RATE))
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[2] != before[2]).all()
    if not scaled:
        seen = []
        step = stepper(model, way, probe=lambda own, _: seen.extend(own) or own)
        step(*batch, tf.constant(RATE))
        assert len(seen) == 3 * way.replicas and not any(one is None for one in seen)
        np.testing.assert_array_equal(model.get_weights()[0], before[0])
        step = stepper(model, way, probe=lambda own, _: [1 + one for one in own])
        step(*batch, tf.constant(RATE))
        moved = model.get_weights()[0]
        np.testing.assert_allclose(moved, before[0] - RATE, rtol=1e-6)


def test_xla_computes_the_same_step(data):
    inputs, targets, weights = (array.astype(np.float32) for array in data)
    results = []
    for jit_compile in (False, True):
        model = linear(weights)
        step = stepper(model, Execution(jit_compile=jit_compile))
        loss = step(tf.constant(inputs), tf.constant(targets), tf.constant(RATE))
        results.append([float(loss), *model.get_weights()[0].ravel()])
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_graphs_that_are_not_rewritten_compute_the_same_steps(handmade):
    """Most tests compute graphs as they were traced (`tests/conftest.py`)."""
    rng, options = np.random.default_rng(7), tf.config.optimizer
    images = rng.normal(size=(6, 6, 7, 3)).astype("float32")
    targets = rng.normal(size=(6, 5)).astype("float32")
    results, weights = [], None
    for plain in (False, True):
        assert options.get_experimental_options()["disable_meta_optimizer"] is False
        options.set_experimental_options({"disable_meta_optimizer": plain})
        try:
            model = handmade["residual"]()
            weights = weights or model.get_weights()
            model.set_weights(weights)
            step = stepper(model, Execution())
            losses = [float(step(images, targets, tf.constant(RATE))) for _ in range(3)]
        finally:
            options.set_experimental_options({"disable_meta_optimizer": False})
        results.append([losses, *model.get_weights()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@keras.saving.register_keras_serializable("ns_tf_tests")
class Square(keras.layers.Layer):
    """Varies square images alone, and in training alone."""

    def call(self, x, training=None):
        if training and x.shape[1] != x.shape[2]:
            raise TypeError("Expected square images.\nThey are not.")
        return x


def trained(layer, execution=None):
    """A step of a network that begins with this layer, on images [6, 5, 7, 3]."""
    image = keras.Input((5, 7, 3))
    x = keras.layers.GlobalAveragePooling2D()(layer(image))
    model = keras.Model(image, keras.layers.Dense(2)(x), name="mine")
    step = stepper(model, execution or Execution())
    images = np.ones((6, 5, 7, 3), "float32")
    return step(images, np.ones((6, 2), "float32"), tf.constant(RATE))


def test_a_layer_that_cannot_train_on_such_images_is_told_in_one_line():
    """An augmentation within the model may refuse their size or their precision."""
    said = r"'mine' cannot be trained on a batch of float32 \[6, 5, 7, 3\]: "
    with pytest.raises(InputError, match=said + "Expected square images.$"):
        trained(Square())


def test_what_xla_cannot_compile_is_told_in_one_line():
    with pytest.raises(InputError, match="XLA cannot compile .* --jit_compile away"):
        trained(keras.layers.RandomRotation(0.1), Execution(jit_compile=True))
