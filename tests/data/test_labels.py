"""Labels and names of classes: what passes, and what is refused with a remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import arrays_of, in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import SPLITS
from ns_tf.data.labels import (
    MAX_CLASSES,
    are_classes,
    check_targets,
    class_names,
    with_targets,
)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=23),
    st.sampled_from([np.int8, np.uint8, np.int16, np.uint32, np.int64]),
    st.booleans(),
)
def test_whole_numbers_of_any_type_become_int32(labels, dtype, column):
    array = np.array(labels, dtype)
    array = array[:, None] if column else array
    checked = check_targets("mine", array, len(labels))
    assert checked.dtype == np.int32 and checked.tolist() == labels


def test_the_array_that_was_given_stays_as_it_is():
    labels = np.arange(5, dtype=np.int32)
    check_targets("mine", labels, 5)[0] = 3
    assert labels[0] == 0


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3), (5, 7, 11), (5, 7, 11, 1)])
def test_floats_keep_their_shape(rng, shape):
    targets = rng.normal(size=shape)
    checked = check_targets("mine", targets, 5)
    assert checked.dtype == np.float32 and checked.shape == shape
    np.testing.assert_allclose(checked, targets, rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros(5), r"mine: 3 examples need 3 targets.*got the shape \[5\]"),
        (np.int64(1), r"shape \[\]"),
        (np.array(["a", "b", "c"]), "targets are numbers; got <U1"),
        (np.array([0.0, np.nan, 1.0]), "finite numbers"),
        (np.array([0.0, 1e39, 1.0]), "finite numbers"),
        (np.array([2**40, 0, 0]), "32 bits"),
    ],
)
def test_what_is_no_number_is_refused(targets, message):
    with pytest.raises(InputError, match=message) as caught:
        check_targets("mine", np.asarray(targets), 3)
    in_one_line(caught)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (np.array([0, MAX_CLASSES - 1]), True),
        (np.array([0, MAX_CLASSES]), False),
        (np.array([0, -1]), False),
        (np.array([0.0, 1.0]), False),
        (np.zeros((3, 2), int), False),
    ],
)
def test_classes_are_one_whole_number_from_0(targets, expected):
    assert are_classes(targets) is expected


def test_other_targets_go_into_all_splits(rng):
    dataset = from_arrays(arrays_of(rng), class_names=["a", "b", "c"])
    parts = [np.ones((len(getattr(dataset, name)), 2)) for name in SPLITS]
    made = with_targets(dataset, parts, 2)
    assert (made.classes, made.class_names) == (2, ("0", "1"))
    assert [getattr(made, name).labels.shape[1] for name in SPLITS] == [2, 2, 2]
    assert made.train.images is dataset.train.images
    assert with_targets(dataset, parts).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("largest", "classes", "names", "expected"),
    [
        (1, None, None, ("0", "1")),
        (0, 3, None, ("0", "1", "2")),
        (2, None, ["cat", "dog", "emu", "fox"], ("cat", "dog", "emu", "fox")),
        (1, 2, ("cat", "dog"), ("cat", "dog")),
        (1, None, np.array(["cat", "dog"]), ("cat", "dog")),
        (1, None, np.array(["cat", "dog"], object), ("cat", "dog")),
        (1, np.int64(2), None, ("0", "1")),
    ],
)
def test_every_class_has_a_name(largest, classes, names, expected):
    assert class_names("mine", largest, classes, names) == expected


@pytest.mark.parametrize(
    ("largest", "classes", "names", "message"),
    [
        (0, None, None, "mine: the number of classes is .* at least 2; got 1"),
        (0, None, ["cat"], "at least 2; got 1"),
        (1, True, None, "got True"),
        (1, 2.0, None, "got 2.0"),
        (1, "2", None, "got '2'"),
        (
            1,
            3,
            ["cat", "dog"],
            "mine has 3 classes but 2 class names: cat, dog",
        ),
        (7, 5, None, "labels of 5 classes are 0 to 4; the largest is 7. .*classes=8"),
        (2, None, ["cat", "dog"], "0 to 1; the largest is 2"),
    ],
)
def test_numbers_and_names_that_disagree_are_refused(largest, classes, names, message):
    with pytest.raises(InputError, match=message) as caught:
        class_names("mine", largest, classes, names)
    in_one_line(caught)
