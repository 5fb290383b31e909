"""Plans at a price, on finished searches."""

import json

import pytest
from places import ROOT

from ns_tf.base import InputError
from ns_tf.descend.record import read_search
from ns_tf.plan.plan import make_plan

RUNS = ROOT / "docs" / "runs"


@pytest.fixture(scope="module")
def vgg11():
    return read_search(RUNS / "vgg11_cifar10_short")


# Widths that were solved and trained by others, of the law of iteration 2.
@pytest.mark.parametrize(
    "targets, exponent, widths, params",
    [
        ({"macs": 9880832}, None, (44, 37, 58, 53, 64, 72, 95, 148), 326123),
        ({"params": 579786}, 1.0, (141, 96, 124, 98, 75, 84, 57, 132), 579544),
    ],
)
def test_widths_of_a_kept_search(vgg11, targets, exponent, widths, params):
    plan = make_plan(vgg11, targets, method="priced", price_exponent=exponent)
    assert plan.widths == widths
    assert plan.params == params
    assert 0 <= plan.pricing.gap < 1e-3


def test_a_plan_names_the_budgets_that_bind_and_what_they_are_worth(vgg11):
    targets = {"macs": 9880832, "params": 150000}
    plan = make_plan(vgg11, targets, method="priced")
    text = str(plan)
    assert "macs takes 58.5% of the value" in text
    assert "1 % more macs is worth 1.41 % more params" in text
    loose = make_plan(vgg11, {**targets, "params": 400000}, method="priced")
    assert "params does not bind" in str(loose)
    json.dumps(plan.to_json())
    assert plan.to_json()["pricing"]["exponent"] == 1.0
    assert "pricing" not in make_plan(vgg11, targets).to_json()


def test_the_layer_furthest_outside_of_the_record_tells_the_extrapolation(vgg11):
    plan = make_plan(vgg11, {"macs": 9880832, "params": 150000}, method="priced")
    low, high = plan.tau_range
    assert plan.extrapolation == max(
        low / min(plan.scaling.taus), max(plan.scaling.taus) / high
    )


def test_an_exponent_goes_with_the_method_alone(vgg11):
    with pytest.raises(InputError, match="price_exponent goes with --method=priced"):
        make_plan(vgg11, {"params": 150000}, price_exponent=2.0)
