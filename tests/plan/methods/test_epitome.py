"""The row of epitomes: the default widths, within every budget that it reduces."""

import json

import numpy as np
import pytest
from toys import DEFAULT, params, setting_of, toy_problem, toy_setting

from ns_tf.base import InputError
from ns_tf.compare.cells import SCRATCH, Cell
from ns_tf.compare.condensed import condensed_problem
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable
from ns_tf.train.job import network_costs


def proposed(text, targets, **solver):
    return methods.get("epitome").propose(toy_setting(text, **solver), targets)


@pytest.mark.parametrize(
    "sampling, targets, near",
    [
        ("learned", {"params": 2003.0}, 0.9),
        ("fixed", {"params": 2003.0}, 0.6),
        ("wrapped", {"params": 2003.0, "macs": 90_000.0}, 0.9),
    ],
)
def test_the_network_is_within_the_budgets_and_near_one(sampling, targets, near):
    found = proposed(f"epitome:{sampling}", targets)
    assert found.widths == DEFAULT and set(found.epitomes) == {"b", "c"}
    assert json.loads(json.dumps(found.epitomes)) == found.epitomes
    cell = Cell("", "", "", 0, "toy", DEFAULT, SCRATCH, epitomes=found.epitomes)
    own = condensed_problem(toy_problem(), cell)
    costs = network_costs(own.structure, own.architecture.widths)
    shares = [costs[name] / most for name, most in targets.items()]
    assert near < max(shares) <= 1


@pytest.mark.parametrize(
    "text, targets, told",
    [
        ("epitome:learned", {"macs": 90_000.0}, "learned .* do not fall; .*:wrapped"),
        ("epitome:wrapped", {"latency_ms": 3.0}, "reduce params, .* not latency_ms"),
        ("epitome:wrapped", {"params": 453.0}, "No epitomes of 2 layers meet"),
        ("epitome:fixed", {"params": 2.0 * params(DEFAULT)}, "this budget is larger"),
        ("epitome:fixed", {"params": float(params(DEFAULT))}, "have no epitomes"),
    ],
)
def test_a_budget_that_epitomes_do_not_meet_is_told(text, targets, told):
    with pytest.raises(NotApplicable, match=told):
        proposed(text, targets)


@pytest.mark.parametrize("solver", [{"round_to": 8}, {"max_width": 18}])
def test_default_widths_that_are_not_allowed_are_told(solver):
    with pytest.raises(NotApplicable, match="default widths, which the flags"):
        proposed("epitome:learned", {"params": 2003.0}, **solver)


@pytest.mark.parametrize("text", ["epitome", "epitome:learnd"])
def test_how_kernels_are_sampled_is_to_be_said(text):
    with pytest.raises(InputError, match="Unknown sampling .*learned, wrapped"):
        proposed(text, {"params": 2003.0})


@pytest.mark.parametrize("sampling", ["learned", "wrapped"])
def test_multiply_adds_that_bind_nothing_are_no_hindrance(sampling):
    setting = setting_of(f"epitome:{sampling}", "lenet5")
    full = setting.plain.costs["params"](np.array(setting.plain.default_widths))
    targets = {"params": full / 2, "macs": 1e12}
    found = methods.get("epitome").propose(setting, targets)
    assert found.architecture == "lenet5" and found.epitomes
