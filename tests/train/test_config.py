"""The recipe of a training."""

import math

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.train.config import TrainConfig


def rates(config, steps_per_epoch=7):
    """The rate of every step."""
    steps = range(config.epochs * steps_per_epoch)
    return np.array([config.rate_at(step, steps_per_epoch) for step in steps])


def test_the_rate_is_the_papers_by_default():
    epochs = rates(TrainConfig(), 3)[::3]
    expected = np.repeat([0.1, 0.01, 0.001, 0.0001], [100, 100, 50, 50])
    np.testing.assert_allclose(epochs, expected, rtol=1e-12)


def test_steps_divide_the_rate_at_whole_epochs():
    config = TrainConfig(epochs=5, rate=0.5, rate_drops=(2, 3), rate_divisor=4.0)
    expected = np.repeat([0.5, 0.5, 0.125, 0.03125, 0.03125], 7)
    np.testing.assert_allclose(rates(config), expected, rtol=1e-12)


def test_a_cosine_falls_from_the_rate_to_nothing_evenly():
    config = TrainConfig(epochs=11, schedule="cosine", rate=0.25)
    found = rates(config)
    share = np.arange(77) / 77
    np.testing.assert_allclose(found, 0.125 * (1 + np.cos(math.pi * share)))
    assert (np.diff(found) < 0).all() and found[-1] > 0


@pytest.mark.parametrize("schedule", ["step", "cosine", "constant"])
def test_the_rate_rises_to_its_full_height_over_the_warm_up(schedule):
    config = TrainConfig(epochs=9, schedule=schedule, warmup_epochs=2, rate=0.5)
    found = rates(config)
    np.testing.assert_allclose(found[:14], 0.5 * np.arange(1, 15) / 14)
    assert found[14] == 0.5
    assert found.max() == 0.5


def test_a_constant_rate_stays():
    assert set(rates(TrainConfig(epochs=3, schedule="constant", rate=0.3))) == {0.3}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "--epochs is a whole number of at least 1; got 0"),
        ({"batch": 1.5}, "--batch is a whole number"),
        ({"rate": 0.0}, "--rate is a number above 0; got 0"),
        ({"rate": math.inf}, "--rate is a number above 0; got inf"),
        ({"rate_divisor": 0.5}, "--rate_divisor is a number of at least 1"),
        ({"rate_drops": (100, 0)}, "--rate_drops are epochs from 1; got"),
        ({"momentum": 1.5}, "--momentum lies between 0 and 1; got 1.5"),
        ({"weight_decay": -0.1}, "--weight_decay is a number of at least 0"),
        ({"warmup_epochs": -1}, "--warmup_epochs is a whole number of at least 0"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_by_name(settings, words):
    with pytest.raises(InputError, match=words):
        TrainConfig(**settings)
