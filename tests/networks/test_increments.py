"""What a cost grows by: the difference of costs, anew or step by step."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
from polynomials import terms_and_layers

from ns_tf.networks.costs import ALWAYS, CostPolynomial


@hypothesis.given(
    case=terms_and_layers(), seed=st.integers(0, 2**32 - 1), step=st.integers(1, 8)
)
def test_increments_are_differences_of_costs(case, seed, step):
    terms, layers = case
    widths = np.random.default_rng(seed).choice([1, 2, 3, 11], layers)
    cost = CostPolynomial.collect("parameters", terms)
    grown = widths + step * np.eye(layers, dtype=int)
    increments = cost.increments(layers)
    found = increments(widths, step)
    if increments.constant:
        assert increments(widths + 5, step).tolist() == found.tolist()
    assert found.tolist() == (cost(grown) - cost(widths)).tolist()


def test_increments_of_a_sum_of_single_widths_are_constant():
    cost = CostPolynomial.collect("bytes", [(7, 0, 2, ALWAYS), (3, 1, 2, ALWAYS)])
    assert cost.increments(2).constant
    product = CostPolynomial.collect("bytes", [(7, 0, 1, ALWAYS)])
    assert not product.increments(2).constant


@hypothesis.given(case=terms_and_layers(), seed=st.integers(0, 2**32 - 1))
def test_step_by_step_they_are_those_of_the_widths_so_far(case, seed):
    terms, layers = case
    rng = np.random.default_rng(seed)
    widths, step = rng.choice([1, 2, 3, 11], layers), rng.choice([1, 2, 8], layers)
    increments = CostPolynomial.collect("parameters", terms).increments(layers)
    more = increments(widths, step)
    for layer in rng.integers(0, layers, 5):
        increments.follow(more, widths, step, layer)
        widths[layer] += step[layer]
        assert more.tolist() == increments(widths, step).tolist()
