"""Settings of a measurement: what cannot be is refused, by its flag."""

import pytest

from ns_tf.base import InputError
from ns_tf.measure.config import MeasureConfig


@pytest.mark.parametrize(
    "options, told",
    [
        ({}, "either --run_dir of a search, or --model"),
        ({"model": "vgg11", "run_dir": "runs/a"}, "either --run_dir"),
        ({"model": "a", "write_models": "b", "import_": "c"}, "one of them"),
        ({"run_dir": "runs/a", "input_shape": (7, 5, 3)}, "a search has its own"),
        ({"model": "a", "points": 1}, "--points is a whole number of at least 2"),
        ({"model": "a", "threads": 0}, "--threads"),
        ({"model": "a", "up_to": 0}, "--up_to is a number above 0"),
        ({"model": "a", "up_to": 101}, "--up_to lies between 0 and 100; got 101"),
        ({"run_dir": "runs/a", "classes": 7}, "--classes are of --model"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        MeasureConfig(**options)
