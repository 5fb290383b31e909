"""AutoPruner: generators that make binary gates."""

import keras
import numpy as np
import pytest
from trained import learned, pruner, walked

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import gatings

FORMULAS = gatings.get("autopruner").formulas


def test_gates_penalties_and_weights_by_hand():
    u = keras.ops.convert_to_tensor([0.3, -0.1])
    gates = keras.ops.convert_to_numpy(FORMULAS.code(u, 10.0))
    np.testing.assert_allclose(gates, [0.952574, 0.268941], atol=1e-6)

    def penalty(gates):
        return FORMULAS.penalty(np.mean(gates), 0.5, 10.0)

    gates = np.array([0.9, 0.8, 0.7, 0.6])
    assert penalty(gates) == pytest.approx(0.625)
    for place in range(4):
        more, less = gates.copy(), gates.copy()
        more[place], less[place] = gates[place] + 1e-4, gates[place] - 1e-4
        slope = (penalty(more) - penalty(less)) / 2e-4
        assert slope == pytest.approx(1.25), "the derivative by each"
    assert FORMULAS.weight(100.0, 0.3, 0.4) == pytest.approx(10)
    assert FORMULAS.weight(100.0, None, 0.4) == 10


def test_gates_get_sharper_and_faster_so_while_they_are_not_told_apart():
    assert FORMULAS.sharpness(0.0) == 0.1 and FORMULAS.sharpness(1.0) == 100
    binary, soft = np.array([0.0, 1.0] * 10), np.array([0.0, 1.0, 0.5] * 10)
    assert FORMULAS.sharpened([binary, soft], 0.9) == 10
    assert FORMULAS.sharpened([binary, soft], 0.7) == 0, "not yet"
    assert FORMULAS.sharpened([binary, binary], 0.9) == 0
    sharp = keras.ops.convert_to_numpy(FORMULAS.code(np.array([1e-2, -1e-2]), 1e4))
    np.testing.assert_allclose(sharp, [1, 0], atol=1e-6)


@pytest.fixture(scope="module")
def work():
    model, problem = learned()
    asked = {"gate_epochs": 6, "gate_batch": 25, "macs": 0.5}
    made = pruner(model, problem.dataset, method="autopruner", **asked)
    work = made.scorer.learning(Runtime())
    walked(work)
    return work


@pytest.mark.slow
def test_gates_become_binary_and_keep_the_share_of_the_allocation(work):
    for channels, share in work.gates.shares:
        own = work.gates.raw[channels]
        assert ((own < 0.1) | (own > 0.9)).mean() >= 0.9
        assert abs((own > 0.5).mean() - share) < 2.5 / len(own)
    assert work.gates.added == 0, "they were told apart in time"


@pytest.mark.slow
def test_codes_in_place_of_gates_change_next_to_nothing(work):
    """By less than 1 % of the range of the logits, though 10 % may be in between."""
    gates, model = work.gates, work.gates.model
    images = next(iter(work.batches()))[0][0]
    (outputs, row), names = gates.forward(images, training=False), gates.weights()
    copy = keras.models.clone_model(model)
    weights.assign(copy, names)
    gated = GatedNetwork(copy, channel_graph(copy))
    codes = np.round(np.array(row))[None].repeat(len(images), axis=0)
    found = np.array(gated.model([np.array(images), codes], training=False))
    span = np.ptp(np.array(outputs))
    assert np.abs(found - np.array(outputs)).max() < 0.01 * span


@pytest.mark.slow
def test_generators_have_no_decay_and_leave_with_the_gates(work):
    decays = zip(work.sgd.variables, work.sgd.decays, strict=True)
    own = [decay for variable, decay in decays if "generator" in variable.path]
    assert own == [0, 0, 0]
    assert {layer for layer, _ in work.gates.weights()} == {
        layer.name for layer in work.gates.model.layers if layer.weights
    }


def test_what_runs_the_network_to_find_widths_is_refused():
    model, problem = learned()
    asked = {"method": "autopruner", "macs": 0.5}
    made = pruner(model, problem.dataset, allocation="greedy", **asked)
    with pytest.raises(InputError, match="before it learns how many"):
        made.scorer.check()
    ranked = pruner(model, problem.dataset, allocation="ranking", **asked).scorer
    assert ranked.depends != pruner(model, problem.dataset, **asked).scorer.depends
