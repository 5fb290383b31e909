"""Data of Python objects: the same by content, told apart by any change."""

import numpy as np
import pytest
import tensorflow as tf
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data import python_data
from ns_tf.data.arrays import from_arrays
from ns_tf.run.folder import PREFIX


@pytest.fixture
def pair(rng):
    def pair(count=53):
        images = rng.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
        return images, np.arange(count) % 3

    return pair


def test_data_are_told_apart_by_content(pair):
    one, other = pair(), pair()
    names = [
        python_data.dataset(data).name
        for data in (one, other, from_arrays(one), from_arrays(other))
    ]
    assert names[:2] == names[2:] and names[0] != names[1]
    tested = python_data.dataset(from_arrays(one, test=other)).name
    assert tested not in names
    assert all(name.startswith(PREFIX) for name in [*names, tested])


def test_a_data_set_keeps_the_name_that_it_was_given(pair):
    dataset = python_data.dataset(from_arrays(pair(), name="mine"))
    assert dataset.name == "mine"


def test_data_to_train_and_to_test_as_keras_has_them(pair):
    train, test = pair(), pair(11)
    dataset = python_data.dataset((train, test))
    np.testing.assert_array_equal(dataset.test.images, test[0])
    assert len(dataset.train) + len(dataset.validation) == 53


def test_more_pairs_than_two_are_refused(pair):
    with pytest.raises(InputError, match="to train and one to test"):
        python_data.dataset((pair(), pair(), pair()))


@pytest.mark.parametrize("data", ["digits", "folder:/nowhere", ""])
def test_a_name_is_no_data(data):
    assert python_data.dataset(data) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (7, "or arrays .inputs, targets.; got int"),
        (None, "got NoneType"),
        ([np.zeros(3), np.zeros(3)], "got list"),
        ((np.zeros(3),), "is .inputs, targets."),
        (((1, 2), (3, 4), (5, 6), (7, 8)), "got 4 pairs. ns_tf.from_arrays"),
    ],
)
def test_other_objects_are_refused(data, message):
    with pytest.raises(InputError, match=message) as caught:
        python_data.dataset(data)
    in_one_line(caught)


def test_weights_tell_data_apart(pair):
    images, labels = pair()
    weights = np.ones(53)
    names = {
        python_data.dataset(data).name
        for data in ((images, labels), (images, labels, weights))
    }
    assert len(names) == 2


def test_streams_to_train_and_to_test(pair):
    train, test = (tf.data.Dataset.from_tensor_slices(pair(n)) for n in (53, 11))
    dataset = python_data.dataset((train, test.batch(3)))
    assert (len(dataset.train) + len(dataset.validation), len(dataset.test)) == (53, 11)


def test_tf_data_are_named_by_the_content_whatever_the_order(pair):
    images, labels = pair()
    elements = tf.data.Dataset.from_tensor_slices((images, labels))
    names = {
        python_data.dataset(data).name
        for data in (elements, elements.shuffle(53), elements.batch(7))
    }
    assert len(names) == 1
    other = tf.data.Dataset.from_tensor_slices((images, (labels + 1) % 3))
    assert python_data.dataset(other).name not in names


def renumbered(images, labels):
    return images, (labels + 1) % 3


def brighter(images, labels):
    images = images.copy()
    images[5, 3, 2, 1] ^= 1
    return images, labels


def transposed(images, labels):
    return images.reshape(-1, 7, 5, 3), labels


def as_floats(images, labels):
    return (images / 255).astype(np.float32), labels


def shorter(images, labels):
    return images[:-1], labels[:-1]


@pytest.mark.parametrize(
    "change", [renumbered, brighter, transposed, as_floats, shorter]
)
def test_any_change_of_the_content_is_another_name(pair, change):
    data = pair()
    assert python_data.dataset(change(*data)).name != python_data.dataset(data).name


def test_the_layout_in_memory_is_no_content(pair):
    images, labels = pair()
    name = python_data.dataset((images, labels)).name
    turned = np.asfortranarray(images)
    assert turned.flags.c_contiguous is False
    assert python_data.dataset((turned, labels.astype(np.int8))).name == name


def test_fewer_images_are_other_data_unless_the_set_has_a_name(pair):
    whole, fewer = (python_data.dataset(pair(), train_images=n) for n in (None, 3))
    assert len(fewer.train) == 3 and fewer.name != whole.name
    named = python_data.dataset(from_arrays(pair(), name="mine"), train_images=3)
    assert (named.name, len(named.train)) == ("mine", 3)


@pytest.mark.parametrize("how", ["arrays", "stream", "train and test"])
def test_the_options_of_data_hold_for_data_from_python(pair, how):
    images, labels = pair(60)
    data = images, labels
    if how == "stream":
        data = tf.data.Dataset.from_tensor_slices(data)
    elif how == "train and test":
        data = data, pair(7)
    options = {"validation_fraction": 0.3, "image_size": 6, "train_images": 11}
    made = [
        python_data.dataset(data, **python_data.subset({**options, "split_seed": seed}))
        for seed in (0, 5)
    ]
    for one in made:
        assert (len(one.validation), len(one.train)) == (18, 11)
        assert one.image_shape == (6, 6, 3)
    first, second = (one.validation.images for one in made)
    assert (first != second).any()


@pytest.mark.parametrize(
    "options", [{"validation_fraction": 0.3}, {"image_size": 6}, {"split_seed": 5}]
)
@pytest.mark.parametrize("name", ["arrays", "mine"])
def test_a_made_data_set_refuses_what_it_cannot_follow(pair, name, options):
    made = from_arrays(pair(), name=name)
    with pytest.raises(InputError, match=f"--{next(iter(options))} .*too late") as e:
        python_data.dataset(made, **python_data.subset(options))
    in_one_line(e)
    sized = from_arrays(pair(), name=name, image_size=6)
    same = python_data.subset({"image_size": 6, "split_seed": 5, "train_images": 7})
    assert len(python_data.dataset(sized, **same).train) == 7


def test_options_that_no_data_have_are_refused(pair):
    with pytest.raises(InputError, match="resizes images"):
        python_data.dataset((np.ones((20, 3)), np.arange(20) % 2), image_size=8)
    for options in ({"validation_fraction": 2}, {"image_size": 1e9}):
        with pytest.raises(InputError, match=next(iter(options))):
            python_data.subset(options)


def test_how_images_vary_and_classes_are_called_tells_data_apart(pair):
    data = pair()
    options = [{}, {"pad": 2}, {"flip": True}, {"class_names": ["a", "b", "c"]}]
    names = [python_data.dataset(from_arrays(data, **one)).name for one in options]
    assert len(set(names)) == 4
    assert names[0] == python_data.dataset(from_arrays(data, pad=0)).name


def test_data_of_an_earlier_run_are_known_again(pair):
    data, other = pair(), pair(20)
    known = {"train_images": 30, "validation_fraction": 0.2, "task": None}
    name = python_data.dataset(data, **python_data.subset(known)).name
    found, own = python_data.again(data, name, known, {})
    assert (found.name, len(found.train), own) == (name, 30, True)
    found, own = python_data.again(other, name, known, {})  # Has fewer than 30.
    assert (len(found.train), own) == (16, False)
    found, own = python_data.again(data, name, known, {"train_images": 7})
    assert (len(found.train), own) == (7, False)
    assert python_data.again("digits", name, known, {}) == (None, False)
    mine = from_arrays(data, name="mine")
    found, own = python_data.again(mine, "mine", {"train_images": 30}, {})
    assert (len(found.train), own) == (30, True)


def test_more_streams_than_two_are_refused(pair):
    stream = tf.data.Dataset.from_tensor_slices(pair())
    with pytest.raises(InputError, match="got 3. ns_tf.from_tf_data takes") as caught:
        python_data.dataset((stream, stream, stream))
    in_one_line(caught)


def test_tuples_of_inputs_targets_and_weights_are_no_splits(pair, rng):
    images, labels = pair()
    table, box, weights = images[:, 0, 0], rng.normal(size=(53, 4)), np.arange(53.0)
    for own in ((weights, weights + 1), (None, weights + 1)):
        made = python_data.dataset(((images, table), (labels, box), own))
        assert len(made.train) + len(made.validation) + len(made.test) == 53
        first, second = made.train.weights
        np.testing.assert_array_equal(
            second - first, 1 if own[0] is not None else second - 1
        )
    splits = tuple((images[:n], labels[:n]) for n in (53, 11, 7))
    with pytest.raises(InputError, match="got 3 pairs"):
        python_data.dataset(splits)


def test_tuples_of_inputs_are_told_from_splits(pair):
    images, labels = pair()
    table, numbers = images[:, 0, 0], labels + 0.5
    both = python_data.dataset(((images, table), (labels, numbers)))
    assert both.image_shape == (images.shape[1:], table.shape[1:])
    assert len(both.train) + len(both.validation) + len(both.test) == 53
    named = python_data.dataset(({"i": images, "t": table}, labels))
    assert named.input_names == ("i", "t") and named.name != both.name
    inputs = {"i": images[:7], "t": table[:7]}
    split = python_data.dataset(
        (({"i": images, "t": table}, labels), (inputs, labels[:7]))
    )
    assert len(split.test) == 7 and split.input_names == ("i", "t")
    with pytest.raises(InputError, match="takes i, t; got t, u") as caught:
        inputs = {"t": table[:7], "u": images[:7]}
        python_data.dataset((({"i": images, "t": table}, labels), (inputs, labels[:7])))
    in_one_line(caught)
