"""A criterion on a network: files that it continues from, what its scores depend on."""

import dataclasses

import numpy as np
import pytest
from trained import learned, noise_images, pruner

from ns_tf.base import InputError
from ns_tf.problem import tasks
from ns_tf.prune import by_criterion, criteria
from ns_tf.prune.scoring import SCORING


def test_scores_depend_on_the_budgets_only_in_rounds():
    model, problem = learned()

    def scorer(**asked):
        return pruner(model, problem.dataset, **{"method": "gdp", **asked}).scorer

    once = {"rounds": 1}
    assert scorer(macs=0.5, **once).depends == () == scorer(macs=0.4, **once).depends
    assert scorer(macs=0.5).depends != scorer(macs=0.4).depends
    assert scorer(macs=0.5, **once).checkpoints(SCORING) == [SCORING]
    assert len(scorer(macs=0.5, rounds=3).checkpoints(SCORING)) == 4


def test_nothing_is_trained():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5)
    scored = made.scored()
    assert scored.weights is None and not scored.table
    assert made.after(scored) is made


@pytest.mark.parametrize("given", [{"strength": 2}, {"gate_epochs": 3}])
def test_options_of_gates_that_learn_are_refused(given):
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5, **given)
    with pytest.raises(InputError, match="is of gates that learn, and magnitude is a"):
        made.check()


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_what_reads_classes_refuses_other_outputs(task):
    model, problem = learned()
    made = pruner(model, problem.dataset, method="curl_kl", macs=0.5)
    made.scorer.check()
    made.problem = dataclasses.replace(problem, task=tasks.get(task))
    with pytest.raises(InputError, match=f"one holds; here the task is {task}"):
        made.scorer.check()


def test_a_norm_over_rounds_is_of_the_channels_that_are_left(
    handmade, randomise, rng, monkeypatch
):
    model = randomise(handmade["chain"]())
    made = pruner(model, noise_images(rng), method="taylor_2016", macs=0.4, rounds=2)
    seen = []
    monkeypatch.setattr(
        by_criterion,
        "by_norm",
        lambda scores, alive: (
            seen.append((criteria.by_norm(scores, alive), alive)) or seen[-1][0]
        ),
    )
    made.score()
    assert not all(alive.all() for _, alive in seen)
    for scores, alive in seen:
        np.testing.assert_allclose(np.linalg.norm(scores[alive]), 1)
