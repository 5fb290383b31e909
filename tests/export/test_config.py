"""Settings of an export."""

import pytest

from ns_tf.base import InputError
from ns_tf.export.config import ExportConfig


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"format": ("keras", "onnx")},
        {"name": "a-b_c.1+2"},
        {"version": 1, "int8_points": 0.0},
        {"check_images": 1, "calibration_images": 1},
    ],
)
def test_settings_are_kept_as_given(fields):
    config = ExportConfig(**fields)
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"format": ()}, "--format is one or more, all different; got none."),
        ({"format": ("keras", "keras")}, "all different; got keras,keras"),
        ({"name": "../x"}, "--name"),
        ({"name": ""}, "--name"),
        ({"version": 0}, "--version is a number from 1; got 0."),
        ({"check_images": 0}, "--check_images"),
        ({"calibration_images": 0}, "--calibration_images"),
        ({"int8_points": -0.5}, "--int8_points"),
        ({"model": "a.keras", "training": "b"}, "--training is one of --run_dir"),
        ({"resize": True, "format": ("keras",)}, "--resize is of --format=saved_model"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(fields, text):
    with pytest.raises(InputError) as error:
        ExportConfig(**fields)
    assert text in str(error.value) and "\n" not in str(error.value)
