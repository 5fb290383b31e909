"""How strengths are asked for."""

import pytest

from ns_tf.base import InputError
from ns_tf.prune.strength import AUTO, strength_of, strength_text


@pytest.mark.parametrize("value", [AUTO, 0, "0", 1e-4, "1e-4", 3.5])
def test_a_strength_is_auto_or_a_number(value):
    text = strength_text(value)
    assert text == (AUTO if value == AUTO else repr(float(value)))
    assert strength_of(text) == (None if value == AUTO else float(value))


@pytest.mark.parametrize("value", ["much", -1, "inf", None, float("nan")])
def test_others_are_refused(value):
    with pytest.raises(InputError, match="--strength is auto or a number of at least"):
        strength_text(value)
