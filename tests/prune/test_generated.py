"""Generated gates: what a step keeps, weights of penalties, states."""

import numpy as np
from trained import noise_images, pruner

from ns_tf.engine.runtime import Runtime


def gates_of(handmade, rng, network="chain"):
    made = pruner(handmade[network](), noise_images(rng), method="autopruner", macs=0.5)
    return made.scorer.learning(Runtime()).gates, made


def test_penalties_weigh_by_how_far_a_layer_is_from_its_share(handmade, rng):
    gates, made = gates_of(handmade, rng)
    gates.press(100.0, np.ones(1))
    np.testing.assert_allclose(gates._weight, 10), "before anything is known"
    gates.probe([], [np.append(np.zeros(len(gates.free)), 1.0)])
    none = np.zeros(1)
    gates.after(none, none, none, 0.0)
    gates.press(100.0, none)
    shares = [share for _, share in gates.shares]
    np.testing.assert_allclose(gates._weight, 100 * np.array(shares), rtol=1e-6)
    assert made.allotment.allocation.name == "uniform"
    assert not gates.alive()[gates.free].any() and gates.alive()[~gates.free].all()


def test_scores_are_means_of_the_last_twenty_steps(handmade, rng):
    gates, _ = gates_of(handmade, rng)
    seen, none = rng.random((27, len(gates.free) + 1)), np.zeros(1)
    for row in seen:
        gates.probe([], [row])
        gates.after(none, none, none, 0.0)
    np.testing.assert_allclose(gates.scores(), seen[7:, :-1].mean(axis=0), rtol=1e-6)
    state = gates.state()
    other, _ = gates_of(handmade, rng)
    other.restore(state)
    np.testing.assert_array_equal(other.raw, gates.raw)
    gates.before(none, 0.5)
    row = np.array(gates._row)
    assert (row[:-1][gates.free] > 50).all() and (row[:-1][~gates.free] == 1).all()
