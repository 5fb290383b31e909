"""How a trained network is pruned, in one text."""

import itertools

import pytest

from ns_tf.base import InputError
from ns_tf.prune import choices, method
from ns_tf.prune.allocations import ALLOCATIONS
from ns_tf.prune.choices import Choices
from ns_tf.prune.repairs import REPAIRS
from ns_tf.train.recipes import RECIPES


@pytest.mark.parametrize("name", method.names())
def test_every_method_goes_with_every_allocation_repair_and_recipe(name):
    for level in method.get(name).levels:
        text = name if level == "channel" else f"{name}@{level}"
        assert Choices.parse(text) == Choices(name, level=level)
    for allocation in ALLOCATIONS.names():
        assert Choices.parse(f"{text}+{allocation}").allocation == allocation
    for repair in (*REPAIRS.names(), "none"):
        assert Choices.parse(f"{text}+{repair}").repair == repair
    for recipe in RECIPES.names():
        assert Choices.parse(f"{text}+{recipe}").recipe == recipe


def test_the_order_does_not_matter_but_that_of_repairs_and_of_recipes():
    parts = ("uniform", "scale", "distil")
    expected = Choices("random", "uniform", "scale", "distil")
    for order in itertools.permutations(parts):
        assert Choices.parse("+".join(("random", *order))) == expected
    both = Choices.parse("random+scale+uniform+statistics")
    assert both.repair == "scale+statistics"
    argument = Choices.parse("random+distil(temperature=1e+1)+uniform")
    assert argument.recipe == "distil(temperature=1e+1)"
    assert argument.allocation == "uniform"
    after = Choices.parse("random+scratch+uniform+refine(rate=1e-3)+distil")
    assert after.recipe == "scratch+refine(rate=1e-3)+distil"


@pytest.mark.parametrize(
    "text, told",
    {
        "": "Unknown method ''",
        "taylor": "Unknown method 'taylor'.*Did you mean 'taylor_",
        "random+unifrom": "repair or recipe 'unifrom'.*'uniform'",
        "random+uniform+ranking": "two names of one kind .allocation.: uniform and",
        "random+plain+scratch": "'plain.scratch': scratch begins with fresh weights",
        "random+": "Expected a name",
        "random+distil(heat=3)": "distil has no 'heat'",
        "gradual": "gradual removes weights, and what should go are channels. Give "
        "--level=weight; in compare gradual@weight. Methods",
        "sss@weight": "sss removes channels or blocks.*Methods that can: autoprune, gr",
        "sss@": "Unknown level ''",
        "sss@blok": "Did you mean 'block'",
        "sss@channel": "Leave @channel away",
        "random+uniform@weight": "got 'uniform@weight'",
    }.items(),
)
def test_what_is_no_choice_is_refused(text, told):
    with pytest.raises(InputError, match=told):
        Choices.parse(text)


def test_a_name_of_two_kinds_is_refused(monkeypatch):
    kinds = {**choices._KINDS, "recipe": lambda: ["uniform"]}
    monkeypatch.setattr(choices, "_KINDS", kinds)
    with pytest.raises(InputError, match="allocation and of a recipe"):
        Choices.parse("random+uniform")
