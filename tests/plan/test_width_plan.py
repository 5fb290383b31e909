"""A plan: what it says of itself, the model that it builds."""

import dataclasses
import json

import numpy as np
import pytest
from toys import DEFAULT, NAMES, macs, params, toy_architecture, toy_search

from ns_tf.plan.plan import make_plan
from ns_tf.plan.width_plan import FAR
from ns_tf.scaling.growth import ScalingInTurns

SEARCH = toy_search()
LOW, HIGH = SEARCH.states[-1].law.tau_range


@pytest.mark.parametrize("factor", [0.2, 0.9, 1.0, 1.9, 2.1])
def test_a_plan_warns_from_twice_outside_of_what_was_recorded(factor):
    """Above the range, and as far below it."""
    inside = make_plan(SEARCH, {"params": 5003})
    for tau in (HIGH * factor, LOW / factor):
        scaling = dataclasses.replace(inside.scaling, tau=tau)
        made = dataclasses.replace(inside, scaling=scaling)
        assert made.extrapolation == pytest.approx(
            max(factor, LOW / HIGH / factor, 1.0)
        )
        assert bool(made.warning) == (made.extrapolation > FAR)
        assert ("Warning:" in str(made)) == bool(made.warning)


def test_a_plan_whose_layers_grew_in_turns_is_as_far_out_as_its_parameters():
    """Its tau is where the first layer stopped, however far the others went."""
    inside = make_plan(SEARCH, {"params": 5003})
    told = {**vars(inside.scaling), "tau": HIGH}
    scaling = ScalingInTurns(**told)
    for many, expected in ((7 * HIGH, 7), (HIGH / 2, 1)):
        costs = {**inside.costs, "params": many}
        made = dataclasses.replace(inside, scaling=scaling, costs=costs)
        assert made.extrapolation == pytest.approx(expected, rel=1e-3)


def test_a_uniform_plan_was_not_recorded_and_does_not_extrapolate():
    made = make_plan(SEARCH, {"params": 30_011}, method="uniform")
    assert (made.tau_range, made.extrapolation, made.warning) == (None, 1.0, None)
    assert "extrapolated" not in str(made)


def test_layers_without_a_slope_of_their_own_are_named():
    *before, last = SEARCH.states
    error = np.array([0.01, np.nan, np.nan])
    law = dataclasses.replace(last.law, rows=np.array([9, 3, 0]), error=error)
    search = dataclasses.replace(
        SEARCH, states=(*before, dataclasses.replace(last, law=law))
    )
    for method in ("neuralscale", "priced"):
        made = make_plan(search, {"params": 5003}, method=method)
        assert made.unfitted == ("b", "c") == tuple(made.to_json()["unfitted"])
        assert "the others' median is taken: b, c" in str(made)
    for other in (
        make_plan(search, {"params": 5003}, method="uniform"),
        make_plan(SEARCH, {"params": 5003}),
    ):
        assert other.unfitted == () and "median" not in str(other)


def test_a_printed_plan_has_a_line_a_layer_and_a_line_a_cost():
    made = make_plan(SEARCH, {"params": 5003})
    lines = str(made).splitlines()
    for name, width in zip(NAMES, made.widths, strict=True):
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        old = DEFAULT[NAMES.index(name)]
        assert line.split() == [name, str(old), str(width), f"{width / old:.2f}"]
    cost = params(made.widths)
    percent = 100 * (cost / 5003 - 1)
    assert f"params: {cost:,} of 5,003 ({percent:+.3f} %)" in lines
    assert f"macs: {macs(made.widths):,}" in lines


def test_json_holds_what_the_plan_holds():
    made = make_plan(SEARCH, {"params": 5003})
    values = json.loads(json.dumps(made.to_json()))
    assert values["widths"] == dict(zip(NAMES, made.widths, strict=True))
    assert values["costs"] == {"params": params(made.widths), "macs": macs(made.widths)}
    assert values["targets"] == {"params": 5003}
    assert values["extrapolation"] == made.extrapolation
    assert values["input_shape"] == [11, 11, 3] and values["classes"] == 5


# What a plan builds.


def test_a_plan_builds_the_model_that_it_promised():
    made = make_plan(SEARCH, {"params": 2003}, builder=toy_architecture())
    model = made.build()
    assert model.count_params() == made.params
    assert tuple(model.get_layer(name).filters for name in NAMES) == made.widths


def test_a_builder_of_another_network_is_found_out():
    made = make_plan(SEARCH, {"params": 2003}, builder=toy_architecture())
    with pytest.raises(RuntimeError, match=f"Planned {made.params} parameters, built"):
        dataclasses.replace(made, classes=7).build()


# Settings and searches.
