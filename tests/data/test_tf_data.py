"""tf.data in any order is the data set of its arrays."""

import os

import numpy as np
import pytest
import tensorflow as tf
from pictures import arrays_of, in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import SPLITS
from ns_tf.data.tf_data import from_tf_data, in_order


@pytest.mark.parametrize("batch", [None, 1, 5, 23])
def test_tf_data_is_the_same_as_its_arrays(rng, batch):
    arrays = in_order(*arrays_of(rng))
    elements = tf.data.Dataset.from_tensor_slices(arrays).shuffle(23)
    elements = elements.batch(batch) if batch else elements
    dataset = from_tf_data(elements, test=elements, name="mine", seed=3)
    expected = from_arrays(arrays, test=arrays, name="mine", seed=3)
    for key in SPLITS:
        ours, theirs = getattr(dataset, key), getattr(expected, key)
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(dataset.mean, expected.mean)


def test_the_order_is_that_of_the_content_and_loses_nothing(rng):
    images, labels = arrays_of(rng)
    images[5:9] = images[4]  # Told apart by their labels, if at all.
    found = in_order(images, labels)
    mixed = rng.permutation(23)
    for one, other in zip(found, in_order(images[mixed], labels[mixed]), strict=True):
        np.testing.assert_array_equal(one, other)
    together = {(x.tobytes(), y) for x, y in zip(*found, strict=True)}
    assert together == {(x.tobytes(), y) for x, y in zip(images, labels, strict=True)}
    assert len(found[0]) == 23


def several_sizes():
    for size in (5, 7):
        yield np.zeros((size, 5, 3), np.uint8), 0


def generated():
    signature = tf.TensorSpec([None, 5, 3], tf.uint8), tf.TensorSpec([], tf.int32)
    return tf.data.Dataset.from_generator(several_sizes, output_signature=signature)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (lambda d: d.repeat(), r"train is endless.*\.take\(n\)"),
        (lambda d: d.take(0), "train is an empty data set"),
        (lambda d: d.map(lambda x, y: x), "elements are .image"),
        (lambda d: d.map(lambda x, y: {"image": x, "label": y}), "elements are"),
        (lambda d: d.map(lambda x, y: (x[0], y)), "elements are"),
        (lambda d: generated(), r"one size; got \[5, 5, 3\] and \[7, 5, 3\]"),
        (lambda d: [1, 2], "tf.data.Dataset; got list.*from_arrays"),
    ],
)
def test_tf_data_of_another_kind_is_refused(rng, elements, message):
    with pytest.raises(InputError, match=message) as caught:
        from_tf_data(elements(tf.data.Dataset.from_tensor_slices(arrays_of(rng))))
    in_one_line(caught)


def test_endless_tf_data_of_unknown_length_stops_at_the_memory(rng, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 300)  # 90 kB in all.
    signature = tf.TensorSpec([5, 7, 3], tf.uint8), tf.TensorSpec([], tf.int32)

    def forever():
        while True:
            yield np.zeros((5, 7, 3), np.uint8), 1

    elements = tf.data.Dataset.from_generator(forever, output_signature=signature)
    with pytest.raises(InputError, match=r"fit into memory.*\.take\(n\)"):
        from_tf_data(elements)
