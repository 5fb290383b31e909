"""Methods, budgets and seeds of a comparison from Python, as its flags have them."""

import numbers
from collections.abc import Sequence
from typing import Any

from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.run.option import Kind

_MOST = 1000  # Trainings a cell; a larger number was meant for a seed.


def methods_of(methods: str | Sequence[str]) -> tuple[str, ...]:
    """The methods, of a text with commas as well.

    >>> methods_of("uniform, neuralscale@1"), methods_of(["uniform"])
    (('uniform', 'neuralscale@1'), ('uniform',))

    Raises:
        InputError: they are neither text nor several texts.
    """
    if isinstance(methods, str):
        return Kind(str, many=True).parse(methods)
    several = _several(methods)
    if several is None or not all(isinstance(one, str) for one in several):
        raise InputError(f"methods are names, as ('uniform',); got {methods!r}.")
    return tuple(map(str, several))


def seeds_of(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds: those that are given, or so many from 0.

    >>> seeds_of(3), seeds_of([5, 7])
    ((0, 1, 2), (5, 7))

    Raises:
        InputError: they are neither a whole number nor several.
    """

    def whole(value):
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)

    if whole(seeds) and seeds > _MOST:
        raise InputError(
            f"seeds={seeds} is that many trainings a cell, and {_MOST} are the most; "
            f"for one of this seed give seeds=[{seeds}]."
        )
    several = _several(range(int(seeds)) if whole(seeds) else seeds)
    if several is None or not all(map(whole, several)):
        raise InputError(
            "seeds is how many trainings a cell has, a whole number, or a list of "
            f"their seeds; got {seeds!r}."
        )
    return tuple(map(int, several))


def budget_texts(options: dict[str, Any]) -> list[str]:
    """Takes the budgets out of the options, as `--budgets` has them.

    >>> budget_texts({"ratio": [0.25, 0.5], "params": 600_000, "epochs": 3})
    ['params=600000', 'ratio=0.25', 'ratio=0.5']

    Raises:
        InputError: one is no number.
    """
    texts = []
    for name in [*BUDGETS.names(), "ratio"]:
        values = options.pop(name, ())
        several = _several(values)
        for value in (values,) if several is None else several:
            if not isinstance(value, numbers.Real):
                raise InputError(
                    f"{name} is a number or a list of numbers; got {value!r}."
                )
            texts.append(f"{name}={_exactly(value)}")
    return texts


def _exactly(value: numbers.Real) -> str:
    """A number as text that is read as this number, short where that is exact.

    >>> _exactly(5e7), _exactly(12345678901), _exactly(0.1 + 0.2), _exactly(5e10)
    ('50000000', '12345678901', '0.30000000000000004', '5e10')
    """
    value = int(value) if isinstance(value, numbers.Integral) else float(value)
    text = f"{value:.10g}"
    text = text if float(text) == value else repr(value)
    return text.replace("e+", "e")  # In `--budgets` a plus joins budgets.


def _several(values: Any) -> tuple[Any, ...] | None:
    """The values of a sequence; None for what is none, and for text."""
    if isinstance(values, (str, bytes)):
        return None
    try:
        return tuple(values)
    except TypeError:
        return None
