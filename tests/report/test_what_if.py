"""What the page plans with: its curves, its data, its controls."""

import dataclasses
import html
import json
import re

import numpy as np
import pytest
from toys import DEFAULT, NAMES, params, toy_search

from ns_tf.plan import methods
from ns_tf.plan.width_plan import FAR
from ns_tf.report.what_if import controls, curves_of, script

SEARCH = toy_search(3)


def data_of(text):
    return json.loads(re.search('id="data">(.*?)</script>', text).group(1))


def test_every_method_with_a_curve_is_offered_for_every_iteration_it_can_be_of():
    names = list(curves_of({"": SEARCH}))
    laws = [f"neuralscale@{iteration}" for iteration in (3, 2, 1)]
    assert names == [*laws, "morphnet@1", "uniform"]
    offered = {name.partition("@")[0] for name in names}
    assert offered == set(methods.with_curve()) - {"priced"}  # Which is no curve.


def test_curves_of_several_searches_are_called_by_their_searches():
    names = list(curves_of({"a": toy_search(1), "b": toy_search(2)}))
    assert names == [
        "a: neuralscale@1",
        "b: neuralscale@2",
        "b: neuralscale@1",
        "a: morphnet@1",
        "b: morphnet@1",
        "uniform",
    ]


def test_a_curve_that_a_search_does_not_have_is_not_offered():

    (state,) = toy_search(1).states
    above = dataclasses.replace(state.trace, history=np.array([DEFAULT]))
    state = dataclasses.replace(state, trace=above)
    names = curves_of({"": dataclasses.replace(SEARCH, states=(state,))})
    assert list(names) == ["neuralscale@1", "uniform"]


@pytest.mark.parametrize("name", ["neuralscale@2", "morphnet@1", "uniform"])
def test_the_numbers_of_a_curve_are_its_curve(name):
    """As the page computes it, at the tau where it begins and elsewhere."""
    numbers = curves_of({"": SEARCH})[name]
    method, _, iteration = name.partition("@")
    curve = methods.curve(SEARCH, method, int(iteration) if iteration else None)
    assert numbers["scale"] == curve.start
    assert numbers.get("range") == (list(curve.tau_range) if curve.tau_range else None)
    for tau in (curve.start, 777.0):
        if numbers["kind"] == "law":
            widths = np.array(numbers["alpha"]) * tau ** np.array(numbers["beta"])
        else:
            widths = np.array(numbers["widths"]) * (tau / numbers["scale"]) ** 0.5
        np.testing.assert_allclose(widths, curve(tau))


def test_the_page_carries_costs_and_curves_and_begins_at_a_quarter():
    data = data_of(script(SEARCH, curves_of({"": SEARCH})))
    assert data["default_widths"] == list(DEFAULT) and data["far"] == FAR
    assert data["start"] == params([width // 4 for width in DEFAULT])
    assert data["costs"] == {n: c.to_json() for n, c in SEARCH.costs.items()}
    assert list(data["curves"]) == list(curves_of({"": SEARCH}))


def test_no_text_in_the_data_can_end_its_element():
    text = script(SEARCH, {"</script><b>": {"kind": "law"}})
    assert text.count("</script>") == 2 and "</script><b>" in data_of(text)["curves"]


def test_the_controls_offer_curves_and_budgets_parameters_first():
    text = controls(SEARCH, ["a<b", "uniform"], [])
    options = re.findall('<option value="(.*?)">', text)
    assert [html.unescape(option) for option in options[:2]] == ["a<b", "uniform"]
    assert options[2:] == ["params", "macs"]
    for i, (name, width) in enumerate(zip(NAMES, DEFAULT, strict=True)):
        assert f'<td>{name}</td><td>{width}</td><td id="width_{i}">' in text
    assert 'id="cost_params"' in text and "Not here" not in text


def test_searches_of_other_networks_are_named_as_not_offered():
    text = controls(SEARCH, [], ["x<y", "z"])
    assert "other costs: x&lt;y, z. ns_tf.plan has their widths." in text
