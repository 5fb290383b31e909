"""Flags of `python -m ns_tf.condense`."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.condense.config import CondenseConfig, exact_budgets
from ns_tf.networks.layers.sampling import SAMPLINGS

NAMED = {"model": "vgg11", "out": "small.keras"}


def test_every_exact_budget_is_a_flag():
    config = CondenseConfig(**NAMED, params=0.5, macs=1e6)
    assert config.targets == {"params": 0.5, "macs": 1e6}
    assert "params" in exact_budgets() and "latency_ms" not in exact_budgets()


def test_every_sampling_is_a_choice():
    fields = {field.name: field for field in dataclasses.fields(CondenseConfig)}
    assert set(fields["sampling"].metadata["option"]["choices"]) == set(SAMPLINGS)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"model": ""}, "--model=mine.keras"),
        ({"out": ""}, "--out=small.keras"),
        ({"out": "small.h5"}, "--out=small.keras"),
        ({"front": 0.0}, "--front"),
        ({"classes": 0}, "--classes"),
    ],
)
def test_what_cannot_be_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        CondenseConfig(**{**NAMED, **options})
