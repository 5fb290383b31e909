"""The squared error, R², and targets of any shape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import in_one_line
from sklearn.metrics import r2_score

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.problem import tasks

TASK = tasks.get("regression")


def data(rng, shape):
    return from_arrays((rng.normal(size=(23, 5)), rng.normal(size=(23, *shape))))


def model(*shape):
    inputs = keras.Input((5,))
    x = keras.layers.Dense(int(np.prod(shape)))(inputs)
    return keras.Model(inputs, keras.layers.Reshape(shape)(x))


@pytest.mark.parametrize(
    ("targets", "outputs"),
    [
        ((), (1,)),
        ((1,), (1,)),
        ((3,), (3,)),
        ((2, 7), (2, 7)),
        ((2, 7), (2, 7, 1)),
        ((), None),
        ((3,), None),
    ],
)
def test_targets_take_the_shape_of_the_outputs(rng, targets, outputs):
    dataset = data(rng, targets)
    made = TASK.prepared(dataset, outputs)
    expected = outputs or targets or (1,)
    assert made.train.labels.shape[1:] == expected and made.classes == expected[-1]
    assert made.train.labels.ravel().tolist() == dataset.train.labels.ravel().tolist()
    again = TASK.prepared(made, outputs)
    np.testing.assert_array_equal(again.test.labels, made.test.labels)


def test_targets_of_another_shape_are_refused(rng):
    with pytest.raises(InputError, match=r"outputs, \[2\]; got \[3\]") as caught:
        TASK.prepared(data(rng, (3,)), (2,))
    in_one_line(caught)


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 7)])
def test_the_loss_is_the_mean_square_of_an_example(rng, shape):
    y, f = rng.normal(size=(2, 11, *shape)).astype(np.float32)
    losses = TASK.loss(model(*shape))(tf.constant(y), tf.constant(f))
    expected = ((y - f) ** 2).reshape(11, -1).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_r2_is_that_of_scikit_learn_over_all_batches(rng, offset):
    y = (rng.normal(size=(23, 3)) * [1, 5, 0.1] + offset).astype(np.float32)
    f = (y + rng.normal(size=y.shape) * 0.05).astype(np.float32)
    parts = [(y[:11], f[:11]), (y[11:], f[11:])]
    counts = sum(np.asarray(TASK.count(*map(tf.constant, part))) for part in parts)
    expected = r2_score(y.astype(float), f.astype(float))
    np.testing.assert_allclose(TASK.score_of(counts), expected, rtol=1e-6)


def test_a_constant_target_is_met_or_not():
    y = np.full((7, 2), 1.7, np.float32)
    met = np.stack([y[:, 0], y[:, 1] + 1], axis=1)
    assert TASK.score_of(np.asarray(TASK.count(y, y))) == 1
    assert TASK.score_of(np.asarray(TASK.count(y, met))) == 0.5


def test_answers_agree_to_within_the_slack(rng):
    expected = rng.normal(size=(5, 3))
    answers = expected.copy()
    answers[1, 2] += 0.1
    assert TASK.agreement(answers, expected, 0.01) == 0.8
    assert TASK.agreement(answers, expected, 0.2) == 1
