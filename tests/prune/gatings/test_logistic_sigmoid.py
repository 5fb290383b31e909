"""Gates drawn by logits (FiGS)."""

import numpy as np
import pytest
from trained import learned_with

from ns_tf.prune import gatings
from ns_tf.prune.formulas import Now
from ns_tf.prune.gatings.logistic_sigmoid import noise, sigmoid, temperature

FORMULAS = gatings.get("logistic_sigmoid").formulas


def test_a_draw_by_hand():
    assert noise(np.array([0.3]))[0] == pytest.approx(-0.847298, abs=1e-6)
    gate = FORMULAS.value(np.array([2.5]), np.array([0.3]), 0.0)
    assert gate[0] == pytest.approx(0.964614, abs=1e-6)
    assert sigmoid(np.array([2.5]))[0] == pytest.approx(0.924142, abs=1e-6)


def test_the_step_goes_by_the_derivative_of_the_gate(rng):
    """Against a difference of 1e-6, of gradient and pull together."""
    raw, draw = rng.normal(size=7), rng.uniform(0.1, 0.9, 7)
    gradient, pull = rng.normal(size=(2, 7))
    now = Now(gradient, pull, np.full(7, 0.1), draw, 0.3)
    found, velocity = FORMULAS.step(raw, np.zeros(7), now)
    more, less = (FORMULAS.value(raw + e, draw, 0.3) for e in (1e-6, -1e-6))
    slope = (gradient + pull) * (more - less) / 2e-6
    np.testing.assert_allclose(velocity, slope, rtol=1e-6)
    np.testing.assert_allclose(found, raw - 0.1 * velocity)


def test_gates_of_inference_lie_from_0_to_below_1(rng):
    gates = FORMULAS.final(rng.normal(0, 9, 1000))
    assert (gates >= 0).all() and (gates < 1).all()
    assert ((gates == 0) | (gates > 0.5)).all()
    assert temperature(0) == 0.5 and temperature(1) == pytest.approx(0.05)
    far = FORMULAS.value(np.array([-900.0, 900.0]), np.full(2, 0.5), 1.0)
    assert far.tolist() == [0, 1]


@pytest.mark.slow
def test_logits_fall_by_strength():
    means = []
    for strength in (0, 0.1):
        gates = learned_with("logistic_sigmoid", strength).gates
        means.append(gates.scores()[~gates.sites.graph.frozen].mean())
    assert means[1] < means[0] - 0.1
