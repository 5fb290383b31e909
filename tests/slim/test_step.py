"""The gradients of a step are the sum of its members'."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import problem, replaced
from supernets import ANY, RECIPE, TWO, training

from ns_tf.engine.runtime import Runtime
from ns_tf.slim import config as configs
from ns_tf.slim.config import SupernetConfig
from ns_tf.slim.training import SupernetTraining
from ns_tf.slim.work import joined

# Some of its members are drawn, by a branch of the graph.
UNIVERSAL = SupernetConfig(shares=(0.5, 1.0), norms="shared", members=3)


def batch(work):
    return next(iter(work.batches()))


def losses_of(work, inputs, labels):
    """Mean loss of every member of a step, in training mode."""
    return [
        float(tf.reduce_mean(work.task.loss(work.model)(labels, member(inputs))))
        for member in work.network.members.values()
    ]


def test_gradients_are_added_up_and_the_loss_is_their_mean():
    work = training(ANY)
    inputs, (labels, choices) = batch(work)
    variables = [variable.value for variable in work.sgd.variables]
    expected = [0.0] * len(variables)
    for member in work.network.members.values():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(work.task.loss(work.model)(labels, member(inputs)))
        found = tape.gradient(loss, variables, unconnected_gradients="zero")
        expected = [one + other for one, other in zip(expected, found, strict=True)]
    before = [np.array(variable) for variable in variables]
    losses = losses_of(work, inputs, labels)
    rate = 0.5
    loss = work._step(inputs, (labels, choices), tf.constant(rate))
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)
    decay = work.config.weight_decay
    for variable, old, gradient in zip(variables, before, expected, strict=True):
        moved = old - rate * (np.array(gradient) + decay * old)
        np.testing.assert_allclose(variable, moved, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", [TWO, UNIVERSAL])
def test_weights_that_no_member_reads_stay(config, monkeypatch):
    """Weight decay moves those alone that a loss reads."""
    monkeypatch.setattr(configs, "_GRID", 4)  # Members to trace.

    def build(widths, *, input_shape, classes):
        image = keras.Input(input_shape)
        x = keras.layers.GlobalAveragePooling2D()(image)
        y = keras.layers.Dense(widths[0], name="moves")(x)
        z = keras.ops.stop_gradient(keras.layers.Dense(widths[0], name="stays")(x))
        return keras.Model(image, keras.layers.Dense(classes)(y + z))

    recipe = replaced(RECIPE, weight_decay=0.1)
    work = SupernetTraining(joined(problem(build, (6,))), config, recipe, Runtime())
    before = work.network.values()
    for inputs, targets in itertools.islice(work.batches(), 2):
        work.step(inputs, targets)
    after = work.network.values()
    for key, value in before.items():
        assert (after[key] == value).all() == (key[0] == "stays"), key


def test_members_that_learn_from_the_whole_network_do_not_see_labels():
    step = training(replaced(ANY, inplace_distil=True))
    inputs, (labels, _) = batch(step)
    whole = step.network.members[1.0](inputs)
    smaller = step.network.members[0.5](inputs)
    taught = step._taught()
    one, other = (taught(x, smaller, whole) for x in (labels, (labels + 1) % 5))
    np.testing.assert_array_equal(one, other)
    # KL(whole || smaller): 0 where both say the same.
    np.testing.assert_allclose(taught(labels, whole, whole), 0, atol=1e-6)
