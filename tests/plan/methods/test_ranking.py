"""Plans by the scores that a search kept of its whole network."""

import numpy as np
import pytest
from laws import toy_device, toy_ms
from toys import DEFAULT, macs, params, toy_search, unranked

from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.plan.plan import make_plan
from ns_tf.scaling.ranks import rows_of


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("names", [["macs"], ["params"], ["macs", "params"]])
def test_it_has_what_is_left_on_the_way_down_and_what_still_fits(names, share):
    record, counts = toy_search(2), {"macs": macs, "params": params}
    targets = {name: share * counts[name](DEFAULT) for name in names}
    plan = make_plan(record, targets, method="ranking")
    assert plan.iteration == 1
    rows = rows_of(record.states[0].trace.whole, record.costs, targets)
    fits = [all(counts[n](row) <= targets[n] for n in names) for row in rows]
    first = rows[fits.index(True)]
    assert (np.array(plan.widths) >= first).all()
    assert all(counts[n](plan.widths) <= targets[n] for n in names)
    for more in np.array(plan.widths) + np.eye(3, dtype=int):
        assert any(counts[n](more) > targets[n] for n in names)


def test_its_own_cost_is_the_whole_network_and_more_is_its_widths_scaled_evenly():
    record = toy_search(1)
    for budget, cost in (("macs", macs), ("params", params)):
        whole = make_plan(record, {budget: cost(DEFAULT)}, method="ranking")
        assert whole.widths == DEFAULT
    larger = make_plan(record, {"macs": 4 * macs(DEFAULT)}, method="ranking")
    np.testing.assert_allclose(larger.widths, 2 * np.array(DEFAULT), atol=2)


def test_a_search_without_such_scores_is_refused():
    with pytest.raises(InputError, match="ranking needs the scores of all filters"):
        make_plan(unranked(toy_search(1)), {"macs": 50_021}, method="ranking")


def test_wishes_hold():
    plan = make_plan(toy_search(1), {"macs": 50_021}, method="ranking", round_to=4)
    assert all(width % 4 == 0 for width in plan.widths)


@pytest.mark.parametrize("largest", [64, 18])
def test_a_device_file_prices_filters_as_far_as_its_tables_reach(largest):
    """Where they do not reach the network, multiply-adds say what filters cost."""
    record = toy_search(1)
    scores = record.states[0].trace.whole
    measure = Measure(device=toy_device(record, largest=largest))
    goal = 0.6 * toy_ms(DEFAULT)
    plan = make_plan(record, {"latency_ms": goal}, method="ranking", measure=measure)
    assert 0.95 * goal < toy_ms(plan.widths) <= goal

    def ms(widths):
        return np.apply_along_axis(toy_ms, -1, np.asarray(widths))

    own = float(macs(DEFAULT))
    told = (
        ({"ms": ms}, {"ms": goal})
        if largest > max(DEFAULT)
        else (record.costs, {"macs": own})
    )
    rows = np.minimum(rows_of(scores, *told), largest)
    first = rows[[toy_ms(row) <= goal for row in rows].index(True)]
    assert (np.array(plan.widths) >= first).all()
