"""Flags of the data set: the same defaults as in Python."""

import dataclasses
import inspect

import pytest

from ns_tf.base import InputError
from ns_tf.condense.config import CondenseConfig
from ns_tf.data import sources
from ns_tf.data.arrays import from_arrays
from ns_tf.data.config import DataConfig, image_shape
from ns_tf.data.sources import Request
from ns_tf.inspect.config import InspectConfig
from ns_tf.measure.config import MeasureConfig


def defaults(function):
    """Parameter -> default of those that have one."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def test_flags_and_arguments_have_the_same_defaults():
    config, load = DataConfig(), defaults(sources.load)
    assert (config.data_dir, config.image_size) == (
        load["data_dir"],
        load["image_size"],
    )
    assert config.validation_fraction == load["validation_fraction"]
    assert config.split_seed == load["seed"]
    arrays = defaults(from_arrays)
    for name in ("image_size", "validation_fraction", "seed"):
        assert arrays[name] == load[name]
    assert load.pop("train_images") is config.train_images is None
    fields = {field.name: field.default for field in dataclasses.fields(Request)}
    assert {**fields, **load} == fields


def test_the_default_values_are_ones_that_load_takes():
    config = DataConfig()
    request = Request(
        config.dataset,
        image_size=config.image_size,
        validation_fraction=config.validation_fraction,
        seed=config.split_seed,
    )
    request.check()
    assert config.dataset in sources.SOURCES.names()


def test_where_a_set_lies_does_not_change_what_a_run_is():
    fields = {field.name: field for field in dataclasses.fields(DataConfig)}
    other = [n for n, f in fields.items() if not f.metadata["option"]["identity"]]
    assert other == ["data_dir"]


@pytest.mark.parametrize("kind", [InspectConfig, CondenseConfig, MeasureConfig])
def test_images_and_classes_of_an_architecture_are_the_same_everywhere(kind):
    fields = {field.name: field for field in dataclasses.fields(kind)}
    of = {name: fields[name].metadata["option"] for name in ("input_shape", "classes")}
    assert [one["most"] for one in of.values()] == [2**27, 100_000]
    given = {"model": "vgg11", **({"out": "a.keras"} if "out" in fields else {})}
    for name, value, told in (
        ("classes", 0, "--classes is a whole number of at least 1"),
        ("input_shape", (32, 0, 3), "--input_shape"),
    ):
        with pytest.raises(InputError, match=told):
            kind(**given, **{name: value})


def test_an_architecture_is_for_images():
    assert image_shape((7, 11, 2)) == (7, 11, 2)
    for wrong, told in (((32, 32), "got 32,32"), ((32, 2**15, 3), "none above 16384")):
        with pytest.raises(InputError, match=told):
            image_shape(wrong)
