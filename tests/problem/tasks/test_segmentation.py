"""A class for every pixel: what is ignored, the loss, the mean IoU."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.problem import tasks

TASK = tasks.get("segmentation")
SHAPE, CLASSES = (5, 7), 3


@pytest.fixture
def masks(rng):
    masks = rng.integers(0, CLASSES, (23, *SHAPE))
    masks[:, 0] = 255
    return masks


def data(rng, masks):
    images = rng.integers(0, 256, (23, *SHAPE, 2)).astype(np.uint8)
    return from_arrays((images, masks))


def model(channels=CLASSES, activation=None):
    image = keras.Input((*SHAPE, 2))
    layer = keras.layers.Conv2D(channels, 1, activation=activation)
    return keras.Model(image, layer(image))


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("outputs", [None, (*SHAPE, CLASSES)])
def test_what_is_no_class_becomes_minus_1(rng, masks, column, outputs):
    dataset = data(rng, masks[..., None] if column else masks)
    made = TASK.prepared(dataset, outputs)
    TASK.check(made)
    labels = made.train.labels
    assert labels.shape[1:] == SHAPE and labels.dtype == np.int32
    assert (labels[:, 0] == -1).all() and (labels[:, 1:] >= 0).all()
    assert made.classes == CLASSES
    again = TASK.prepared(made, outputs)
    np.testing.assert_array_equal(again.train.labels, labels)


def test_another_number_may_be_ignored(rng, masks):
    task = tasks.get("segmentation(ignore=2)")
    made = task.prepared(data(rng, np.where(masks == 255, 0, masks)), None)
    assert sorted(np.unique(made.train.labels)) == [-1, 0, 1]


def test_masks_of_another_shape_or_class_are_refused(rng, masks):
    with pytest.raises(InputError, match=r"the outputs, \[7, 5\]; got targets int32"):
        TASK.prepared(data(rng, masks), (7, 5, CLASSES))
    masks[:, 2, 2] = 9
    dataset = TASK.prepared(data(rng, masks), (*SHAPE, CLASSES))
    with pytest.raises(InputError, match=r"0 to 2; got 9.*ignore=9") as caught:
        TASK.check(dataset)
    in_one_line(caught)
    with pytest.raises(InputError, match="no option|Unknown option"):
        tasks.get("segmentation(ignored=2)")


def prepared(rng, masks):
    return TASK.prepared(data(rng, masks), (*SHAPE, CLASSES)).train.labels


def test_the_loss_is_the_mean_over_the_pixels_that_count(rng, masks):
    labels = prepared(rng, masks)
    logits = rng.normal(size=(*labels.shape, CLASSES)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    right = np.take_along_axis(shares, np.maximum(labels, 0)[..., None], -1)[..., 0]
    expected = -np.log(right[:, 1:]).reshape(len(labels), -1).mean(axis=1)
    for kind, outputs in ((None, logits), ("softmax", shares)):
        loss = TASK.loss(model(activation=kind))
        found = loss(tf.constant(labels), tf.constant(outputs))
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    nothing = loss(tf.fill((2, *SHAPE), -1), tf.constant(shares[:2]))
    assert nothing.numpy().tolist() == [0, 0]


def test_the_mean_iou_counts_all_pixels_of_a_split(rng, masks):
    labels = prepared(rng, masks)
    outputs = rng.normal(size=(*labels.shape, CLASSES)).astype(np.float32)
    parts = [
        np.asarray(TASK.count(tf.constant(labels[s]), tf.constant(outputs[s])))
        for s in (slice(0, 5), slice(5, None))
    ]
    said, known = outputs.argmax(-1)[labels >= 0], labels[labels >= 0]
    expected = [
        ((said == c) & (known == c)).sum() / ((said == c) | (known == c)).sum()
        for c in range(CLASSES)
    ]
    assert TASK.score_of(sum(parts)) == pytest.approx(np.mean(expected))


def test_one_channel_is_foreground_and_background(rng):
    masks = rng.integers(0, 2, (23, *SHAPE))
    labels = TASK.prepared(data(rng, masks), (*SHAPE, 1)).train.labels
    logits = rng.normal(size=(*labels.shape, 1)).astype(np.float32)
    p = 1 / (1 + np.exp(-logits[..., 0]))
    expected = -np.log(np.where(labels == 1, p, 1 - p)).mean(axis=(1, 2))
    loss, count = TASK.loss(model(1)), TASK.counter(model(1))
    found = loss(tf.constant(labels), tf.constant(logits))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    counts = np.asarray(count(tf.constant(labels), tf.constant(logits)))
    assert counts.shape == (3, 2) and counts[1].sum() == labels.size
    assert counts[0, 1] == ((p >= 0.5) & (labels == 1)).sum()
    np.testing.assert_array_equal(
        TASK.count(labels, p[..., None]), counts, "probabilities decide at 1/2"
    )


def test_the_answer_is_a_class_for_every_pixel(rng):
    assert TASK.answer(model(1, "sigmoid")) is None
    assert TASK.answer(model(activation="softmax")) is None
    assert TASK.answer(model(1)) is not None and TASK.answer(model()) is not None
    p = rng.uniform(size=(2, *SHAPE, CLASSES))
    told = TASK.response(tf.constant(p), ())
    np.testing.assert_array_equal(told["class"], p.argmax(-1))
    assert TASK.agreement(p, p, 0.0) == 1
    assert TASK.agreement(p[..., :1], 1 - p[..., :1], 0.0) == 0
