"""Weights multiply losses and change nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import Architecture
from ns_tf.data.arrays import from_arrays
from ns_tf.engine.evaluate import evaluator
from ns_tf.problem.problem import Problem
from ns_tf.problem.weighted import Weighted


def two(widths, *, input_shape, classes):
    inputs = keras.Input(input_shape, name="inputs")
    x = keras.layers.Dense(widths[0], activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes, name="out")(x))


@pytest.fixture
def problem(rng):
    parts = rng.normal(size=(23, 5)), rng.normal(size=(23, 3)), rng.uniform(size=23)
    dataset = from_arrays(parts, test=parts)
    return Problem.of(Architecture("two", (7,), two), dataset)


def test_a_data_set_with_weights_makes_the_task_weighted(problem):
    task = problem.task
    assert isinstance(task, Weighted)
    assert (task.name, task.score.name) == ("regression", "r2")
    again = Problem.of(problem.architecture, problem.dataset, task)
    assert not isinstance(again.task.task, Weighted), "weighted once"


def test_targets_are_prepared_as_of_the_task(problem):
    made = problem.task.prepared(problem.dataset, (3,))
    np.testing.assert_array_equal(made.train.labels, problem.dataset.train.labels)
    assert made.train.weights is problem.dataset.train.weights


def test_the_loss_of_a_split_is_that_of_keras(problem):
    model = problem.build()
    task, test = problem.task, problem.dataset.test
    evaluate = evaluator(model, task.loss(model), task.counter(model))
    loss, counts = evaluate(problem.dataset, "test", 7)
    inputs = (test.images - problem.dataset.mean) / problem.dataset.std
    model.compile(loss="mse")
    expected = model.evaluate(
        inputs, test.labels, sample_weight=test.weights, batch_size=23, verbose=0
    )
    assert loss == pytest.approx(expected, rel=1e-5)
    plain = task.task.count(tf.constant(test.labels), model(inputs))
    np.testing.assert_allclose(counts, plain, rtol=1e-5)
    assert task.score_of(counts) == pytest.approx(task.task.score_of(plain))
