"""Targets, and the outputs of a network, tell the task."""

import keras
import numpy as np
import pytest

from ns_tf.data.arrays import from_arrays
from ns_tf.problem.choice import outputs_of, task_of

N = 30
CLASSES = np.arange(N) % 3
HALVES = np.arange(N) % 2
SEVERAL = np.array([[place & 1, place >> 1 & 1] for place in range(N)])


def model(*outputs, activation=None):
    inputs = keras.Input((5, 7))
    x = inputs if len(outputs) == 2 else keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(outputs[-1], activation=activation)(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("targets", "network", "expected"),
    [
        (CLASSES, None, "classification"),
        (CLASSES, model(3), "classification"),
        (CLASSES, model(1), "regression"),
        (CLASSES * 1.5, model(1), "regression"),
        (CLASSES - 1, None, "regression"),
        (HALVES, None, "classification"),
        (HALVES, model(1), "binary"),
        (HALVES, model(2, activation="softmax"), "classification"),
        (HALVES * 1.0, model(1, activation="sigmoid"), "binary"),
        (HALVES[:, None] * 1.0, None, "binary"),
        (np.eye(3)[CLASSES], None, "classification"),
        (np.eye(3)[CLASSES], model(3, activation="softmax"), "classification"),
        (np.eye(3)[CLASSES], model(3, activation="sigmoid"), "multilabel"),
        (SEVERAL, None, "multilabel"),
        (np.ones((N, 5, 7), int), None, "segmentation"),
        (SEVERAL, model(2), "multilabel"),
        (SEVERAL * 1.0, None, "multilabel"),
        (np.ones((N, 3)) / 3, model(3), "regression"),
        (np.ones((N, 3)) / 3, model(3, activation="softmax"), "classification"),
        (np.ones((N, 5), int), model(5, 3), "segmentation"),
        (np.ones((N, 5, 3)), model(5, 3), "regression"),
    ],
)
def test_a_task_is_chosen_by_targets_and_outputs(rng, targets, network, expected):
    dataset = from_arrays((rng.normal(size=(N, 5, 7)), targets), seed=3)
    assert task_of(dataset, network).name == expected


def test_outputs_are_those_of_an_example():
    assert outputs_of(None) is None
    assert outputs_of(model(5, 3)) == (5, 3)
