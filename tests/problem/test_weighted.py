"""Weights multiply losses and change nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import Architecture
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import scaled
from ns_tf.engine.evaluate import evaluator
from ns_tf.networks.from_model import from_model
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
    assert task.one_holds is task.task.one_holds is False
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


def compiled():
    """Two outputs with a weight each."""
    inputs = keras.Input((5,), name="inputs")
    x = keras.layers.Dense(7, activation="relu", name="hidden")(inputs)
    box = keras.layers.Dense(6, name="box")(x)
    kind = keras.layers.Dense(4, activation="softmax", name="kind")(x)
    model = keras.Model(inputs, {"kind": kind, "box": box}, name="two")
    losses = {"kind": "sparse_categorical_crossentropy", "box": "huber"}
    model.compile("sgd", loss=losses, loss_weights={"kind": 0.5, "box": 3.0})
    return model


@pytest.mark.parametrize("given", ["each", "one", "whole", "classes"])
def test_losses_of_several_outputs_are_those_of_keras(given, rng):
    weights = {name: rng.uniform(size=23).astype("float32") for name in "ab"}
    ones, factors = np.ones(23, np.float32), {1: 3.0, 2: 0.25}
    kind = np.arange(23) % 4
    by_class = np.array([factors.get(label, 1.0) for label in kind], np.float32)
    ours, keras_has = {
        "each": ({"box": weights["a"], "kind": weights["b"]},) * 2,
        "one": ({"box": weights["a"]}, {"box": weights["a"], "kind": ones}),
        "whole": (weights["a"], weights["a"]),
        "classes": (None, {"box": ones, "kind": by_class}),
    }[given]
    model = compiled()
    inputs = rng.normal(size=(23, 5)).astype("float32")
    targets = {"kind": kind, "box": rng.normal(size=(23, 6)).astype("float32")}
    parts = (inputs, targets) if ours is None else (inputs, targets, ours)
    by_output = {"kind": factors} if given == "classes" else None
    dataset = scaled(from_arrays(parts, test=parts, class_weight=by_output), "unit")
    problem = Problem.of(from_model(model), dataset)
    task = problem.task
    assert isinstance(task, Weighted) and task.name == "compiled"
    evaluate = evaluator(model, task.loss(model), task.counter(model))
    loss, _ = evaluate(problem.dataset, "test", 7)
    options = {"sample_weight": keras_has, "batch_size": 23, "verbose": 0}
    expected = model.evaluate(inputs, targets, return_dict=True, **options)["loss"]
    assert loss == pytest.approx(expected, rel=1e-6)
    history = model.fit(inputs, targets, **options).history  # The loss before its step.
    assert loss == pytest.approx(history["loss"][0], rel=1e-6)
