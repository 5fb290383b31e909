"""Settings of how networks are computed."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.engine.config import LARGEST_SEED, ExecutionConfig, RuntimeConfig
from ns_tf.run.flagfile import own


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threads": -1}, "--threads is a whole number of at least 0; got -1"),
        ({"threads": 1.5}, "--threads is a whole number"),
        ({"checkpoint_seconds": -0.5}, "--checkpoint_seconds is a number of at least"),
        ({"checkpoint_seconds": float("nan")}, "--checkpoint_seconds is a number"),
        ({"seed": -3}, "--seed is a whole number of at least 0; got -3"),
        ({"seed": LARGEST_SEED + 1}, "--seed lies between 0 and 4294967295"),
        ({"seed": True}, "--seed is a whole number"),
        ({"worker": -1}, "--worker is a whole number of at least 0; got -1"),
        ({"workers_seconds": 0.0}, "--workers_seconds is a number above 0"),
        ({"workers_seconds": 1e12}, "--workers_seconds lies between 0 and 1000000"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused_by_name(settings, words):
    with pytest.raises(InputError, match=words):
        RuntimeConfig(**settings)


def test_the_seed_may_be_any_that_numpy_takes():
    assert RuntimeConfig(seed=LARGEST_SEED).seed == 2**32 - 1


def test_a_run_has_all_settings_of_an_execution_and_a_seed():
    names = {field.name for field in dataclasses.fields(RuntimeConfig)}
    parent = {field.name for field in dataclasses.fields(ExecutionConfig)}
    assert names - parent == {"seed"}
    assert {"workers_at", "worker", "workers_seconds"} < parent
    assert parent < names


def test_how_fast_where_and_how_often_saved_may_differ_when_a_run_goes_on():
    free = {
        field.name
        for field in dataclasses.fields(RuntimeConfig)
        if not field.metadata["option"]["identity"]
    }
    fast = {"jit_compile", "threads", "checkpoint_seconds"}
    workers = {"workers_at", "worker", "workers_seconds"}
    assert free == fast | workers
    assert own(RuntimeConfig) == free - {"jit_compile"}
