"""What methods propose for a budget: texts of budgets, labels, rows like others."""

import pytest
from toys import DEFAULT, file_of, macs, params, toy_setting

from ns_tf.base import InputError
from ns_tf.compare import proposals


def proposed(text, *methods):
    """(what methods propose at a budget, why others propose nothing), by label."""
    settings = [toy_setting(method) for method in methods]
    (rows,) = proposals.proposals(settings, {text: {}}).values()
    return rows


# Budgets.


@pytest.mark.parametrize(
    "text, told",
    {
        "": "Unknown budget ''",
        "param=3": "Did you mean 'params'?",
        "params": "positive number",
        "params=": "positive number",
        "params=-1": "positive number",
        "params=inf": "positive number",
        "ratio=nan": "positive number",
        "params=3+": "Unknown budget ''",
        "params=3+params=5": "gives params twice",
    }.items(),
)
def test_what_is_no_budget_is_refused(text, told):
    with pytest.raises(InputError) as error:
        proposals.parse_budget(text)
    assert told in str(error.value)


def test_several_budgets_hold_at_once():
    assert proposals.parse_budget("params=600+macs=5e3") == {
        "params": 600,
        "macs": 5000,
    }
    widths = proposed("params=2003+macs=50021", "uniform")[0]["uniform"].widths
    assert params(widths) <= 2003 and macs(widths) <= 50_021


def test_a_budget_without_a_price_is_a_reason_in_place_of_a_row(tmp_path):
    law = file_of(tmp_path, alpha=[1.0] * 3, beta=[0.5] * 3)
    asked = "priced", f"priced_file:{law}", "conv_cut"
    found, reasons = proposed("params=2003+latency_ms=3", *asked)
    assert not found and list(reasons) == ["priced@2", "priced_file", "conv_cut"]
    for name in ("priced@2", "priced_file"):
        assert reasons[name].startswith("The budget latency_ms has no price")


def test_a_ratio_may_stand_beside_a_budget():
    halved = params([width // 2 for width in DEFAULT])
    for text, most in (("ratio=0.5", halved), ("ratio=0.5+params=907", 907)):
        widths = proposed(text, "uniform")[0]["uniform"].widths
        assert params(widths) <= most < params(widths) * 1.1


def test_below_1_a_budget_is_a_share_of_what_the_default_widths_cost():
    plain = toy_setting("uniform").plain
    found = proposals.targets_of(plain, "macs=0.5+params=2003+latency_ms=0.5")
    assert found == {"macs": macs(DEFAULT) / 2, "params": 2003, "latency_ms": 0.5}


# Labels.


@pytest.mark.parametrize(
    "text, label",
    {
        "uniform": "uniform",
        "neuralscale": "neuralscale@2",
        "neuralscale@1": "neuralscale@1",
        "morphnet": "morphnet@1",
        "my law=neuralscale": "my law",
        "pruned:random+distil": "pruned:random+distil",
        "control=scratch:mine": "control",
    }.items(),
)
def test_a_method_is_called_by_its_label_or_by_name_and_iteration(text, label):
    assert proposals.label(toy_setting(text)) == label


# Rows like others.


def test_a_control_has_the_widths_of_the_first_pruned_row_or_of_one_by_its_label():
    methods = ("scratch", "uniform", "a=pruned:random", "b=li_l1", "scratch_b:b")
    found, _ = proposed("macs=0.5", *methods)
    assert (found["scratch"].like, found["scratch_b:b"].like) == ("a", "b")


def test_a_control_is_not_there_where_its_row_is_not():
    text = f"params={2 * params(DEFAULT)}"
    found, reasons = proposed(text, "pruned:random", "scratch", "uniform")
    assert list(found) == ["uniform"] and "smaller" in reasons["pruned:random"]
    assert "whose widths it has" in reasons["scratch"]


def test_a_control_has_one_partner_at_all_budgets():
    """Else rows of one label would be compared with different ones."""
    methods = ("w=pruned:random@weight", "c=pruned:random", "scratch", "scratch_b:c")
    settings = [toy_setting(text) for text in methods]
    kept = {"macs=0.5": {}, "nonzero=0.5": {}}
    rows = proposals.proposals(settings, kept)
    found, reasons = rows["nonzero=0.5"]
    assert list(found) == ["w", "scratch"] and found["scratch"].like == "w"
    assert "is not there" in reasons["scratch_b:c"]
    found, reasons = rows["macs=0.5"]
    assert list(found) == ["c", "scratch_b:c"] and found["scratch_b:c"].like == "c"
    assert "is not there" in reasons["scratch"]


@pytest.mark.parametrize(
    "methods, told",
    [
        (("uniform", "scratch"), "there is none. Add pruned:taylor_fo"),
        (("pruned:random", "scratch:mine"), "'mine' is none"),
        (("pruned:random", "uniform", "scratch:uniform"), "'uniform' is none"),
    ],
)
def test_a_control_without_its_row_is_refused(methods, told):
    with pytest.raises(InputError, match=told):
        proposed("macs=0.5", *methods)


# Levels.


def test_the_budget_of_single_weights_is_of_their_rows_alone():
    methods = ("uniform", "pruned:random", "w=pruned:random@weight", "scratch:w")
    found, reasons = proposed("nonzero=0.5", *methods)
    assert set(found) == {"w", "scratch:w"} and found["scratch:w"].like == "w"
    for name in methods[:2]:
        assert "nonzero is of rows that let single weights go" in reasons[name]
    plain = toy_setting("uniform").plain
    assert proposals.targets_of(plain, "nonzero=0.5") == {
        "nonzero": params(DEFAULT) / 2
    }
    found, reasons = proposed("params=0.5+nonzero=0.5", *methods)
    assert not found and "so params stays" in reasons["w"]
