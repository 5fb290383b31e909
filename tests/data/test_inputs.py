"""Inputs of any kind: what passes, what it is taken for, what is refused."""

import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.dataset import NUMBERS, PIXELS, TOKENS
from ns_tf.data.inputs import check_inputs, kind_of


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.uint8, np.uint8),
        (np.int64, np.int32),
        (bool, np.int32),
        (np.float64, np.float32),
        (np.float16, np.float32),
    ],
)
def test_types_are_those_of_a_network(dtype, expected):
    array = np.ones((3, 5), dtype)
    assert check_inputs("mine", array).dtype == expected


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5)), r"no examples.*\[0, 5\]"),
        (np.float64(1), r"no examples.*\[\]"),
        (np.array(["a", "b"]), "inputs are numbers; got <U1.*TextVectorization"),
        (np.array([[1.0], [np.inf]]), "example 1 has NaN or infinity"),
        (np.array([[1.0], [1e39]]), "example 1 .*beyond float32"),
    ],
)
def test_what_no_network_takes_is_refused(array, message):
    with pytest.raises(InputError, match=message) as caught:
        check_inputs("mine", np.asarray(array))
    in_one_line(caught)


@pytest.mark.parametrize(
    ("shape", "dtype", "low", "high", "kind"),
    [
        ((5, 7, 3), np.uint8, 0, 255, PIXELS),
        ((5, 7, 2), np.uint8, 0, 255, PIXELS),
        ((5, 7, 3), np.float32, 0, 1, PIXELS),
        ((5, 7, 2), np.float32, 0, 1, NUMBERS),
        ((5, 7, 3), np.float32, -1, 1, NUMBERS),
        ((5, 7, 3), np.float32, 0, 255, NUMBERS),
        ((5, 3), np.float32, 0, 1, NUMBERS),
        ((5, 3), np.int32, 0, 1, TOKENS),
    ],
)
def test_inputs_are_told_apart_by_type_shape_and_range(shape, dtype, low, high, kind):
    parts = [np.full((2, *shape), value, dtype) for value in (low, high)]
    assert kind_of(parts) == kind
