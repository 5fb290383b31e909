"""Checks of settings: each names the flag that it refuses."""

import dataclasses
import math

from ns_tf.base import InputError


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
