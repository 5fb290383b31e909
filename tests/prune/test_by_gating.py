"""A gating on a network: its settings, units, what its scores depend on."""

import dataclasses

import numpy as np
import pytest
from trained import learned, pruner

from ns_tf.base import ScalingLaw
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.plan.config import BudgetConfig
from ns_tf.prune import criteria, signals
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.settings import Configs
from ns_tf.prune.source import TrainedNetwork
from ns_tf.train.config import TrainConfig


def test_curvatures_are_scores_of_taylor_fg():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="sss", macs=0.5)
    same = pruner(model, problem.dataset, method="taylor_fg", macs=0.5)
    np.testing.assert_allclose(made.scorer.curvature(), same.score())
    assert criteria.get("taylor_fg").reads == "example_gradients"
    assert signals.known("example_gradients")


def test_strength_1_is_what_the_budget_needs_and_gammas_count_by_their_size():
    model, problem = learned()
    for name in ("sss", "slimming"):
        made = pruner(model, problem.dataset, method=name, macs=0.5, strength=1)
        scorer = made.scorer
        held = scorer.curvature() / np.maximum(scorer.scale(), 1e-30)
        alive = np.ones(len(held), bool)
        unit = scorer.pressure.unit(scorer.curvature(), scorer.scale())
        # The unit is that of the last channel to close: equal to it but for rounding.
        closed = held <= (1 + 1e-9) * unit * scorer.pressure.price(alive)
        share = scorer.pressure.shares(~closed | made.graph.frozen)["macs"]
        assert 0.4 < share <= 0.5
        assert (scorer.scale() == 1).all() == (name == "sss")


def test_scores_say_what_they_depend_on():
    model, problem = learned()

    def depends(**asked):
        asked = {"method": "sss", "macs": 0.5, **asked}
        return pruner(model, problem.dataset, **asked).scorer.depends

    plain = depends()
    assert plain == depends() == depends(repair="none")
    others = ({"macs": 0.4}, {"strength": 1}, {"gate_epochs": 1}, {"gate_rate": 0.1})
    later = ({"gate_schedule": "step"}, {"gate_weight_decay": 1e-4})
    for other in (*others, *later):
        assert depends(**other) != plain


@pytest.mark.parametrize(
    "asked", [{"method": "autopruner"}, {"method": "gdp", "rounds": 2}]
)
def test_scores_depend_on_what_a_law_says_and_not_on_where_it_lies(asked):
    model, problem = learned()

    def depends(beta, search):
        law = ScalingLaw(np.ones(3), np.array([0.3, 0.4, beta]))
        asked_for = {"allocation": "law", "macs": 0.5, "search": search, **asked}
        return pruner(model, problem.dataset, law=law, **asked_for).scorer.depends

    assert depends(0.5, "runs/a") == depends(0.5, "runs/b") != depends(0.6, "runs/a")


def test_augmentation_and_precision_are_those_of_the_run_and_part_of_the_scores_name():
    """Names of scores at the defaults stay what they were."""
    model, problem = learned()

    def scorer(augmentation="own", precision="float32"):
        configs = Configs(
            CutConfig(method="sss"),
            FinetuneConfig(augmentation=augmentation),
            BudgetConfig(macs=0.5),
            RuntimeConfig(precision=precision),
            Runtime(),
        )
        return configs.pruner(TrainedNetwork(model, problem, "given")).scorer

    plain, flipped = scorer(), scorer("flip")
    assert flipped.settings == dataclasses.replace(plain.settings, augmentation="flip")
    short = scorer(precision="mixed_bfloat16").depends
    assert len({repr(d) for d in (plain.depends, flipped.depends, short)}) == 3
    strength, settings, targets, grid = plain.depends
    assert (strength, settings.augmentation) == ("auto", "own")
    again = short[0], short[1], "mixed_bfloat16", *short[3:]
    assert short == again and len(targets) == 1 and "float32" not in repr(grid)


def test_the_rate_of_a_single_epoch_drops_within_it():
    model, problem = learned()
    asked = {"method": "slimming", "macs": 0.5, "gate_rate": 0.1, "gate_epochs": 1}
    made = pruner(model, problem.dataset, **asked, gate_schedule="step").scorer.settings
    found = [made.rate_at(step, 8) for step in (0, 3, 4, 5, 6, 7)]
    np.testing.assert_allclose(found, np.repeat([0.1, 0.01, 0.001], 2))


def test_the_published_schedule_of_network_slimming_can_be_asked_for():
    """160 epochs, a tenth of the rate after 80 and after 120, decay 1e-4."""
    model, problem = learned()
    asked = {"method": "slimming", "macs": 0.5, "gate_rate": 0.1, "gate_epochs": 160}
    published = {"gate_schedule": "step", "gate_weight_decay": 1e-4}
    made = pruner(model, problem.dataset, **asked, **published).scorer.settings
    found = [made.rate_at(7 * epoch, 7) for epoch in (0, 79, 80, 119, 120, 159)]
    np.testing.assert_allclose(found, np.repeat([0.1, 0.01, 0.001], 2))
    assert (made.weight_decay, made.momentum) == (1e-4, 0.9)
    plain = pruner(model, problem.dataset, **asked).scorer.settings
    assert plain == dataclasses.replace(
        made, schedule="constant", weight_decay=5e-4, rate_drops=plain.rate_drops
    )
    assert plain == TrainConfig(*(160, 128, 0.1, "constant"), momentum=0.9), (
        "as names of scores that are kept have it"
    )
