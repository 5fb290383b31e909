"""Hyperparameters: how they are named, drawn and told."""

import keras_tuner
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.prune.config import PruneConfig
from ns_tf.run.option import Kind
from ns_tf.train.config import TrainConfig
from ns_tf.tune import space as tune_space
from ns_tf.tune.space import Choices, Range, Space

KINDS = {
    "x": Kind(float),
    "n": Kind(int),
    "way": Kind(str, choices=("a", "b", "c")),
    "on": Kind(bool),
    "maybe": Kind(int, optional=True),
}


def test_texts_and_values_mean_the_same():
    texts = ["x=0.5..2", "n=3|5", "way=b", "on=true|false"]
    by_text = Space(tune_space.parse(texts), KINDS).members
    values = {"x": (0.5, 2), "n": [3, 5], "way": "b", "on": [True, False]}
    assert by_text == Space(values, KINDS).members
    assert by_text["x"] == Range(0.5, 2.0, whole=False)
    assert by_text["n"] == Choices((3, 5))


@given(
    st.floats(1e-6, 1e6),
    st.floats(1.001, 1e4),
    st.integers(0, 400),
    st.integers(1, 400),
    st.integers(0, 2**20),
)
def test_what_is_drawn_lies_in_the_range_and_survives_32_bits(
    low, factor, least, more, seed
):
    space = Space({"x": (low, low * factor), "n": (least, least + more)}, KINDS)
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    drawn = {one.name: one.random_sample(seed) for one in hp.space}
    values = space.tidy(drawn)
    assert low <= values["x"] <= low * factor
    assert values["x"] == pytest.approx(drawn["x"], rel=1e-3)
    assert values["n"] in range(least, least + more + 1)
    # As gRPC carries it to a worker.
    carried = {**values, "x": float(np.float32(values["x"]))}
    assert space.tidy(carried) == values


def test_wide_ranges_are_drawn_by_ratios():
    space = Space({"x": (0.001, 1.0), "n": (50, 60)}, KINDS)
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    sampling = {one.name: one.sampling for one in hp.space}
    assert sampling == {"x": "log", "n": "linear"}


def test_a_whole_number_one_above_the_range_is_the_largest():
    """keras-tuner makes it of the very end of a range that is drawn by ratios."""
    hp = keras_tuner.HyperParameters()
    space = Space({"n": (5, 40)}, KINDS)
    space.declare(hp)
    assert space.tidy({"n": hp.space[0].prob_to_value(1.0)}) == {"n": 40}


def test_choices_survive_32_bits():
    space = Space({"x": [0.1, 0.3]}, KINDS)
    assert space.tidy({"x": float(np.float32(0.3))}) == {"x": 0.3}


BAD = {
    "y=1": "Unknown hyperparameter 'y'",
    "xx=1": "Did you mean 'x'?",
    "x": "NAME=LOW..HIGH",
    "x=": "NAME=LOW..HIGH",
    "=3": "NAME=LOW..HIGH",
    "x=2..1": "from a smaller number to a larger one; got 2.0..1.0",
    "x=1..1": "from a smaller number",
    "x=nan..1": "from a smaller number",
    "x=0..inf": "from a smaller number",
    "x=a": "x=a: expected a number",
    "n=1.5..3": "whole number",
    "way=a..c": "from a smaller number",
    "way=d": "expected one of a, b, c",
    "n=3|3": "all different; got 3|3",
    "maybe=|3": "all different",
}


@pytest.mark.parametrize("text", BAD)
def test_what_makes_no_sense_is_refused(text):
    with pytest.raises(InputError) as refused:
        Space(tune_space.parse([text]), KINDS)
    assert BAD[text] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_given_twice_is_refused():
    with pytest.raises(InputError, match="given twice"):
        tune_space.parse(["x=1", "x=2"])


@pytest.mark.parametrize("value", [(1, 2, 3), [], object(), None, [None]])
def test_values_from_python_that_make_no_sense_are_refused(value):
    with pytest.raises(InputError, match="hyperparameter x|of the hyperparameter"):
        Space({"x": value}, KINDS)


def test_a_space_is_a_dictionary():
    for members in ([], 5, "x=1"):
        with pytest.raises(InputError, match="A space is a dictionary"):
            Space(members, KINDS)


def test_lists_are_no_hyperparameters():
    kinds = tune_space.scalar_options(TrainConfig, PruneConfig)
    assert "rate_drops" not in kinds
    assert {"rate", "batch", "augmentation", "steps_per_event"} <= set(kinds)
