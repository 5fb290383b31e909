"""GAL: masks that learn the outputs that the network had."""

import dataclasses

import numpy as np
import pytest
from trained import fresh, learned, pruner, walked

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import gatings
from ns_tf.prune.formulas import Now
from ns_tf.prune.gatings.gal import Gal

GAL = gatings.get("gal").formulas


def steps(count, gradient, pull, rate):
    """(masks, x behind every step) of one mask that begins at 1."""
    raw, slot, seen = np.ones(1), GAL.slot(np.ones(1), 16), []
    for _ in range(count):
        slope = gradient(raw) if callable(gradient) else np.full(1, gradient)
        now = Now(slope, np.full(1, pull), np.full(1, rate), raw, 0.0)
        raw, slot = GAL.step(raw, slot, now)
        seen.append(float((raw - slot[0])[0]))
    return raw, seen


def test_three_steps_by_hand():
    _, seen = steps(3, 0.2, 0.5, 0.1)
    np.testing.assert_allclose(seen, [0.93, 0.86, 0.770277], atol=1e-6)


def test_what_nothing_holds_comes_to_exactly_zero_and_stays():
    raw, seen = steps(60, 0.0, 0.5, 0.01)
    assert raw == 0 and seen[-1] == 0 and not GAL.alive(raw).any()
    slower = np.argmax(np.array(steps(500, 0.0, 0.5, 0.001)[1]) == 0)
    assert slower < 130, "plain steps would be 2000"


def test_a_curvature_above_the_pull_holds_a_mask_without_swinging():
    """L = H (1 - m)² / 2 has its optimum at 1 - pull / H; momentum restarts there."""
    raw, seen = steps(400, lambda m: 4.0 * (m - 1), 1.0, 0.01)
    assert raw == pytest.approx(0.75, abs=1e-6) and min(seen) > 0.7


def test_masks_that_are_divided_go_on_as_they_would_have(rng):
    """Masks of m / c have slopes of c g, so their rates are those of m by c²."""
    factor, size = 0.37, 5
    raw, slot = rng.uniform(0.5, 1.5, size), GAL.slot(np.ones(size), 16)
    gradient, pull = rng.normal(size=size), rng.uniform(size=size)
    rate = np.full(size, 0.02)
    own = Now(gradient, pull, rate, raw, 0.0)
    other = Now(factor * gradient, factor * pull, rate / factor**2, raw, 0.0)
    raw, slot = GAL.step(raw, slot, own)
    divided = raw / factor, GAL.rescaled(slot, np.arange(size), factor)
    for _ in range(3):
        raw, slot = GAL.step(raw, slot, own)
        divided = GAL.step(*divided, other)
    np.testing.assert_allclose(divided[0], raw / factor)
    some = GAL.rescaled(slot, np.array([1, 3]), factor)
    np.testing.assert_array_equal(some[:, [0, 2, 4]], slot[:, [0, 2, 4]])
    np.testing.assert_allclose(some[0, [1, 3]], slot[0, [1, 3]] / factor)


def learning(whole, labels=None, strength="auto", adversary=True, epochs=1):
    """The training of masks of a network on the digits, of these labels."""
    model, problem = whole
    dataset = problem.dataset
    if labels is not None:
        train = dataclasses.replace(dataset.train, labels=labels)
        dataset = dataclasses.replace(dataset, train=train)
    asked = {"gate_epochs": epochs, "gate_batch": 50, "macs": 0.5}
    made = pruner(model, dataset, method="gal", strength=strength, **asked)
    made.scorer.formulas = type("Own", (Gal,), {"adversary": adversary})()
    return made.scorer.learning(Runtime())


def test_labels_are_withheld():
    """Training labels that are all 0 give the same masks and weights, bit for bit."""
    whole = _, problem = fresh()
    labels = np.zeros_like(problem.dataset.train.labels)
    found = [learning(whole), learning(whole, labels)]
    for work in found:
        walked(work)
    one, other = (work.gates for work in found)
    np.testing.assert_array_equal(one.raw, other.raw)
    for key, value in one.weights().items():
        np.testing.assert_array_equal(other.weights()[key], value)
    assert (one.raw != 1).any()


@pytest.mark.slow
def test_without_adversary_and_strength_the_distance_falls():
    work = learning(learned(), strength=0, adversary=False, epochs=12)
    walked(work)
    loss = work.table()["loss"]
    assert loss[-1] < 0.65 * loss[1] and work.gates.judge == []


def test_networks_of_several_outputs_are_refused(monkeypatch):
    model, problem = learned()
    made = pruner(model, problem.dataset, method="gal", macs=0.5)
    several = type("Model", (), {"outputs": [1, 2], "name": "two"})()
    monkeypatch.setattr(made, "model", several)
    with pytest.raises(InputError, match="one output that a network had"):
        made.scorer.check()
