"""Checks of settings: each names the flag that it refuses."""

import dataclasses
import math

import numpy as np

from ns_tf.base import InputError

LARGEST_RATIO = 100  # No network of the field is wider; a slip of the finger is.


def at_least(config, least: float, *names: str) -> None:
    """Checks that these fields are finite, no smaller than `least`, whole if declared.

    Raises:
        InputError: naming the flag.
    """
    whole = {field.name for field in dataclasses.fields(config) if field.type is int}
    for name in names:
        value = getattr(config, name)
        kinds = int if name in whole else (int, float)
        what = "whole number" if name in whole else "number"
        sound = isinstance(value, kinds) and not isinstance(value, bool)
        if not sound or not least <= value < math.inf:
            raise InputError(
                f"--{name} is a {what} of at least {least}; got {value!r}."
            )


def above_zero(config, *names: str) -> None:
    """Checks that these fields are finite and above 0.

    Raises:
        InputError: naming the flag.
    """
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise InputError(f"--{name} is a number above 0; got {value}.")


def within(config, low: float, high: float, *names: str) -> None:
    """Checks that these fields lie between `low` and `high`.

    Raises:
        InputError: naming the flag.
    """
    for name in names:
        value = getattr(config, name)
        if not low <= value <= high:
            raise InputError(f"--{name} lies between {low} and {high}; got {value}.")


def check_whole(what: str, value, *, at_least: int) -> None:
    """Passes whole numbers from `at_least` on.

    Raises:
        InputError: for anything else.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < at_least:
        raise InputError(
            f"{what} is a whole number of at least {at_least}; got {value!r}."
        )
