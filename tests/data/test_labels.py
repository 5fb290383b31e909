"""Labels and names of classes: what passes, and what is refused with a remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.labels import MAX_CLASSES, check_labels, class_names


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=23),
    st.sampled_from([np.int8, np.uint8, np.int16, np.uint32, np.int64]),
    st.booleans(),
)
def test_whole_numbers_of_any_type_become_int32(labels, dtype, column):
    array = np.array(labels, dtype)
    array = array[:, None] if column else array
    checked = check_labels("mine", array, len(labels))
    assert checked.dtype == np.int32 and checked.tolist() == labels


def test_the_array_that_was_given_stays_as_it_is():
    labels = np.arange(5, dtype=np.int32)
    check_labels("mine", labels, 5)[0] = 3
    assert labels[0] == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 7), int), r"mine: 3 images need labels of shape \[3\]; got \[3,"),
        (np.zeros(5, int), r"got \[5\]. One-hot labels: labels.argmax"),
        (np.int64(1), r"got \[\]"),
        (np.zeros((1, 3), int), r"got \[1, 3\]"),
        (np.zeros(3), "mine: labels are whole numbers; got float64"),
        (np.zeros(3, bool), "got bool"),
        (np.array(["a", "b", "c"]), "whole numbers; got <U1"),
        (np.array([0, 2, -1]), "label 2 is -1. Leave unlabelled images out"),
        (np.array([0, MAX_CLASSES, 1]), f"label 1 is {MAX_CLASSES}"),
        (np.array([2**40, 0, 0]), "label 0 is 1099511627776"),
    ],
)
def test_what_is_no_number_of_a_class_is_refused(labels, message):
    with pytest.raises(InputError, match=message) as caught:
        check_labels("mine", np.asarray(labels), 3)
    in_one_line(caught)


def test_the_largest_number_of_a_class_passes():
    assert check_labels("mine", np.array([MAX_CLASSES - 1]), 1) == [MAX_CLASSES - 1]


@pytest.mark.parametrize(
    ("largest", "classes", "names", "expected"),
    [
        (1, None, None, ("0", "1")),
        (0, 3, None, ("0", "1", "2")),
        (2, None, ["cat", "dog", "emu", "fox"], ("cat", "dog", "emu", "fox")),
        (1, 2, ("cat", "dog"), ("cat", "dog")),
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
