"""One output, yes or no: logits or probabilities."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.problem import tasks

TASK = tasks.get("binary")
Y = np.array([[1.0], [0.0], [1.0], [0.25]], np.float32)


def model(activation=None):
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(1, activation=activation)(inputs))


@pytest.fixture
def logits(rng):
    return rng.normal(size=(4, 1)).astype(np.float32)


def test_the_loss_is_the_cross_entropy_of_logits_or_of_probabilities(logits):
    p = 1 / (1 + np.exp(-logits))
    expected = -(Y * np.log(p) + (1 - Y) * np.log(1 - p))[:, 0]
    for kind, outputs in ((None, logits), ("sigmoid", p)):
        losses = TASK.loss(model(kind))(tf.constant(Y), tf.constant(outputs))
        np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_decisions_of_logits_and_of_probabilities_are_the_same(logits):
    hits = ((logits >= 0) == (Y >= 0.5)).sum()
    for kind, outputs in ((None, logits), ("sigmoid", 1 / (1 + np.exp(-logits)))):
        counts = TASK.counter(model(kind))(tf.constant(Y), tf.constant(outputs))
        assert np.asarray(counts).tolist() == [hits, 4]
    assert TASK.score_of(np.array([3, 4])) == 0.75


@pytest.mark.parametrize("shape", [(23,), (23, 1)])
@pytest.mark.parametrize("dtype", [int, float, bool])
def test_targets_become_a_column(rng, shape, dtype):
    targets = (np.arange(23) % 2).astype(dtype).reshape(shape)
    dataset = from_arrays((rng.normal(size=(23, 5)), targets))
    made = TASK.prepared(dataset, (1,))
    TASK.check(made)
    assert made.train.labels.shape[1:] == (1,) and made.classes == 1
    assert made.class_names == ("0", "1")


def test_names_of_the_two_classes_stay(rng):
    arrays = rng.normal(size=(23, 5)), np.arange(23) % 2
    dataset = from_arrays(arrays, class_names=["ham", "spam"])
    assert TASK.prepared(dataset, None).class_names == ("ham", "spam")


def test_other_targets_are_refused(rng):
    dataset = from_arrays((rng.normal(size=(23, 5)), np.arange(23) % 3))
    with pytest.raises(InputError, match="targets of the task binary are 0 or 1; got"):
        TASK.check(TASK.prepared(dataset, None))
    with pytest.raises(InputError, match=r"one output; got.*outputs \[3\]") as caught:
        TASK.prepared(dataset, (3,))
    in_one_line(caught)


def test_the_answer_is_a_probability():
    assert TASK.answer(model("sigmoid")) is None
    answer = TASK.answer(model())
    np.testing.assert_allclose(answer(np.zeros((1, 1))), [[0.5]])
    told = TASK.response(tf.constant([[0.7], [0.2]]), ("no", "yes"))
    assert told["class"].numpy().tolist() == [1, 0]
    assert told["class_name"].numpy().tolist() == [b"yes", b"no"]


def test_decisions_agree_where_both_are_as_likely():
    answers, expected = np.array([[0.501], [0.9]]), np.array([[0.499], [0.8]])
    assert TASK.agreement(answers, expected, 0.0) == 0.5
    assert TASK.agreement(answers, expected, 0.01) == 1
