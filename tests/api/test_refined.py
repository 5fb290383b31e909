"""Plans that short trainings choose, from Python."""

import pytest

import ns_tf


def test_short_trainings_choose_a_plan_that_can_be_trained(search, digits, run_dir):
    loaded = ns_tf.load(run_dir)
    asked = {"params": 4001, "refine": 2, "refine_epochs": 1, "refine_seeds": 1}
    with pytest.raises(ns_tf.InputError, match="data from Python.*refine=6, data=data"):
        loaded.plan(**asked)
    plan = search.plan(**asked)
    assert plan.params <= 4001 and plan.method == "refined"
    assert plan.build().count_params() >= plan.params
    assert [row.label for row in plan.refinement.rows] == ["uniform", "neuralscale"]
    again = loaded.plan(data=digits, **asked)
    assert again.refinement == plan.refinement  # Nothing was trained again.
    for wrong in ({"method": "uniform"}, {"refine": 1}, {"refine_epoch": 3}):
        with pytest.raises(ns_tf.InputError):
            search.plan(**{**asked, **wrong})
