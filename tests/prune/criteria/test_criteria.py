"""What every criterion declares, and how scores of layers are made comparable."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.prune import criteria
from ns_tf.prune.criteria import CRITERIA, by_layer


def test_criteria_say_what_they_read_and_where_they_hold():
    found = {name: criteria.get(name) for name in ("taylor_fo", "magnitude", "random")}
    assert {n: (c.reads, c.scope) for n, c in found.items()} == {
        "taylor_fo": ("gate_gradient", "global"),
        "magnitude": ("kernel", "layer"),
        "random": ("noise", "global"),
    }


def test_an_unknown_criterion_suggests_the_nearest():
    with pytest.raises(
        InputError, match="criterion 'taylor'. Did you mean 'taylor_fo'"
    ):
        criteria.get("taylor")


def test_a_criterion_must_name_what_it_reads_and_where_it_holds():
    before = CRITERIA.names()
    with pytest.raises(ValueError, match="got 'global', 'gradient'"):
        criteria.criterion("new", scope="global")(lambda gradient: gradient)
    with pytest.raises(ValueError, match="got 'everywhere', 'noise'"):
        criteria.criterion("new", scope="everywhere")(lambda noise: noise)
    with pytest.raises(ValueError, match="'random' is registered twice"):
        criteria.criterion("random", scope="global")(lambda noise: noise)
    with pytest.raises(ValueError):
        criteria.criterion("new", scope="global")(lambda noise, kernel: noise)
    assert CRITERIA.names() == before


def test_shares_of_a_layer_are_what_would_be_gone():
    shares = by_layer(np.array([0.3, 0.1, 0.2]), 2)
    np.testing.assert_allclose(shares, [5 / 5, 3 / 5, 4 / 5])
    np.testing.assert_allclose(by_layer(np.zeros(4), 0), [0.25, 0.5, 0.75, 1])
