"""Settings of a comparison: what may be, and what may change later."""

import dataclasses

import pytest

from ns_tf.base import InputError
from ns_tf.compare.config import CompareConfig
from ns_tf.engine.config import LARGEST_SEED
from ns_tf.plan.methods import METHODS, Entry


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("methods", (), "--methods are one or more, all different; got none"),
        ("methods", ("uniform", "uniform"), "all different; got uniform,uniform"),
        ("budgets", (), "--budgets are one or more"),
        ("seeds", (), "--seeds are one or more"),
        ("seeds", (3, 3), "all different; got 3,3"),
        ("seeds", (-1,), f"--seeds lie between 0 and {LARGEST_SEED}"),
        ("seeds", (LARGEST_SEED + 1,), f"--seeds lie between 0 and {LARGEST_SEED}"),
        ("workers", 0, "--workers.*got 0"),
        ("finetune_epochs", -1, "--finetune_epochs.*got -1"),
        ("finetune_rate", 0.0, "--finetune_rate is a number above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_flags(name, value, told):
    with pytest.raises(InputError, match=told):
        CompareConfig(**{name: value})


def test_the_largest_seed_and_the_default_methods_can_be():
    assert CompareConfig(seeds=(0, LARGEST_SEED)).seeds[1] == LARGEST_SEED
    names = [Entry.parse(text).name for text in CompareConfig().methods]
    assert set(names) <= set(METHODS.names())


def test_a_flash_budget_is_one_with_spaces_too():
    assert CompareConfig(budgets=("macs=5e7+ flash =60000",)).exports_flash
    assert not CompareConfig(budgets=("macs=5e7+params=1e5",)).exports_flash


def test_the_help_of_methods_names_every_method():
    (field,) = [f for f in dataclasses.fields(CompareConfig) if f.name == "methods"]
    assert all(name in field.metadata["option"]["help"] for name in METHODS.names())


def test_the_fine_tuning_is_part_of_the_recipe_and_all_else_may_change():
    about = {f.name: f.metadata["option"] for f in dataclasses.fields(CompareConfig)}
    recipe = {name for name, option in about.items() if option["identity"]}
    assert recipe == {"finetune_epochs", "finetune_rate", "finetune_schedule"}
