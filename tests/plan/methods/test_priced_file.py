"""Prices by laws from files: published ones, and what is none."""

import json

import pytest
from places import ROOT
from toys import DEFAULT, file_of, macs, params, setting_of, toy_search, toy_setting

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.plan import make_plan

PUBLISHED = ROOT / "flags" / "published"


def propose(setting, **targets):
    return methods.get("priced_file").propose(setting, targets)


@pytest.mark.parametrize("p", [None, 1.0, 2.5])
def test_the_law_of_a_search_has_the_widths_that_its_plan_has(tmp_path, p):
    law = toy_search().states[-1].law
    numbers = {"alpha": law.alpha.tolist(), "beta": law.beta.tolist()}
    path = file_of(tmp_path, **numbers, **({"price_exponent": p} if p else {}))
    found = propose(toy_setting(f"priced_file:{path}"), macs=61_003)
    plan = make_plan(
        toy_search(), {"macs": 61_003}, method="priced", price_exponent=p or 1.0
    )
    assert found.widths == plan.widths and macs(found.widths) <= 61_003


def test_a_published_law_is_planned_at_its_price():
    path = PUBLISHED / "vgg11_cifar10.json"
    found = propose(setting_of(f"priced_file@15:{path}"), macs=9_880_832)
    along = methods.get("file").propose(
        setting_of(f"file@15:{path}"), {"macs": 9_880_832}
    )
    assert found.costs["macs"] <= 9_880_832 < 1.001 * found.costs["macs"]
    assert found.costs["params"] > 2 * along.costs["params"]  # Late layers are cheap.


@pytest.mark.parametrize("beta", [0.0, -0.05])
def test_a_layer_that_does_not_grow_has_the_width_of_its_law(tmp_path, beta):
    """At the size of the default network, for the file names none; not at one of 1."""
    size = params(DEFAULT)
    betas = [0.5, beta, 0.4]
    alpha = [width / size**b for width, b in zip(DEFAULT, betas, strict=True)]
    path = file_of(tmp_path, alpha=alpha, beta=betas)
    found = propose(toy_setting(f"priced_file:{path}"), params=size)
    assert abs(found.widths[1] - DEFAULT[1]) <= 1


@pytest.mark.parametrize(
    "values, told",
    [
        ({"widths": [3, 5, 7]}, "It needs alpha and beta for every layer"),
        ({"alpha": [1, 1], "beta": [1, 1]}, "expected 3 numbers"),
        ({"alpha": [1] * 3, "beta": [0.5] * 3, "price_exponent": 0}, "no positive"),
        ({"alpha": [1] * 3, "beta": [0.5] * 3, "price_exponent": "2"}, "no positive"),
        ({"iterations": [{"iteration": 2}, {"iteration": 5}]}, "as priced_file@15:"),
    ],
)
def test_a_file_that_holds_no_law_is_refused(tmp_path, values, told):
    path = file_of(tmp_path, **values)
    with pytest.raises(InputError) as error:
        propose(toy_setting(f"priced_file:{path}"), macs=61_003)
    assert told in str(error.value), json.dumps(values)


def test_the_method_needs_a_path():
    with pytest.raises(InputError, match="priced_file needs a path"):
        propose(toy_setting("priced_file"), macs=61_003)
