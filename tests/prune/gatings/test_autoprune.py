"""AutoPrune: binary gates that come back."""

import numpy as np
import pytest
from trained import learned, pruner

from ns_tf.prune import gatings
from ns_tf.prune.formulas import Now
from ns_tf.prune.gatings.autoprune import slope

FORMULAS = gatings.get("autoprune").formulas


def moved(raw, gradient, pull, steps=1, square=1.0):
    raw, slot = np.array(raw, float), np.full(len(raw), square)
    for _ in range(steps):
        u = gradient(raw) if callable(gradient) else np.array(gradient)
        now = Now(u, np.full(len(raw), pull), raw, raw, 0.0)
        raw, slot = FORMULAS.step(raw, slot, now)
    return raw


def test_a_step_is_the_sum_of_gradient_and_pull_over_its_usual_size():
    """Of the sheet's numbers: (0.1, -0.3) + 0.05; plain steps of 0.1 would give these.

    m = 0.02 - 0.1 (0.1 + 0.05) = 0.005, and 0.045.
    """
    u = np.array([0.15, -0.25])
    np.testing.assert_allclose(0.02 - 0.1 * u, [0.005, 0.045])
    found = moved([0.02, 0.02], [0.1, -0.3], 0.05)
    rms = np.sqrt(0.95 + 0.05 * u**2)
    np.testing.assert_allclose(found, 0.02 - 0.02 * u / rms)
    np.testing.assert_array_equal(slope(np.array([-1, 0, 2.0])), [0.5, 0.5, 1])
    filters, slopes = np.array([0.5, -0.2, 0.1]), np.array([0.1, 0.3, -0.2])
    assert slopes @ filters == pytest.approx(-0.03), "the derivative by the gate"


def test_steps_of_a_tenth_of_the_derivative_are_those_of_the_sheet():
    """Coarse gradients (0.1, -0.3), mu 0.05; a root mean square of 0.2 makes it 0.1."""
    coarse, pull = np.array([0.1, -0.3]), np.full(2, 0.05)
    slot = (0.2**2 - 0.05 * (coarse + pull) ** 2) / 0.95
    raw = np.full(2, 0.02)
    found, _ = FORMULAS.step(raw, slot, Now(coarse, pull, raw, raw, 0.0))
    np.testing.assert_allclose(found, [0.005, 0.045])


def test_a_gate_closes_against_noise_in_as_many_steps():
    """Noise that is larger than the pull: some gates are open longer, some shorter."""
    rng, steps, size = np.random.default_rng(5), 200, 400
    squares = np.full(size, 0.3)
    pull = FORMULAS.against_noise(squares, steps)
    raw, slot = np.full(size, FORMULAS.start), squares
    for _ in range(steps):
        u = rng.normal(size=size) * np.sqrt(0.3)
        raw, slot = FORMULAS.step(raw, slot, Now(u, pull, raw, raw, 0.0))
    assert pull[0] < 0.15 and 0.3 < FORMULAS.alive(raw).mean() < 0.6


def test_a_closed_channel_that_is_needed_opens_again():
    """Its derivative says that the loss falls; one that nothing needs stays closed."""
    found = moved([-0.1, -0.1], [-1.0, 0.0], 0.1, steps=40)
    assert (FORMULAS.value(found, found, 0.0) == [1, 0]).all()
    assert (np.abs(moved([0.3, -0.3], [9.0, -9.0], 0.0, steps=200)) <= 0.5).all()


def test_without_pull_what_is_useful_stays_open():
    found = moved([0.5, 0.5], [-0.2, -0.1], 0.0, steps=100)
    assert FORMULAS.alive(found).all()


def test_gates_learn_from_images_that_weights_do_not():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="autoprune", macs=0.5)
    own, held = made.scorer.data
    assert len(own.train) == 450 and len(held.train) == 50
    both = np.concatenate([own.train.images, held.train.images])
    rows = {image.tobytes() for image in problem.dataset.train.images}
    assert {image.tobytes() for image in both} == rows
    assert own.validation is problem.dataset.validation


def test_a_step_of_many_weights_is_the_formula_of_each(rng):
    """They move in blocks."""
    raw, slot, gradient, pull = rng.uniform(-0.5, 0.5, (4, 20_011))
    slot, now = slot**2, Now(gradient, pull, pull, pull, 0.0)
    found, squares = FORMULAS.step(raw, slot, now)
    u = gradient + pull
    expected = 0.95 * slot + (1 - 0.95) * u**2
    np.testing.assert_array_equal(squares, expected)
    step = 0.02 * np.where(raw > 0, 1.0, 0.5) * u / np.sqrt(expected)
    np.testing.assert_array_equal(found, np.clip(raw - step, -0.5, 0.5))
