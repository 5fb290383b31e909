"""Checks of settings: each raises an error that names the flag.

Config dataclasses call them in `__post_init__`, so a wrong setting is refused before
anything begins, from the command line and from Python alike.
"""

import dataclasses
import math
import numbers
import typing
from typing import Any

import numpy as np

from ns_tf.base import InputError

LARGEST_RATIO = 100  # Of a width to its default; larger ones are typing errors.


def at_least(config: Any, least: float, *names: str) -> None:
    """Checks that fields are finite numbers of at least `least`.

    A field that is declared as int has to be a whole number.

    Args:
        config: A config dataclass.
        least: The least value allowed.
        *names: Of the fields.

    Raises:
        InputError: for the first field that is not; names its flag.
    """
    whole = {
        field.name
        for field in dataclasses.fields(config)
        if int in (field.type, *typing.get_args(field.type))
    }
    for name in names:
        value = getattr(config, name)
        kinds = int if name in whole else (int, float)
        what = "whole number" if name in whole else "number"
        sound = isinstance(value, kinds) and not isinstance(value, bool)
        if not sound or not least <= value < math.inf:
            raise InputError(
                f"--{name} is a {what} of at least {least}; got {value!r}."
            )


def at_least_if_set(config: Any, least: float, *names: str) -> None:
    """As `at_least`; fields that are None, which are not set, pass.

    Args:
        config: A config dataclass.
        least: The least value allowed.
        *names: Of the fields.

    Raises:
        InputError: for the first field that is not; names its flag.
    """
    at_least(config, least, *(n for n in names if getattr(config, n) is not None))


def above_zero(config: Any, *names: str) -> None:
    """Checks that fields are finite numbers above 0.

    Args:
        config: A config dataclass.
        *names: Of the fields.

    Raises:
        InputError: for the first field that is not; names its flag.
    """
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise InputError(f"--{name} is a number above 0; got {value}.")


def within(config: Any, low: float, high: float, *names: str) -> None:
    """Checks that low <= value <= high for fields.

    Args:
        config: A config dataclass.
        low: The least value allowed.
        high: The largest value allowed.
        *names: Of the fields.

    Raises:
        InputError: for the first field that does not; names its flag.
    """
    for name in names:
        value = getattr(config, name)
        if not low <= value <= high:
            raise InputError(f"--{name} lies between {low} and {high}; got {value}.")


def check_fraction(fraction: Any) -> None:
    """Passes a share of images that is above 0 and below 1.

    >>> check_fraction(0.25)

    Args:
        fraction: Of `--validation_fraction`.

    Raises:
        InputError: for anything else.
    """
    number = isinstance(fraction, (int, float, np.number))
    if not number or not 0 < fraction < 1:
        raise InputError(
            "--validation_fraction is a number between 0 and 1, without them; got "
            f"{fraction!r}."
        )


def check_whole(what: str, value: object, *, at_least: int) -> None:
    """Checks that a value is a whole number of at least `at_least`, and no bool.

    >>> check_whole("The number of classes", 10, at_least=2)

    Args:
        what: What the value is, as the error begins.
        value: Of Python or of NumPy.
        at_least: The least value allowed.

    Raises:
        InputError: if it is not.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < at_least:
        raise InputError(
            f"{what} is a whole number of at least {at_least}; got {value!r}."
        )


def is_positive(value: object) -> bool:
    """Whether it is a positive, finite number of any library, and no bool.

    >>> [is_positive(value) for value in (0.25, 3, 0, float("inf"), True, "1")]
    [True, True, False, False, False, False]
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0
