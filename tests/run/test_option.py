"""Options: text to value and back, exactly, for every type that a flag can have."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from options import Every, Other, one_option, part, whole

from ns_tf.base import InputError
from ns_tf.run.option import Kind, made, option, options

# Kinds with values of them; text is what a list separated by commas can hold.
ITEMS = {int: whole, float: st.floats(), bool: st.booleans(), str: part}
KINDS = st.one_of(
    *[st.tuples(st.just(Kind(item)), values) for item, values in ITEMS.items()],
    *[
        st.tuples(st.just(Kind(item, optional=True)), st.none() | ITEMS[item])
        for item in (int, float, str)
    ],
    *[
        st.tuples(st.just(Kind(item, many=True)), st.lists(ITEMS[item]).map(tuple))
        for item in (int, float, str)
    ],
)


@given(KINDS)
def test_a_value_is_read_back_from_its_text(pair):
    kind, value = pair
    # repr: nan is not nan, and -0.0 is 0.0.
    assert repr(kind.parse(kind.text(value))) == repr(value)


@pytest.mark.parametrize(
    "kind, value, exact",
    [
        (Kind(int), True, 1),
        (Kind(float), 3, 3.0),
        (Kind(int, many=True), [2, 3], (2, 3)),
        (Kind(float, many=True), (1, 2.5), (1.0, 2.5)),
        (Kind(int, optional=True), None, None),
    ],
)
def test_values_become_exactly_of_the_type(kind, value, exact):
    assert repr(kind.coerce(value)) == repr(exact)


@pytest.mark.parametrize("value, text", [(3, "3.0"), (0.50, "0.5"), ("auto", "auto")])
def test_text_or_a_number_is_text(value, text):
    kind = Kind(str, numbers=True)
    assert kind.given(value) == kind.given(np.array([value])[0]) == text
    for wrong in (True, None, [0.5]):
        with pytest.raises(ValueError, match="text or a number"):
            kind.given(wrong)
    with pytest.raises(ValueError, match="expected text"):
        Kind(str).given(0.5)


@pytest.mark.parametrize("value", [1.5, "7", None])
def test_whole_numbers_are_not_made_of_anything_else(value):
    with pytest.raises(TypeError):
        Kind(int).coerce(value)


@pytest.mark.parametrize(
    "kind, value",
    [
        (Kind(str, many=True), ("a,b",)),
        (Kind(str, many=True), (" a",)),
        (Kind(str, many=True), ("",)),
        (Kind(str, optional=True), ""),
        (Kind(str, choices=("a", "b")), "c"),
    ],
)
def test_values_that_no_text_means_are_refused(kind, value):
    with pytest.raises(ValueError):
        kind.text(value)


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (Kind(int), "2.5", "expected a whole number."),
        (Kind(float, many=True), "1,x", "a number or several, separated by commas."),
        (Kind(int), "2147483648", "of at most 2147483647."),
        (Kind(int, many=True, most=7), "3,-8", "of at most 7."),
        (Kind(str), "\udcff", "text in UTF-8."),
        (Kind(str, choices=("a", "b")), "c", "expected one of a, b."),
        (Kind(str, many=True, choices=("a", "b")), "a,c", "expected one of a, b."),
    ],
)
def test_text_that_means_no_value_is_refused_with_what_was_expected(
    kind, text, expected
):
    with pytest.raises(ValueError, match=expected):
        kind.parse(text)


@pytest.mark.parametrize(
    "kind, value, exact",
    [
        (Kind(int), np.int64(3), 3),
        (Kind(float), np.float32(0.5), 0.5),
        (Kind(int, many=True), range(2), (0, 1)),
        (Kind(str), Path("a"), "a"),
        (Kind(bool), np.bool_(True), True),
        (Kind(float, optional=True), None, None),
    ],
)
def test_values_of_python_become_exactly_of_the_type(kind, value, exact):
    assert repr(kind.given(value)) == repr(exact)


@pytest.mark.parametrize(
    "kind, value",
    [
        (Kind(int), 2.0),
        (Kind(int), "2"),
        (Kind(int), True),
        (Kind(int), 2**31),
        (Kind(int), None),
        (Kind(float), "0.5"),
        (Kind(float), np.ones(2)),
        (Kind(str), 5),
        (Kind(str), b"a"),
        (Kind(bool), 1),
        (Kind(int, many=True), 3),
        (Kind(int, many=True), "3,5"),
        (Kind(int, many=True), [2.5]),
        (Kind(str, choices=("a", "b")), "c"),
    ],
)
def test_values_of_python_of_another_type_are_refused(kind, value):
    field = option(None, "Help.", choices=kind.choices)
    annotation = tuple[kind.item, ...] if kind.many else kind.item
    config = dataclasses.make_dataclass("One", [("x", annotation, field)], frozen=True)
    with pytest.raises(ValueError, match="expected"):
        kind.given(value)
    with pytest.raises(InputError, match="^x: expected .*; got .*[.]$"):
        made(config, {"x": value})


def test_options_are_the_fields_in_order_with_their_kinds():
    fields, kinds = zip(*options(Every), strict=True)
    assert [field.name for field in fields] == list(Every.__dataclass_fields__)
    assert kinds[:3] == (Kind(int), Kind(float), Kind(str, choices=("taylor", "l1")))
    assert kinds[5:7] == (Kind(int, optional=True), Kind(float, optional=True))
    assert kinds[8:10] == (Kind(int, many=True), Kind(float, many=True))


def test_an_option_is_a_field_that_knows_its_help():
    about = options(Other)[1][0].metadata["option"]
    assert (about["help"], about["identity"]) == ("Threads.", False)
    assert about["choices"] is None and not about["inherited"]
    assert not about["own"]
    assert Other(threads=3) == dataclasses.replace(Other(), threads=3)
    assert option(5, "Help.").default == 5


@pytest.mark.parametrize(
    "annotation", [dict, bool | None, tuple[int, int], int | str, tuple[bool, ...]]
)
def test_types_that_no_flag_can_have_are_refused(annotation):
    with pytest.raises(ValueError, match=r"Option One\.x is .*; flags are int, float"):
        options(one_option(annotation, None))


def test_a_plain_field_is_refused():
    plain = dataclasses.make_dataclass("Plain", [("x", int, 1)])
    with pytest.raises(ValueError, match="Plain.x is no option"):
        options(plain)
