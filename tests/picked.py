"""Parameters of which a quick run takes some: one for each path through the code."""

import itertools

import pytest


def picked(quick, *axes):
    """All combinations of values as parameters; slow ones unless they are quick.

    Args:
        quick: The combinations that are quick, or the values if there is one axis; or
            a function that says whether one is.
        *axes: Values of each argument.
    """
    chosen = quick if callable(quick) else quick.__contains__
    return [
        pytest.param(
            *values,
            marks=(
                []
                if chosen(values if len(axes) > 1 else values[0])
                else pytest.mark.slow
            ),
        )
        for values in itertools.product(*axes)
    ]
