"""Plans at a price, on finished searches."""

import dataclasses
import json

import numpy as np
import pytest
from places import ROOT
from toys import scored, toy_search

from ns_tf.base import InputError
from ns_tf.descend.record import read_search
from ns_tf.plan.methods.priced import ROWS
from ns_tf.plan.plan import make_plan
from ns_tf.scaling.config import Wishes

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
    along = make_plan(vgg11, targets, method="neuralscale")
    assert "pricing" not in along.to_json()


def test_scores_say_what_a_filter_is_worth_near_the_size_of_the_plan():
    """A Taylor-FO score is a squared loss, so p is half of its exponent."""
    record = scored(toy_search(), p=3.0)
    low, high = record.states[-1].trace.tau[[-1, 0]]
    plan = make_plan(record, {"params": float(high)}, method="priced")
    assert plan.pricing.source == "recorded"
    assert plan.pricing.fall.exponent == pytest.approx(1.5)
    assert plan.pricing.exponent == pytest.approx(1.5)
    given = make_plan(
        record, {"params": float(high)}, method="priced", price_exponent=1.5
    )
    assert given.widths == plan.widths
    assert given.pricing.source == "given"
    assert make_plan(
        toy_search(), {"params": float(high)}, method="priced"
    ).pricing.source == ("assumed")


@pytest.mark.parametrize("criterion", ["magnitude", "random", "of an older version"])
def test_scores_that_are_no_losses_say_nothing(criterion):
    record = scored(toy_search(), criterion=criterion)
    plan = make_plan(record, {"params": 3000}, method="priced")
    assert plan.pricing.source == "assumed"


def test_a_law_of_few_networks_is_fitted_to_all_events():
    record = read_search(RUNS / "vgg11_cifar10_scores")
    state = record.states[-1]
    assert len(state.trace.tau) < ROWS < len(state.trace.history)
    plan = make_plan(record, {"params": 579786}, method="priced")
    assert plan.tau_range == (1447, 556932)  # From the first event to the last.
    along = make_plan(record, {"params": 579786}, method="neuralscale")
    for endless in (1e6, np.inf):
        limit = make_plan(
            record, {"params": 579786}, method="priced", price_exponent=endless
        )
        assert limit.widths == along.widths and limit.tau_range == along.tau_range
        assert limit.pricing is None


def test_budgets_choose_the_method(vgg11):
    assert make_plan(vgg11, {"macs": 9880832}).method == "priced"
    assert make_plan(vgg11, {"macs": 9880832, "params": 10**6}).method == "priced"
    assert make_plan(vgg11, {"params": 150000}).method == "neuralscale"
    assert make_plan(vgg11, {}, ratio=0.25).method == "neuralscale"


def test_the_layer_furthest_outside_of_the_record_tells_the_extrapolation(vgg11):
    plan = make_plan(vgg11, {"macs": 9880832, "params": 150000}, method="priced")
    low, high = plan.tau_range
    assert plan.extrapolation == max(
        low / min(plan.scaling.taus), max(plan.scaling.taus) / high
    )


def test_layers_that_the_law_does_not_decide_on_are_not_extrapolated(vgg11):
    targets, names = {"macs": 9880832}, vgg11.names

    def plan(keep, **options):
        wishes = Wishes(keep=tuple(keep))
        return make_plan(vgg11, targets, method="priced", wishes=wishes, **options)

    # conv8, of which the law gives most to larger networks, is as wide as it was.
    kept, free = plan(names[7:]), plan(())
    assert len(free.scaling.taus) == 8 and len(kept.scaling.taus) == 7
    low, high = kept.tau_range
    assert kept.extrapolation == max(kept.scaling.taus) / high < free.extrapolation
    held = plan((), max_width=50)
    assert len(held.scaling.taus) == sum(width < 50 for width in held.widths) < 8
    for some in (names, names[:7]):  # Nothing is free, or what the budget leaves.
        assert plan(some).scaling.taus == () and plan(some).extrapolation == 1


def test_layers_that_hardly_grow_say_nothing_of_the_size():
    """A filter more would be of a network a billion times as large."""
    record = toy_search(1)
    (state,) = record.states
    flat = np.array([0.5, 0.0, 0.4])
    alpha = np.array([13, 10, 19]) / state.law.tau_range[1] ** flat
    law = dataclasses.replace(state.law, alpha=alpha, beta=flat)
    record = dataclasses.replace(record, states=(dataclasses.replace(state, law=law),))
    plan, along = (
        make_plan(record, {"params": 20_011}, method=method, round_to=4)
        for method in ("priced", "neuralscale")
    )
    assert len(plan.scaling.taus) == 2 and plan.widths[1] == 8
    assert plan.extrapolation < 10 * along.extrapolation
    assert plan.scaling.tau < 10 * along.scaling.tau


def test_an_exponent_goes_with_the_method_alone(vgg11):
    with pytest.raises(InputError, match="price_exponent goes with --method=priced"):
        make_plan(vgg11, {"params": 150000}, price_exponent=2.0)
