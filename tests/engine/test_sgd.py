"""SGD against NumPy's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.engine.sgd import Sgd


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_updates_are_those_of_the_formula(rng, float64, momentum, weight_decay):
    weights = [rng.normal(size=shape) for shape in ((3, 5), (7,))]
    velocities = [np.zeros_like(weight) for weight in weights]
    variables = [keras.Variable(weight) for weight in weights]
    sgd = Sgd(variables, momentum=momentum, weight_decay=weight_decay)
    for rate in (0.1, 0.1, 0.02):
        gradients = [rng.normal(size=weight.shape) for weight in weights]
        for i, gradient in enumerate(gradients):
            decayed = gradient + weight_decay * weights[i]
            velocities[i] = momentum * velocities[i] + decayed
            weights[i] = weights[i] - rate * velocities[i]
        sgd.apply([tf.constant(g) for g in gradients], tf.constant(rate, tf.float64))
    for i in range(len(weights)):
        np.testing.assert_allclose(variables[i].numpy(), weights[i], rtol=1e-12)
        np.testing.assert_allclose(sgd.slots[i].numpy(), velocities[i], rtol=1e-12)


def test_two_steps_by_hand():
    """The numbers of the docstring."""
    variable = keras.Variable(1.0)
    sgd = Sgd([variable], momentum=0.5, weight_decay=0.1)
    weights = []
    for _ in range(2):
        sgd.apply([tf.constant(0.3)], tf.constant(0.2))
        weights.append(float(variable.numpy()))
    np.testing.assert_allclose(weights, [0.92, 0.8016], rtol=1e-6)


def test_a_gradient_for_each_variable_or_none_is_taken():
    sgd = Sgd([keras.Variable(1.0), keras.Variable(2.0)], momentum=0, weight_decay=0)
    with pytest.raises(ValueError):
        sgd.apply([tf.constant(0.3)], tf.constant(0.2))


def test_without_gradient_and_decay_momentum_alone_moves():
    variable = keras.Variable(1.0)
    sgd = Sgd([variable], momentum=0.5, weight_decay=0.0)
    sgd.slots[0].assign(4.0)
    sgd.apply([tf.constant(0.0)], tf.constant(0.25))
    assert float(variable.numpy()) == 1.0 - 0.25 * 2.0
    assert float(sgd.slots[0].numpy()) == 2.0


def test_variables_without_decay_move_by_their_gradients_alone():
    variables = [keras.Variable(1.0), keras.Variable(1.0)]
    sgd = Sgd(variables, momentum=0.0, weight_decay=0.1, undecayed=variables[1:])
    sgd.apply([tf.constant(0.3)] * 2, tf.constant(0.5))
    found = [float(variable.numpy()) for variable in variables]
    np.testing.assert_allclose(found, [0.8, 0.85], rtol=1e-6)


def test_entries_that_are_masked_stay_bit_for_bit(rng):
    """Whatever gradient and decay say, and those beside them move as ever."""
    start = rng.normal(size=(3, 5)).astype("float32")
    mask = rng.random((3, 5)) < 0.5
    variables = [keras.Variable(start), keras.Variable(start)]
    sgd = Sgd(variables, momentum=0.9, weight_decay=0.1, masks=[mask, None])
    for _ in range(3):
        gradient = tf.constant(rng.normal(size=(3, 5)).astype("float32"))
        sgd.apply([gradient, gradient], tf.constant(0.2))
    one, other = (variable.numpy() for variable in variables)
    np.testing.assert_array_equal(one, np.where(mask, other, start))
    assert (other != start).all() and not sgd.slots[0].numpy()[~mask].any()


def test_variables_of_several_types_move_alike():
    """Logits may be in float64 behind layers in float32."""
    variables = [keras.Variable(1.0, dtype=kind) for kind in ("float32", "float64")]
    sgd = Sgd(variables, momentum=0.5, weight_decay=0.0)
    sgd.apply([tf.constant(0.25, v.dtype) for v in variables], tf.constant(0.5))
    assert [float(variable.numpy()) for variable in variables] == [0.875, 0.875]
