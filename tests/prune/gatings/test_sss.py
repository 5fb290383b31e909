"""Sparse Structure Selection: accelerated proximal steps."""

import numpy as np
import pytest

from ns_tf.prune import gatings
from ns_tf.prune.formulas import Now

SSS = gatings.get("sss").formulas


def steps(count, gradient, pull, rate, start=1.0):
    raw, slot = np.full(3, start), np.zeros(3)
    now = Now(*(np.full(3, x) for x in (gradient, pull, rate, 0.5)), 0.0)
    for _ in range(count):
        raw, slot = SSS.step(raw, slot, now)
    return raw


def test_two_steps_by_hand():
    assert steps(1, 0.2, 0.5, 0.1) == pytest.approx(0.867)
    assert steps(2, 0.2, 0.5, 0.1) == pytest.approx(0.6773)


def test_what_nothing_holds_comes_to_exactly_zero_and_stays():
    assert (steps(40, 0.0, 0.5, 0.1) == 0).all()
    assert (steps(90, 0.0, 0.5, 0.1) == 0).all()
    assert not SSS.alive(steps(40, 0.0, 0.5, 0.1)).any()


def test_without_pull_and_momentum_it_is_gradient_descent():
    raw, now = np.array([0.7, 0.9]), np.array([0.3, -0.2])
    plain = type("Plain", (type(SSS),), {"momentum": 0.0})()
    step = Now(now, np.zeros(2), np.full(2, 0.1), now, 0.0)
    found, _ = plain.step(raw, np.zeros(2), step)
    np.testing.assert_allclose(found, raw - 0.1 * now)


def test_a_curvature_above_the_pull_holds_a_scale():
    """L = H (1 - g)^2 / 2 has its optimum at 1 - pull / H."""
    raw, slot = np.ones(2), np.zeros(2)
    curvature, pull = np.array([4.0, 0.4]), np.ones(2)
    for _ in range(300):
        gradient = curvature * (raw - 1)
        now = Now(gradient, pull, np.full(2, 0.05), raw, 0.0)
        raw, slot = SSS.step(raw, slot, now)
    np.testing.assert_allclose(raw, [0.75, 0], atol=1e-6)
