"""Criteria and gatings by one name."""

import pytest

from ns_tf.base import InputError
from ns_tf.prune import criteria, gatings, method


def test_names_are_those_of_criteria_and_gatings():
    both = [*criteria.CRITERIA.names(), *gatings.GATINGS.names()]
    assert method.names() == sorted(both) and len(set(both)) == len(both)
    for name in both:
        assert method.get(name).name == name


def test_names_may_be_of_one_level():
    assert {"sss", "gal"} <= set(method.names(method.BLOCK)) < set(method.names())
    assert all("block" in method.get(n).levels for n in method.names(method.BLOCK))


def test_an_unknown_name_suggests_the_nearest_of_both():
    for name, near in (("slimmin", "slimming"), ("taylor_fx", "taylor_f")):
        with pytest.raises(InputError, match=f"Unknown method.*Did you mean '{near}"):
            method.get(name)


def test_a_method_is_a_criterion_or_a_gating():
    with pytest.raises(NotImplementedError):
        method.Method(name="new", scope="global").scorer(None)
