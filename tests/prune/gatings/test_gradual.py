"""Gradual magnitude pruning: how many weights are gone when."""

import numpy as np
import pytest
from trained import learned, pruner

from ns_tf.base import InputError
from ns_tf.prune import gatings
from ns_tf.prune.formulas import ScheduledGates
from ns_tf.prune.gatings import GATINGS, gating

FORMULAS = gatings.get("gradual").formulas


def test_the_share_of_zeros_follows_the_cube_of_what_is_left_of_the_ramp():
    """s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, of 0 to 0.875 in 7 steps."""
    first, last, begin, count, each = 0.0, 0.875, 30, 7, 10
    for step in range(begin, begin + count * each + 1, each):
        share = last + (first - last) * (1 - (step - begin) / (count * each)) ** 3
        found = last * FORMULAS.gone((step - begin) / (count * each))
        assert found == pytest.approx(share, abs=1e-15)
    falls = np.diff([FORMULAS.gone(t) for t in np.linspace(0, 1, 12)])
    assert (falls > 0).all() and (np.diff(falls) < 0).all(), "fast first, then slowly"
    assert FORMULAS.gone(0.0) == 0 and FORMULAS.gone(1.0) == 1


@pytest.mark.parametrize(
    "options, told",
    [
        ({"strength": 0.5}, "gradual has a schedule and no pull: leave --strength=0.5"),
        ({"rounds": 2}, "--rounds"),
    ],
)
def test_what_a_schedule_has_no_use_for_is_refused(options, told):
    model, problem = learned()
    asked = {"method": "gradual", "level": "weight", "nonzero": 0.1, **options}
    with pytest.raises(InputError, match=told):
        pruner(model, problem.dataset, **asked).check()


def test_a_schedule_is_of_single_weights(monkeypatch):
    monkeypatch.setattr(GATINGS, "_members", dict(GATINGS._members))
    gating("sudden", help="All at once.")(ScheduledGates)
    model, problem = learned()
    with pytest.raises(InputError, match="sudden has a schedule of single weights"):
        pruner(model, problem.dataset, method="sudden", macs=0.5).check()
