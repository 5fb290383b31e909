"""Evaluation of a split, against NumPy."""

import copy
import gc
import weakref

import keras
import numpy as np
import pytest
from crowd import in_threads
from picked import picked
from small import CLASSES, coloured

from ns_tf.data.batches import eval_batches
from ns_tf.engine.evaluate import evaluator, kept_evaluator
from ns_tf.engine.workers import ALONE
from ns_tf.problem import tasks

TASK = tasks.get("classification")


@pytest.fixture
def model():
    image = keras.Input((5, 7, 3))
    x = keras.layers.BatchNormalization(name="bn")(image)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, keras.layers.Dense(CLASSES, name="logits")(x))


@pytest.mark.parametrize("batch_size", [1, 7, 13, 1000])
def test_loss_and_counts_are_those_of_the_whole_split_whatever_the_batch(
    rng, float64, model, batch_size
):
    dataset = coloured(rng, (5, 7, 3), count=53)
    split = dataset.train
    evaluate = evaluator(model, TASK.loss(model), TASK.count)
    loss, counts = evaluate(dataset, "train", batch_size)
    images = np.concatenate([x for x, _ in eval_batches(dataset, "train", 50)])
    norm, dense = model.get_layer("bn"), model.get_layer("logits")
    x = images / np.sqrt(1 + norm.epsilon)  # Moving statistics are 0 and 1.
    logits = x.reshape(len(x), -1) @ dense.kernel.numpy()
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = shares[np.arange(len(x)), split.labels]
    np.testing.assert_allclose(loss, -np.log(right).mean(), rtol=1e-5)
    assert counts.dtype == np.int64
    assert counts.tolist() == [
        (logits.argmax(axis=1) == split.labels).sum(),
        len(split),
    ]


def test_evaluating_changes_nothing_and_reads_the_weights_as_they_are(rng, model):
    dataset = coloured(rng, (5, 7, 3), count=53)
    evaluate = evaluator(model, TASK.loss(model), TASK.count)
    before = model.get_weights()
    first, _ = evaluate(dataset, "validation", 7)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    model.get_layer("logits").kernel.assign(np.zeros((105, CLASSES)))
    loss, _ = evaluate(dataset, "validation", 7)
    np.testing.assert_allclose(loss, np.log(CLASSES), rtol=1e-6)
    assert loss != first


def test_counts_may_have_any_shape(rng, model):
    """A confusion matrix, as another task may count."""
    dataset = coloured(rng, (5, 7, 3), count=53)

    def confusion(targets, outputs):
        rows = keras.ops.one_hot(targets, CLASSES, dtype="int32")
        best = keras.ops.argmax(outputs, axis=-1)
        columns = keras.ops.one_hot(best, CLASSES, dtype="int32")
        return keras.ops.matmul(keras.ops.transpose(rows), columns)

    _, counts = evaluator(model, TASK.loss(model), confusion)(dataset, "train", 7)
    assert counts.shape == (CLASSES, CLASSES)
    labels = np.bincount(dataset.train.labels, minlength=CLASSES)
    np.testing.assert_array_equal(counts.sum(axis=1), labels)


@pytest.mark.parametrize("batch_size", picked({7}, [7, 23, 1000]))
def test_workers_come_to_the_bits_of_one(rng, model, batch_size):
    """With more batches than workers, as many, and fewer."""
    dataset = coloured(rng, (5, 7, 3), count=53)
    counter = TASK.counter(model)

    def evaluated(workers=ALONE):
        evaluate = evaluator(model, TASK.loss(model), counter, workers)
        return evaluate(dataset, "train", batch_size)

    loss, counts = evaluated()
    for other, others in in_threads(3, evaluated):
        assert other == loss and others.dtype == counts.dtype
        np.testing.assert_array_equal(others, counts)


def test_an_evaluator_is_compiled_once_for_a_network_and_goes_with_it(rng, model):
    dataset = coloured(rng, (5, 7, 3), count=53)
    evaluate = kept_evaluator(model, TASK)
    before, _ = evaluate(dataset, "validation", 7)
    assert kept_evaluator(model, TASK) is evaluate
    model.get_layer("logits").kernel.assign(np.zeros((105, CLASSES)))
    now, counts = kept_evaluator(model, TASK)(dataset, "validation", 7)
    np.testing.assert_allclose(now, np.log(CLASSES), rtol=1e-6)
    assert now != before and counts[1] == len(dataset.validation)
    other = copy.deepcopy(model)  # What is kept is no part of a network.
    assert kept_evaluator(other, TASK) is not evaluate
    assert kept_evaluator(model, copy.copy(TASK)) is not evaluate
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
