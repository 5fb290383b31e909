"""Several yes or no an example, scored by F1."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.problem import tasks

TASK = tasks.get("multilabel")


@pytest.fixture
def labels(rng):
    return rng.integers(0, 2, (23, 5))


def model(activation=None):
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(5, activation=activation)(inputs))


def test_f1_is_that_of_scikit_learn_over_all_batches(rng, labels):
    logits = rng.normal(size=labels.shape).astype(np.float32)
    y, count = labels.astype(np.float32), TASK.counter(model())
    parts = [count(tf.constant(y[s]), tf.constant(logits[s])) for s in SLICES]
    found = TASK.score_of(sum(np.asarray(part, int) for part in parts))
    assert found == pytest.approx(f1_score(labels, logits >= 0, average="micro"))


SLICES = slice(0, 11), slice(11, None)


def test_nothing_to_find_and_nothing_said_is_right():
    assert TASK.score_of(np.zeros(3, int)) == 1
    assert TASK.score_of(np.array([0, 1, 0])) == 0


def test_targets_are_as_many_as_outputs(rng, labels):
    dataset = from_arrays((rng.normal(size=(23, 3)), labels))
    made = TASK.prepared(dataset, (5,))
    TASK.check(made)
    assert made.train.labels.dtype == np.float32 and made.classes == 5
    with pytest.raises(InputError, match=r"got \[\d+, 5\] and outputs \[7\]"):
        TASK.prepared(dataset, (7,))


def test_the_loss_is_the_mean_over_the_labels(rng, labels):
    y = labels.astype(np.float32)
    p = rng.uniform(0.1, 0.9, y.shape).astype(np.float32)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    losses = TASK.loss(model("sigmoid"))(tf.constant(y), tf.constant(p))
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    told = TASK.response(tf.constant(p), list("abcde"))
    assert told["labels"].numpy().tolist() == (p >= 0.5).astype(int).tolist()
