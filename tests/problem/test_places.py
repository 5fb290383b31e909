"""Places that layers mask: no loss and no score counts them."""

import keras
import numpy as np
import pytest

from ns_tf.data.arrays import from_arrays
from ns_tf.engine.evaluate import evaluator
from ns_tf.problem import tasks
from ns_tf.problem.places import counted, mask_of

STEPS, WORDS, CLASSES = 5, 11, 3


def tagger(*ends):
    """Words to something at every step; word 0 pads."""
    words = keras.Input((STEPS,), dtype="int32")
    x = keras.layers.Embedding(WORDS, 7, mask_zero=True)(words)
    for end in ends:
        x = end(x)
    return keras.Model(words, x)


@pytest.fixture
def words(rng):
    words = rng.integers(1, WORDS, (23, STEPS))
    words[:, 3:] = 0
    words[0] = 0
    return words.astype(np.int32)


def test_values_count_where_no_mask_is(words):
    outputs = tagger(keras.layers.Dense(CLASSES))(words)
    np.testing.assert_array_equal(mask_of(outputs), words > 0)
    ones = np.repeat((words > 0)[..., None], CLASSES, -1)
    np.testing.assert_array_equal(counted(outputs, mask_of(outputs)), ones)
    np.testing.assert_array_equal(counted(outputs, None), np.ones_like(ones))


def test_classes_of_masked_steps_count_nowhere(rng, words):
    labels = rng.integers(0, CLASSES, words.shape)
    model = tagger(keras.layers.Dense(CLASSES, activation="softmax"))
    task, dataset = given("segmentation", words, labels, (STEPS, CLASSES))
    probabilities = np.array(model(words), float)
    rows, columns = np.indices(words.shape)
    losses = -np.log(probabilities[rows, columns, labels]) * (words > 0)
    losses = losses.sum(-1) / np.maximum((words > 0).sum(-1), 1)
    found = task.loss(model)(labels.astype("int32"), model(words))
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    evaluate = evaluator(model, task.loss(model), task.counter(model))
    _, (right, real, _) = evaluate(dataset, "train", 7)
    padded = dataset.train.images > 0
    own = dataset.train.labels[padded]
    assert real.sum() == padded.sum()
    said = np.array(model(dataset.train.images)).argmax(-1)[padded]
    assert right.sum() == (said == own).sum()


def test_one_logit_a_step_counts_where_no_mask_is(rng, words):
    labels = rng.integers(0, 2, words.shape).astype("int32")
    model = tagger(keras.layers.Dense(1))
    counts = np.array(tasks.get("segmentation").counter(model)(labels, model(words)))
    said = (np.array(model(words))[..., 0] >= 0)[words > 0]
    assert counts[1].sum() == (words > 0).sum()
    assert counts[0].sum() == (said == labels[words > 0]).sum()


def test_numbers_of_masked_steps_count_nowhere(rng, words):
    numbers = rng.normal(size=(*words.shape, 2)).astype("float32")
    model = tagger(keras.layers.Dense(2))
    task = tasks.get("regression")
    squares = (numbers - np.array(model(words))) ** 2 * (words > 0)[..., None]
    losses = squares.sum((1, 2)) / np.maximum(2 * (words > 0).sum(-1), 1)
    found = task.loss(model)(numbers, model(words))
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    entries, total, _, errors = np.array(task.count(numbers, model(words)))
    assert entries.tolist() == [(words > 0).sum()] * 2
    np.testing.assert_allclose(total, numbers[words > 0].sum(0), rtol=1e-5)
    np.testing.assert_allclose(errors, squares.sum((0, 1)), rtol=1e-5)


def given(name, words, labels, outputs):
    """A task, and words with their targets as it takes them."""
    task = tasks.get(name)
    return task, task.prepared(from_arrays((words, labels)), outputs)
