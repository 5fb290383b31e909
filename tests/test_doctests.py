"""The examples in docstrings print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import ns_tf


def modules():
    for module in pkgutil.walk_packages(ns_tf.__path__, "ns_tf."):
        if "runtimes" not in module.name:
            spec = module.module_finder.find_spec(module.name)
            if ">>>" in (spec.loader.get_source(module.name) or ""):
                yield module.name


NAMES = sorted(modules())


@pytest.mark.parametrize("name", NAMES)
def test_examples_print_what_they_say(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


def test_formulas_have_examples():
    """Of the modules that hold the paper's formulas, and of every criterion."""
    expected = """
        ns_tf.scaling.law ns_tf.scaling.solve ns_tf.scaling.curves
        ns_tf.prune.removal ns_tf.prune.rebuilding ns_tf.prune.config ns_tf.train.config
        ns_tf.prune.criteria.taylor_fo ns_tf.prune.criteria.magnitude
        ns_tf.networks.costs
    """.split()
    assert set(expected) <= set(NAMES)
