"""tf.data in any order is the data set of its arrays."""

import os

import keras
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


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize(
    ("inputs", "targets"),
    [((7,), ()), ((7,), (3,)), ((5, 7), ()), ((5, 7, 3), (5, 7)), ((5, 7), (5,))],
)
def test_examples_of_any_shape_are_read_batched_or_not(rng, batch, inputs, targets):
    parts = in_order(
        rng.normal(size=(23, *inputs)).astype(np.float32),
        rng.normal(size=(23, *targets)).astype(np.float32),
        rng.uniform(size=23).astype(np.float32),
    )
    elements = tf.data.Dataset.from_tensor_slices(parts)
    elements = elements.batch(batch) if batch else elements
    split = from_tf_data(elements, test=elements).test
    found = split.images, split.labels, split.weights
    for array, expected in zip(found, parts, strict=True):
        np.testing.assert_array_equal(array, expected)


class Batches(keras.utils.PyDataset):
    """23 examples in batches of 5, the last of 3."""

    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 5

    def __getitem__(self, place):
        return tuple(part[5 * place : 5 * place + 5] for part in self.arrays)


def test_a_py_dataset_is_read_whole(rng):
    arrays = in_order(*arrays_of(rng))
    stream = Batches(arrays)
    split = from_tf_data(stream, test=stream).test
    np.testing.assert_array_equal(split.images, arrays[0])
    np.testing.assert_array_equal(split.labels, arrays[1])


class Listed(keras.utils.PyDataset):
    """Batches as they are listed."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, place):
        return self.batches[place]


def test_weights_of_none_are_none(rng):
    x, y = in_order(*arrays_of(rng))
    stream = Listed([(x[:7], y[:7], None), [x[7:], y[7:], None]])
    split = from_tf_data(stream, test=stream).test
    np.testing.assert_array_equal(split.labels, y)
    assert split.weights is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda x, y: (x, y, np.ones(4)), "same arrays; got 2 and 3.*with every batch"),
        (lambda x, y: (x, y[:, None] * [1, 2]), r"one size; got \[\] and \[2\]"),
        (lambda x, y: (x[:, :4], y), r"got \[5, 7, 3\] and \[4, 7, 3\]"),
    ],
)
def test_batches_that_differ_are_refused(rng, second, message):
    (x, y), (a, b) = arrays_of(rng), arrays_of(rng, 4)
    with pytest.raises(InputError, match=message) as caught:
        from_tf_data(Listed([(x, y), second(a, b)]))
    in_one_line(caught)


@pytest.mark.parametrize(
    "repeated",
    [
        lambda d: d.repeat(3),
        lambda d: d.repeat(2).shuffle(46).batch(5),
        lambda d: d.repeat(3).take(60),
    ],
)
def test_repeated_data_are_not_held_out_of(rng, repeated):
    one = tf.data.Dataset.from_tensor_slices(arrays_of(rng))
    for others in ({}, {"test": one}):
        with pytest.raises(InputError, match=r"as by \.repeat\(\)") as caught:
            from_tf_data(repeated(one), **others)
        in_one_line(caught)
    whole = from_tf_data(repeated(one), validation=one, test=one)
    assert len(whole.train) > 46 - 1


def test_a_stream_that_begins_anew_is_not_held_out_of(rng):
    """In any order of its own: what comes again are the last ones."""
    one = tf.data.Dataset.from_tensor_slices(arrays_of(rng))
    for rows in (one, one.shuffle(23, seed=3)):
        with pytest.raises(InputError, match="The last 20 examples.*take") as caught:
            from_tf_data(rows.repeat().take(43).batch(7))
        in_one_line(caught)
    # Nothing is said of a few, nor of one that ends the stream several times.
    last = one.skip(22).repeat(20)
    for rows, left in ((one.repeat().take(26), 20), (one.concatenate(last), 35)):
        assert len(from_tf_data(rows).train) == left


def test_single_examples_may_be_equal(rng):
    x, y = arrays_of(rng)
    places = np.r_[0, 0, 0, 1, 1, 2:23]
    stream = tf.data.Dataset.from_tensor_slices((x[places], y[places]))
    made = from_tf_data(stream)
    assert len(made.train) + len(made.validation) + len(made.test) == 26
    table = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (25, 1)).astype(np.float32)
    made = from_tf_data(tf.data.Dataset.from_tensor_slices((table, table[:, 0] > 0)))
    assert len(made.train) == 80


def test_an_endless_py_dataset_is_refused(rng):
    class Endless(Batches):
        num_batches = None

    with pytest.raises(InputError, match="train is endless.*__len__") as caught:
        from_tf_data(Endless(arrays_of(rng)))
    in_one_line(caught)


def test_a_directory_of_images_brings_its_class_names(tmp_path, rng):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for place in range(5):
            image = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
            data = tf.io.encode_png(image).numpy()
            (tmp_path / name / f"{place}.png").write_bytes(data)
    stream = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(5, 7), batch_size=3, verbose=False
    )
    dataset = from_tf_data(stream)
    assert (dataset.classes, dataset.class_names) == (2, ("cat", "dog"))
    assert dataset.image_shape == (5, 7, 3)


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
        (lambda d: d.map(lambda x, y: x), "elements are .input"),
        (lambda d: d.map(lambda x, y: {"image": x, "label": y}), "elements are"),
        (lambda d: d.map(lambda x, y: (x, y, y, y)), "elements are"),
        (lambda d: generated(), r"one size; got \[5, 5, 3\] and \[7, 5, 3\]"),
        (lambda d: None, "train is missing"),
        (lambda d: [1, 2], "tf.data.Dataset or a PyDataset; got list.*from_arrays"),
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


class Nested(Batches):
    """The same of nests of arrays."""

    def __getitem__(self, place):
        return keras.tree.map_structure(
            lambda part: part[5 * place : 5 * place + 5], self.arrays
        )


@pytest.mark.parametrize("how", ["elements", "batches", "py_dataset"])
def test_several_inputs_and_outputs_are_read_and_stay_together(rng, how):
    count = np.arange(23)
    images = np.tile(count[:, None, None, None], (1, 5, 7, 3)).astype(np.uint8)
    inputs = {"image": images, "age": count + 0.5}
    arrays = inputs, (count, count[:, None] * [1.0, 2.0])
    if how == "py_dataset":
        stream = Nested(arrays)
    else:
        stream = tf.data.Dataset.from_tensor_slices(arrays).shuffle(23)
        stream = stream.batch(5) if how == "batches" else stream
    dataset = from_tf_data(stream, test=stream)
    by_name = dict(zip(dataset.input_names, dataset.test.images, strict=True))
    first, second = dataset.test.labels
    assert sorted(first) == list(range(23)) and list(first) != list(range(23))
    np.testing.assert_array_equal(by_name["image"][:, 2, 3, 1], first)
    np.testing.assert_array_equal(by_name["age"][:, 0], first + 0.5)
    np.testing.assert_array_equal(second[:, 1], 2 * first)
