"""What holds of every kind of part: a file a member, names, no name twice."""

import importlib
import pkgutil

import pytest

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.data import sources
from ns_tf.export import formats
from ns_tf.measure import runtimes
from ns_tf.networks import architectures
from ns_tf.plan import methods
from ns_tf.problem import tasks
from ns_tf.prune import allocations, criteria, gatings, repairs, signals
from ns_tf.registry import Registry
from ns_tf.train import recipes

# Package -> (its registry, what of a member its file defines).
KINDS = {
    architectures: (architectures.ARCHITECTURES, lambda member: member.builder),
    criteria: (criteria.CRITERIA, lambda member: member.formula),
    gatings: (gatings.GATINGS, lambda member: type(member.formulas)),
    signals: (signals.SIGNALS, lambda member: member.scores),
    allocations: (allocations.ALLOCATIONS, lambda member: member.curve),
    repairs: (repairs.REPAIRS, lambda member: member.apply),
    recipes: (recipes.RECIPES, lambda member: member[1]),
    budgets: (budgets.BUDGETS, lambda member: member.cost),
    sources: (sources.SOURCES, lambda member: member),
    methods: (methods.METHODS, lambda member: member.curve or member.propose),
    tasks: (tasks.TASKS, type),
    formats: (formats.FORMATS, lambda member: member.write),
    runtimes: (runtimes.RUNTIMES, lambda member: member.make),
}


def every(package):
    return pytest.mark.parametrize("package", KINDS, ids=lambda one: one.__name__)(
        package
    )


def test_these_are_all_registries():
    """A registry that is none of these would not be tested."""
    found = set()
    import ns_tf

    for module in pkgutil.walk_packages(ns_tf.__path__, "ns_tf."):
        if module.ispkg and module.name != "ns_tf.export.runtimes":
            members = vars(importlib.import_module(module.name)).values()
            found |= {id(one) for one in members if isinstance(one, Registry)}
    assert found == {id(registry) for registry, _ in KINDS.values()}


@every
def test_every_file_of_a_kind_registers_a_member(package):
    registry, function = KINDS[package]
    files = {
        f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)
    }
    members = {function(registry.get(name)).__module__ for name in registry.names()}
    assert files <= members
    assert {name for name in members if name.startswith("ns_tf.")} == files


@every
def test_every_kind_suggests_the_nearest_name(package):
    registry, _ = KINDS[package]
    for name in registry.names():
        with pytest.raises(InputError, match="Did you mean"):
            registry.get(name + "x")


@every
def test_no_name_is_given_twice(package):
    registry, _ = KINDS[package]
    name = registry.names()[0]
    with pytest.raises(ValueError, match=name):
        registry.register(name)(registry.get(name))


@every
def test_members_say_what_they_are(package):
    registry, function = KINDS[package]
    for name in registry.names():
        assert function(registry.get(name)).__doc__, name
