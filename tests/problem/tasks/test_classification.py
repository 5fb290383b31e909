"""Cross-entropy, accuracy, and what an exported classifier answers."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import coloured

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Split
from ns_tf.problem import tasks

TASK = tasks.get("classification")
LABELS = np.array([2, 0, 3, 3], np.int32)


def model(activation=None):
    image = keras.Input((3,))
    return keras.Model(image, keras.layers.Dense(5, activation=activation)(image))


@pytest.fixture
def logits(rng):
    return rng.normal(size=(4, 5)).astype(np.float32)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_the_loss_is_the_cross_entropy_of_logits_or_of_probabilities(logits):
    shares = softmax(logits)
    expected = -np.log(shares[np.arange(4), LABELS])
    of_logits, of_shares = TASK.loss(model()), TASK.loss(model("softmax"))
    np.testing.assert_allclose(of_logits(LABELS, logits), expected, rtol=1e-5)
    np.testing.assert_allclose(of_shares(LABELS, shares), expected, rtol=1e-5)


def test_losses_of_low_precision_outputs_are_computed_whole(logits):
    loss = TASK.loss(model())
    low = tf.cast(logits, tf.bfloat16)
    assert loss(LABELS, low).dtype == tf.float32
    np.testing.assert_allclose(
        loss(LABELS, low), loss(LABELS, tf.cast(low, tf.float32)), rtol=1e-6
    )


def test_counts_are_hits_and_images(logits):
    hits = (logits.argmax(axis=1) == LABELS).sum()
    counts = TASK.count(tf.constant(LABELS), tf.constant(logits))
    assert np.array(counts).tolist() == [hits, 4]
    assert keras.backend.standardize_dtype(counts.dtype) == "int32"
    right = np.eye(5, dtype=np.float32)[LABELS]
    assert np.array(TASK.count(tf.constant(LABELS), right)).tolist() == [4, 4]


def test_the_accuracy_is_that_of_all_batches_together():
    counts = np.array([3, 4]) + np.array([1, 6])
    assert TASK.score_of(counts) == 0.4
    assert TASK.score.text(TASK.score_of(counts)) == "40.00 %"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_labels_beyond_the_classes_are_refused_in_every_split(rng, split):
    dataset = coloured(rng)
    TASK.check(dataset)
    part = getattr(dataset, split)
    for labels, words in (
        (part.labels + 5, "labels are 0 to 4; got"),
        (part.labels - 9, "labels are 0 to 4; got -"),
        (part.labels[:, None], "needs one class number an example.*labels int32"),
        (part.labels.astype(np.float32), "got labels float32"),
    ):
        bad = dataclasses.replace(dataset, **{split: Split(part.images, labels)})
        with pytest.raises(InputError, match=f"{split}: .*{words}"):
            TASK.check(bad)


def test_an_export_answers_probabilities_whatever_the_network_ends_in():
    layer = TASK.answer(model())
    out = layer(np.array([[1.0, 2.0, 3.0]], np.float32))
    np.testing.assert_allclose(out, softmax(np.array([[1.0, 2.0, 3.0]])), rtol=1e-6)
    assert TASK.answer(model("softmax")) is None


def test_a_response_names_the_most_likely_class(logits):
    names = ("ant", "bee", "cat", "dog", "eel")
    answer = TASK.response(tf.constant(softmax(logits)), names)
    best = logits.argmax(axis=1)
    np.testing.assert_array_equal(answer["class"], best)
    assert answer["class"].dtype == tf.int32
    words = [name.decode() for name in answer["class_name"].numpy()]
    assert words == [names[i] for i in best]
    np.testing.assert_allclose(answer["probabilities"], softmax(logits), rtol=1e-6)


def test_one_hot_targets_become_class_numbers(rng):
    labels = np.arange(23) % 5
    arrays = rng.normal(size=(23, 3)), np.eye(5)[labels]
    made = TASK.prepared(from_arrays(arrays, test=arrays), (5,))
    TASK.check(made)
    assert made.test.labels.tolist() == labels.tolist() and made.classes == 5
    whole = from_arrays((arrays[0], labels * 1.0), test=(arrays[0], labels * 1.0))
    made = TASK.prepared(whole, None)
    TASK.check(made)
    assert made.test.labels.tolist() == labels.tolist() and made.classes == 5


def test_the_outputs_say_how_many_classes_there_are(rng):
    inputs, labels = rng.normal(size=(23, 3)), np.arange(23) % 3
    for given in (labels, labels * 1.0, labels[:, None] * 1.0):
        made = TASK.prepared(from_arrays((inputs, given)), (5,))
        TASK.check(made)
        assert made.classes == 5 and made.class_names == tuple("01234")
        assert made.train.labels.dtype == np.int32 and made.train.labels.ndim == 1
    named = from_arrays((inputs, labels), class_names=["ant", "bee", "cat"])
    assert TASK.prepared(named, (5,)) is named, "who names classes names all"


def test_classes_that_no_label_has_stay_where_labels_are_floats(rng):
    parts = rng.normal(size=(23, 3)), np.arange(23) % 3 * 1.0
    made = TASK.prepared(from_arrays(parts, class_names=[*"abcd"]), None)
    assert made.classes == 4 and made.class_names == tuple("abcd")


def test_classes_that_are_numbered_from_1_are_refused(rng):
    dataset = from_arrays((rng.normal(size=(23, 3)), np.arange(23) % 5 + 1))
    with pytest.raises(InputError, match="are 1 to 5, of 5 outputs; number .* from 0"):
        TASK.prepared(dataset, (5,))


def test_targets_may_be_probabilities(rng, logits):
    shares = softmax(rng.normal(size=(4, 5))).astype(np.float32)
    loss = TASK.loss(model())(tf.constant(shares), tf.constant(logits))
    expected = -(shares * np.log(softmax(logits))).sum(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    hits = (logits.argmax(axis=1) == shares.argmax(axis=1)).sum()
    counts = TASK.count(tf.constant(shares), tf.constant(logits))
    assert np.asarray(counts).tolist() == [hits, 4]
    inputs = np.repeat(shares, 6, axis=0)
    dataset = TASK.prepared(from_arrays((inputs, inputs)), (5,))
    TASK.check(dataset)
    assert dataset.train.labels.shape[1:] == (5,)
