"""NeuralScale: the law of an iteration."""

import numpy as np
import pytest
from toys import toy_search

from ns_tf.base import InputError
from ns_tf.plan import methods


@pytest.mark.parametrize("iteration", [1, 2, 3])
def test_the_curve_is_the_law_of_the_iteration(iteration):
    record = toy_search(3)
    law = record.states[iteration - 1].law
    curve = methods.curve(record, "neuralscale", iteration)
    for tau in (101.0, 10007.0, 1e6):
        expected = [a * tau**b for a, b in zip(law.alpha, law.beta, strict=True)]
        np.testing.assert_allclose(curve(tau), expected)
    assert curve.tau_range == law.tau_range and curve.start == law.tau_range[1]


def test_the_last_iteration_counts_unless_one_is_named():
    record = toy_search(3)
    last = methods.curve(record, "neuralscale", 3)
    np.testing.assert_array_equal(methods.curve(record, "neuralscale")(1e4), last(1e4))
    for iteration in (0, 4):
        with pytest.raises(InputError, match="iterations 1 to 3"):
            methods.curve(record, "neuralscale", iteration)


def test_a_search_without_an_iteration_has_no_law():
    with pytest.raises(InputError, match="no finished iteration"):
        methods.curve(toy_search(0), "neuralscale")
