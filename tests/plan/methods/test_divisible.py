"""Uniform widths by MobileNet's rule: its published multipliers, and its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import network_of

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.methods.divisible import make_divisible
from ns_tf.plan.targets import solve

# Of MobileNetV2's stages at a multiplier, as its builders make them.
PUBLISHED = {
    0.35: (16, 8, 8, 16, 24, 32, 56, 112),
    0.5: (16, 8, 16, 16, 32, 48, 80, 160),
    0.75: (24, 16, 24, 24, 48, 72, 120, 240),
    1.4: (48, 24, 32, 48, 88, 136, 224, 448),
}
STAGES = (32, 16, 24, 32, 64, 96, 160, 320)


@pytest.mark.parametrize("multiplier, widths", PUBLISHED.items())
def test_the_multipliers_of_mobilenet_have_their_published_widths(multiplier, widths):
    assert tuple(make_divisible(multiplier * np.array(STAGES))) == widths


@given(st.floats(0.01, 1e5))
def test_no_width_is_below_a_tenth_less_and_all_are_multiples(width):
    rounded = float(make_divisible(np.array([width]))[0])
    assert rounded % 8 == 0 and 0.9 * width <= rounded < width + 8


@pytest.mark.parametrize("multiplier", [0.35, 0.5, 0.75, 1.4])
def test_a_plan_of_a_multipliers_cost_has_its_widths(multiplier):
    _, plain = network_of("mobilenet_v2")
    widths = make_divisible(multiplier * np.array(plain.default_widths)).astype(int)
    target = float(plain.costs["params"](widths))
    curve = methods.curve(plain, "divisible")
    found = solve(plain, curve, {"params": target}, round_to=8)
    assert found.widths == tuple(widths) and found.costs["params"] == target


def test_where_no_multiples_of_8_fit_the_error_says_what_helps():
    _, plain = network_of("vgg11")
    least = int(plain.costs["params"](np.full(len(plain.names), 8)))
    curve = methods.curve(plain, "divisible")
    with pytest.raises(InputError, match=f"8,8.* has params={least:,}. Ask for more"):
        solve(plain, curve, {"params": least - 1})
    assert set(solve(plain, curve, {"params": least}).widths) == {8}
