"""Settings of `ns_tf.inspect`: what is refused."""

import pytest

from ns_tf.base import InputError
from ns_tf.inspect.config import InspectConfig


@pytest.mark.parametrize(
    "options, told",
    [
        ({}, "--model=FILE.keras"),
        ({"model": "vgg11", "classes": 0}, "--classes"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        InspectConfig(**options)
