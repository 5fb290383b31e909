"""Checks of settings: what passes, and an error that names the flag."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.run.checks import (
    above_zero,
    at_least,
    at_least_if_set,
    check_fraction,
    check_whole,
    is_positive,
    within,
)


@dataclasses.dataclass(frozen=True)
class Config:
    """One whole number and one that is not."""

    steps: int = 7
    rate: float = 0.5


numbers = st.floats(allow_nan=False) | st.integers()


def passes(check, *arguments, **keywords) -> bool:
    """Whether a check lets it pass; errors are one line that names the flag."""
    try:
        check(*arguments, **keywords)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(("--", "Epochs"))
        return False
    return True


@given(value=numbers, least=st.integers(-3, 5))
def test_at_least_passes_finite_numbers_from_the_least_on(value, least):
    sound = math.isfinite(value) and value >= least
    assert passes(at_least, Config(rate=value), least, "rate") == sound
    assert passes(at_least, Config(steps=value), least, "steps") == (
        sound and isinstance(value, int)
    )


@given(value=numbers | st.none())
def test_what_is_not_set_passes(value):
    expected = value is None or passes(at_least, Config(rate=value), 2, "rate")
    assert passes(at_least_if_set, Config(rate=value), 2, "rate") == expected


@given(value=numbers)
def test_above_zero_passes_finite_positive_numbers(value):
    expected = math.isfinite(value) and value > 0
    assert passes(above_zero, Config(rate=value), "rate") == expected


@given(value=numbers, low=st.integers(-5, 0), high=st.integers(1, 5))
def test_within_passes_both_ends_and_what_lies_between(value, low, high):
    expected = low <= value <= high
    assert passes(within, Config(rate=value), low, high, "rate") == expected


@given(value=numbers, least=st.integers(-3, 5))
def test_check_whole_passes_whole_numbers_of_any_library(value, least):
    expected = isinstance(value, int) and value >= least
    assert passes(check_whole, "Epochs", value, at_least=least) == expected
    if isinstance(value, int) and abs(value) < 2**31:
        number = np.int64(value)
        assert passes(check_whole, "Epochs", number, at_least=least) == expected


@pytest.mark.parametrize("value", [True, "5", None, np.nan, np.inf])
def test_what_is_no_number_is_refused(value):
    assert not passes(at_least, Config(steps=value), 0, "steps")
    assert not passes(check_whole, "Epochs", value, at_least=0)
    if not isinstance(value, bool):
        assert not passes(at_least, Config(rate=value), 0, "rate")
        assert not passes(above_zero, Config(rate=value), "rate")


@pytest.mark.parametrize(
    "check, told",
    [
        (
            lambda c: at_least(c, 8, "steps"),
            "--steps is a whole number of at least 8; got 7.",
        ),
        (
            lambda c: at_least(c, 1, "steps", "rate"),
            "--rate is a number of at least 1; got 0.5.",
        ),
        (
            lambda c: above_zero(dataclasses.replace(c, rate=-2), "steps", "rate"),
            "--rate is a number above 0; got -2.",
        ),
        (
            lambda c: within(c, 1, 6, "steps"),
            "--steps lies between 1 and 6; got 7.",
        ),
    ],
)
def test_the_first_flag_that_fails_is_named_with_its_value(check, told):
    with pytest.raises(InputError) as caught:
        check(Config())
    assert str(caught.value) == told


@pytest.mark.parametrize("fraction", [1e-9, 0.5, np.float32(0.1), 0.999])
def test_shares_between_0_and_1_pass(fraction):
    assert check_fraction(fraction) is None


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan"), "0.1", None, [0.1]])
def test_other_shares_are_refused(fraction):
    with pytest.raises(InputError, match="--validation_fraction is a number between"):
        check_fraction(fraction)


@pytest.mark.parametrize("value", [3, 0.5, np.float32(2), np.int64(7), 1e-300])
def test_numbers_of_every_library_above_zero_are_positive(value):
    assert is_positive(value)


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, True, "3", None, 1j, [2]])
def test_nothing_else_is_positive(value):
    assert not is_positive(value)
