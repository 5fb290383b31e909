"""Flags of `python -m ns_tf.condense`."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.condense.config import REDUCED, CondenseConfig
from ns_tf.engine.config import LARGEST_SEED
from ns_tf.networks.layers.sampling import SAMPLINGS

NAMED = {"model": "vgg11", "out": "small.keras"}


def test_flags_of_budgets_are_those_that_epitomes_reduce():
    config = CondenseConfig(**NAMED, params=0.5, macs=1e6)
    assert config.targets == {"params": 0.5, "macs": 1e6}
    names = {field.name for field in dataclasses.fields(CondenseConfig)}
    assert names & set(BUDGETS.names()) == set(REDUCED)


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
        ({"seed": LARGEST_SEED + 1}, f"--seed lies between 0 and {LARGEST_SEED}"),
    ],
)
def test_what_cannot_be_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        CondenseConfig(**{**NAMED, **options})
