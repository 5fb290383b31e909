"""Network Slimming: an L1 penalty on gammas."""

import keras
import numpy as np
import pytest
from trained import learned, learned_with, pruner

from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.prune import gatings
from ns_tf.train import training


def test_a_step_without_data_moves_every_gamma_but_zeros():
    pull = gatings.get("slimming").formulas.pull(np.array([0.5, -0.2, 0.0]), 7.0)
    pull = keras.ops.convert_to_numpy(pull)
    gamma = np.array([0.5, -0.2, 0.0]) - 0.1 * 0.01 * pull
    np.testing.assert_allclose(gamma, [0.499, -0.199, 0], rtol=1e-6)


def test_without_strength_it_is_plain_training_bit_for_bit():
    """But for the weight decay, which gammas and betas do not have."""
    model, problem = learned()
    asked = {"gate_epochs": 1, "gate_batch": 100, "macs": 0.5}
    made = pruner(model, problem.dataset, method="slimming", strength=0.0, **asked)
    settings = made.scorer.settings
    made.scorer.settings = settings.__class__(**{**vars(settings), "weight_decay": 0.0})
    scored = made.scored()
    same = pruner(model, problem.dataset, method="random", macs=1.0)
    keep = np.ones(len(same.graph.owner), bool)
    copy, _ = same.cut_and_repair(keep)
    plain = training.Training(
        problem, lambda: copy, made.scorer.settings, Runtime(seed=made.seed)
    )
    for batch in plain.batches():
        plain.step(*batch)
        if plain.finished:
            break
    for key, value in weights.values(plain.model).items():
        np.testing.assert_array_equal(scored.weights[key], value)
    _, arrays = scored.table, plain.padded.values()
    assert set(arrays) == set(scored.weights)


def test_a_number_is_the_papers_and_needs_no_new_learning_for_another_budget():
    model, problem = learned()
    depends = {
        (strength, macs): pruner(
            model, problem.dataset, method="slimming", strength=strength, macs=macs
        ).scorer.depends
        for strength in ("auto", 0.01)
        for macs in (0.3, 0.5)
    }
    assert depends[0.01, 0.3] == depends[0.01, 0.5]
    assert depends["auto", 0.3] != depends["auto", 0.5]


@pytest.mark.slow
def test_more_strength_leaves_more_gammas_near_zero():
    near = []
    for strength in (0, 0.1, 1.0):
        gates = learned_with("slimming", strength).gates
        gamma = gates.scores()[~gates.graph.frozen]
        near.append((gamma < 0.3).mean())
    assert near[0] == 0 < near[1] < near[2] == 1
