"""The cost polynomial: agrees with a plain loop, merges terms, survives JSON."""

import json
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from polynomials import terms_and_layers

from ns_tf.base import InputError
from ns_tf.networks.costs import ALWAYS, CostPolynomial


def _by_hand(terms, widths) -> int:
    """The definition, in Python's own integers."""
    x = [*(int(width) for width in widths), 1]
    return sum(
        c * math.prod(x[factor] for factor in factors)
        for c, *factors, (a, b) in terms
        if (a, b) == ALWAYS or x[a] != x[b]
    )


@hypothesis.given(case=terms_and_layers(), seed=st.integers(0, 2**32 - 1))
def test_cost_is_that_of_the_terms_one_by_one(case, seed):
    terms, layers = case
    # Few widths, so that many coincide.
    widths = np.random.default_rng(seed).choice([1, 2, 3, 511], (3, 2, layers))
    costs = CostPolynomial.collect("parameters", terms)(widths)
    assert costs.dtype == np.int64
    assert costs.shape == (3, 2)
    for place in np.ndindex(3, 2):
        assert costs[place] == _by_hand(terms, widths[place])


@hypothesis.given(case=terms_and_layers())
def test_json_brings_back_the_same_polynomial(case):
    polynomial = CostPolynomial.collect("MACs", case[0])
    text = json.dumps(polynomial.to_json())
    assert CostPolynomial.from_json(json.loads(text)).to_json() == polynomial.to_json()


@hypothesis.given(case=terms_and_layers(), seed=st.integers(0, 2**32 - 1))
def test_collect_does_not_mind_order_nor_which_factor_is_left(case, seed):
    terms, _ = case
    order = np.random.default_rng(seed).permutation(len(terms))
    swapped = [
        (c, *factors[::-1], differ[::-1])
        for c, *factors, differ in (terms[i] for i in order)
    ]
    expected = CostPolynomial.collect("parameters", terms).to_json()
    assert CostPolynomial.collect("parameters", swapped).to_json() == expected


def test_collect_adds_up_equal_terms_and_drops_those_that_cancel():
    terms = [
        (3, 0, 1, ALWAYS),
        (4, 1, 0, ALWAYS),
        (5, 2, 2, (0, 1)),
        (-5, 2, 2, (1, 0)),
    ]
    polynomial = CostPolynomial.collect("parameters", terms)
    assert polynomial.coefficient.tolist() == [7]
    assert polynomial.differ.tolist() == [[-1, -1]]


def test_a_projection_vanishes_where_its_widths_agree():
    polynomial = CostPolynomial.collect("parameters", [(1, 0, 1, (0, 1))])
    assert polynomial(np.array([[3, 5], [5, 5]])).tolist() == [15, 0]


def test_no_terms_cost_nothing():
    assert CostPolynomial.collect("parameters", [])([2, 3]).tolist() == 0


def test_large_costs_are_exact_or_refused():
    polynomial = CostPolynomial.collect("MACs", [(2**20 + 1, 0, 0, ALWAYS)])
    assert polynomial([2**21 - 1]) == (2**20 + 1) * (2**21 - 1) ** 2
    # Near the end of 64 bits the bound is passed before the sum is.
    mixed = CostPolynomial.collect("MACs", [(2**40, 0, 1, ALWAYS), (-1, 1, 1, ALWAYS)])
    assert mixed([1, 2**22]) == 2**62 - 2**44
    with pytest.raises(InputError, match="64 bits"):
        polynomial([2**22])


@pytest.mark.parametrize("widths", [[1.5, 2.0], 3, ["a", "b"]])
def test_only_whole_widths_have_a_cost(widths):
    polynomial = CostPolynomial.collect("parameters", [(1, 0, 1, ALWAYS)])
    with pytest.raises(InputError, match="whole widths"):
        polynomial(widths)


def test_too_few_widths_are_refused():
    polynomial = CostPolynomial.collect(
        "parameters", [(1, 0, 1, ALWAYS), (1, 0, 3, ALWAYS)]
    )
    with pytest.raises(InputError, match="has 3 widths; got 2"):
        polynomial([2, 3])


SOUND = {
    "unit": "parameters",
    "coefficient": [2, 3],
    "left": [0, 1],
    "right": [1, 2],
    "differ": [[-1, -1], [0, 1]],
}


@pytest.mark.parametrize(
    "damage",
    [
        {"unit": 5},
        {"coefficient": [2]},
        {"coefficient": [2, 3.5]},
        {"coefficient": [2, True]},
        {"coefficient": [2, 2**63]},
        {"coefficient": None},
        {"left": [0, -1]},
        {"right": [0, "1"]},
        {"right": [0, 2**70]},
        {"differ": [[-1, -1], [0, 0]]},
        {"differ": [[-1, -1], [0]]},
        {"differ": [[-1, -1], [-1, 1]]},
        {"differ": [[-1, -1], []]},
        {"differ": [[-1, -1], [0, 2**70]]},
        {"differ": [[-1, -1], 0]},
        {"third": [0]},
        {"third": [-2, -1]},
        {"third": [0, 2**31]},
    ],
    ids=str,
)
def test_damaged_json_is_refused_in_one_line(damage):
    CostPolynomial.from_json(SOUND)
    with pytest.raises(InputError, match="no cost polynomial") as error:
        CostPolynomial.from_json(SOUND | damage)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [None, [], "text", {}, 3])
def test_json_of_something_else_is_refused(data):
    with pytest.raises(InputError, match="no cost polynomial"):
        CostPolynomial.from_json(data)
