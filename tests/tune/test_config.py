"""Settings of a tuning: what goes with what."""

import pytest

from ns_tf.base import InputError
from ns_tf.tune.config import TuneConfig

GOOD = (
    {},
    {"tuner": "bayesian", "random_trials": 1},
    {"tuner": "hyperband", "hyperband_factor": 2},
    {"tune": "search", "max_search_steps": 1},
    {"max_trials": 1, "workers": 1},
)
BAD = (
    ({"max_trials": 0}, "--max_trials"),
    ({"workers": -1}, "--workers"),
    ({"tuner": "hyperband", "hyperband_factor": 1}, "--hyperband_factor"),
    ({"tuner": "bayesian", "hyperband_factor": 3}, "goes with --tuner=hyperband"),
    ({"tuner": "bayesian", "random_trials": 0}, "at least 1; got 0"),
    ({"tuner": "random", "random_trials": 3}, "goes with --tuner=bayesian"),
    ({"tune": "search", "max_search_steps": 0}, "at least 1; got 0"),
    ({"tune": "network", "max_search_steps": 5}, "goes with --tune=search"),
)


@pytest.mark.parametrize("fields", GOOD)
def test_settings_that_go_together_are_kept_as_given(fields):
    config = TuneConfig(**fields)
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.parametrize("fields, text", BAD)
def test_settings_that_do_not_are_refused_in_one_line(fields, text):
    with pytest.raises(InputError) as error:
        TuneConfig(**fields)
    assert text in str(error.value) and "\n" not in str(error.value)
