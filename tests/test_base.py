"""The values: what they hold, what they refuse, that they stay as they are."""

import dataclasses

import numpy as np
import pytest

from ns_tf.base import (
    Architecture,
    Cost,
    Curve,
    InputError,
    RunError,
    ScalingLaw,
    check_widths,
)


def build(widths, *, input_shape, classes):
    """Gives back what it was called with."""
    return widths, input_shape, classes


def failing(message):
    """A builder that Keras refuses, with its account of the call."""

    def build(widths, *, input_shape, classes):
        raise ValueError(message)

    return Architecture("two", (7, 11), build)


TWO = Architecture("two", (7, 11), build)


def test_an_architecture_is_built_at_its_default_widths_or_others():
    image = {"input_shape": [5, 6, 3], "classes": 2}
    assert TWO.build(**image) == ((7, 11), (5, 6, 3), 2)
    assert TWO.build((3, 5), **image) == ((3, 5), (5, 6, 3), 2)
    assert TWO.build(np.array([3, 5]), **image) == ((3, 5), (5, 6, 3), 2)


@pytest.mark.parametrize("classes", [0, -1, 2.0, "2", None])
def test_a_number_of_classes_is_whole_and_at_least_one(classes):
    with pytest.raises(InputError, match="number of classes from 1"):
        TWO.build(input_shape=(5, 6, 3), classes=classes)


def test_what_keras_refuses_is_one_line_with_image_and_remedy():
    message = (
        "Exception encountered when calling Conv2D.call().\n\n"
        "\x1b[1mComputed output size would be negative.\x1b[0m Received: [1]\n\n"
        "Arguments received by Conv2D.call():\n  • args=('<KerasTensor>',)"
    )
    with pytest.raises(InputError) as caught:
        failing(message).build(input_shape=(1, 2, 3), classes=5)
    assert str(caught.value) == (
        "two cannot be built for images of 1x2x3: Computed output size would be "
        "negative. Received: [1] Give larger images (--image_size) or another "
        "architecture."
    )


@pytest.mark.parametrize(
    "message, reason",
    [("", "ValueError"), ("Exception encountered when x", "Exception encountered")],
)
def test_an_error_without_a_reason_still_says_something(message, reason):
    with pytest.raises(InputError, match=f"1x2x3: {reason}"):
        failing(message).build(input_shape=(1, 2, 3), classes=5)


def test_errors_of_the_builder_for_the_user_pass_through():
    def build(widths, *, input_shape, classes):
        raise InputError("Expected even widths.")

    with pytest.raises(InputError, match="^Expected even widths.$"):
        Architecture("even", (2,), build).build(input_shape=(1, 1, 1), classes=1)


@pytest.mark.parametrize("widths", [(3, 5), [3, 5], np.array([3, 5]), iter((3, 5))])
def test_widths_become_plain_whole_numbers(widths):
    checked = check_widths(TWO, widths)
    assert checked == (3, 5)
    assert {type(width) for width in checked} == {int}


@pytest.mark.parametrize(
    "widths, told",
    [
        (5, "Expected a list of widths; got 5."),
        ((3,), "two has 2 widths; got 1: 3. Its default is 7,11."),
        ((3, 5, 7), "two has 2 widths; got 3: 3,5,7. Its default is 7,11."),
        ((3, 0), "whole numbers of at least 1; width 2 of two is 0."),
        ((-3, 5), "width 1 of two is -3."),
        ((3.0, 5), "width 1 of two is 3.0."),
        ((3, True), "width 2 of two is True."),
        (("3", 5), "width 1 of two is '3'."),
    ],
)
def test_widths_that_no_network_has_are_refused_by_place(widths, told):
    with pytest.raises(InputError) as caught:
        check_widths(TWO, widths)
    assert str(caught.value).endswith(told)


def test_a_law_gives_widths_for_one_size_or_for_many(rng):
    law = ScalingLaw(rng.uniform(0.1, 3, 5), rng.uniform(0.1, 1, 5))
    sizes = np.array([11.0, 1e4, 1e6])
    many = law.widths(sizes[:, None])
    assert many.shape == (3, 5)
    for tau, widths in zip(sizes, many, strict=True):
        expected = [a * tau**b for a, b in zip(law.alpha, law.beta, strict=True)]
        np.testing.assert_allclose(widths, expected, rtol=1e-12)
        np.testing.assert_array_equal(law.widths(tau), widths)


def test_curves_and_costs_are_called_as_functions():
    curve = Curve(lambda tau: np.array([tau, 2 * tau]))
    assert curve(3.0).tolist() == [3.0, 6.0]
    assert (curve.start, curve.tau_range, dict(curve.terms)) == (1.0, None, {})
    cost = Cost(lambda widths: widths.sum(axis=-1))
    assert cost(np.array([[2, 3], [5, 7]])).tolist() == [5, 12]
    assert (cost.measured, cost.estimate) == (False, None)


@pytest.mark.parametrize("value", [TWO, Curve(abs), Cost(abs), ScalingLaw(0, 0)])
def test_values_are_not_changed_but_replaced(value):
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
    assert getattr(dataclasses.replace(value, **{name: 3}), name) == 3


def test_errors_are_of_the_kinds_that_python_programs_expect():
    assert issubclass(InputError, ValueError)
    assert issubclass(RunError, RuntimeError)
