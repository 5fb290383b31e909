"""Inputs and targets by name, by place, or one array."""

import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.structure import arrays_in, count_in, names_in, reordered
from ns_tf.parts import Parts

ONE, OTHER = np.zeros((5, 3)), np.ones((5, 2))


@pytest.mark.parametrize(
    "given", [(ONE, OTHER), [ONE, OTHER], {"one": ONE, "other": OTHER}]
)
def test_several_arrays_are_found_however_they_are_given(given):
    found = arrays_in(given, 5)
    assert isinstance(found, Parts) and isinstance(arrays_in(given), Parts)
    assert found[0] is ONE and found[1] is OTHER


@pytest.mark.parametrize(
    "given", [ONE, (ONE,), {"one": ONE}, ONE.tolist(), list(ONE), [np.float32(3)] * 5]
)
def test_one_array_is_one_array_and_a_list_of_examples_is_no_list_of_inputs(given):
    for count in (None, 5):
        found = arrays_in(given, count)
        assert not isinstance(found, Parts) and len(found) == 5 and not names_in(given)


def test_a_list_is_read_by_the_number_of_examples():
    same = [np.zeros((2, 3)), np.ones((2, 3))]
    assert isinstance(arrays_in([*same, same[0]], 2), Parts)
    assert arrays_in(same, 2).shape == (2, 2, 3), "two examples"
    assert [count_in(one) for one in (ONE, (ONE, 3), {"a": ONE}, [3, 5])] == [
        5,
        5,
        5,
        None,
    ]


def test_parts_by_name_get_the_order_that_is_wanted():
    both = Parts((2, 3))
    assert reordered("x", both, ("b", "a"), ("a", "b")) == (3, 2)
    assert reordered("x", both, (), ("a", "b")) is both
    assert reordered("x", both, ("b", "a"), ()) is both
    for names in (("b", "c"), ("a",), ("a", "b", "c")):
        with pytest.raises(InputError, match="x takes a, b; got") as caught:
            reordered("x", Parts(range(len(names))), names, ("a", "b"))
        in_one_line(caught)
