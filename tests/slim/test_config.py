"""Which networks a supernet holds, and what may learn together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.slim.config import SupernetConfig


@given(
    st.lists(st.floats(0.05, 0.99), max_size=4, unique_by=lambda s: f"{s:g}"),
    st.sampled_from(["all", "sandwich"]),
    st.integers(2, 6),
)
def test_both_ends_of_the_range_learn_at_every_step(others, rule, members):
    config = SupernetConfig(
        shares=(*others, 1.0), norms="shared", rule=rule, members=members
    )
    drawn, slots = config.drawn, config.slots
    assert drawn == tuple(sorted(drawn, reverse=True)) and set(config.shares) <= {
        *drawn
    }
    assert slots[0] == (0,) and drawn[0] == 1.0
    assert (len(drawn) - 1,) in slots and drawn[-1] == min(config.shares)
    if rule == "all":
        assert slots == tuple((place,) for place in range(len(config.shares)))
    elif others:
        assert len(slots) == members
        assert all(slot == tuple(range(1, len(drawn) - 1)) for slot in slots[2:])


def test_the_sandwich_rule_has_six_networks_more_than_shares():
    assert len(SupernetConfig(norms="shared").drawn) == 10
    assert len(SupernetConfig(norms="shared", shares=(0.25, 1.0)).drawn) == 8


def test_a_share_that_the_rule_draws_has_no_name_of_another():
    grid = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    config = SupernetConfig(shares=(0.3, 0.60000001, 1.0), norms="shared")
    assert [f"{share:g}" for share in config.drawn[::-1]] == [*map("{:g}".format, grid)]


@pytest.mark.parametrize(
    "options, told",
    [
        ({"shares": (0.5,)}, "1 among them"),
        ({"shares": (1.0, 1.0)}, "different"),
        ({"shares": (1.5, 1.0)}, "above 0"),
        ({"shares": (1 / 3, 0.33333333, 1.0)}, "six digits.*0.33333333,1.0"),
        ({"members": 1}, "--members"),
        ({"calibration_images": 0}, "--calibration_images"),
        ({"rule": "sandwich"}, "--norms=shared"),
    ],
)
def test_what_cannot_be_is_refused_with_its_flag(options, told):
    with pytest.raises(InputError, match=told):
        SupernetConfig(**options)
