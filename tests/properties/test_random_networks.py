"""Networks drawn of all known layers: removal, costs, plans and files are exact."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_graphs import TOKENS, Mixed
from random_graphs import assert_removing_is_zeroing, stamp

from ns_tf.base import InputError
from ns_tf.budgets import exact_costs
from ns_tf.graph.shapes import shape_of
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.solve import at_cost


def assert_all_is_exact(seed: int, path) -> None:
    """Of the network of a seed.

    Args:
        seed: Draws the network.
        path: Of a file that may be written.
    """
    rng = np.random.default_rng(seed)
    model = stamp(Mixed(rng).model(), rng)
    assert_removing_is_zeroing(model, rng)
    try:
        architecture = from_model(model)
    except InputError as error:
        assert "no layer whose width is free" in str(error)
        return
    structure = analyse(architecture, shape_of(model), 5)
    widths = rng.integers(1, 9, len(architecture.widths))
    small = structure.build(widths.tolist())
    costs = exact_costs(structure)
    assert int(costs["params"](widths)) == count_params(small)
    again = analyse(from_model(small), shape_of(small), 5)
    own = np.array(again.architecture.widths)
    for name, cost in exact_costs(again).items():
        assert int(cost(own)) == int(costs[name](widths)), name
    assert_plans_fit(costs, architecture.widths, rng)
    assert_file_is_the_network(small, path, rng)


def assert_plans_fit(costs, widths, rng) -> None:
    for name in ("params", "macs"):
        least, most = (int(costs[name](np.full(len(widths), n))) for n in (1, 9))
        if least < most:
            target = int(rng.integers(least, most))
            found = at_cost(uniform_curve(widths), costs, {name: target})
            assert int(costs[name](np.array(found.widths))) <= target


def assert_file_is_the_network(model, path, rng) -> None:
    model.save(path)
    examples = rng.integers(0, TOKENS, (3, *model.input_shape[1:]))
    examples = examples.astype(model.inputs[0].dtype)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again(examples), model(examples))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("random") / "small.keras"


@pytest.fixture(scope="module")
def double():
    """As the fixture `float64`, for all examples of a test."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@settings(max_examples=2)
@given(seed=st.integers(0, 2**31))
def test_random_networks_are_exact(seed, path, double):
    assert_all_is_exact(seed, path)


@pytest.mark.slow
@settings(max_examples=150)
@given(seed=st.integers(2**31, 2**32))
def test_many_random_networks_are_exact(seed, path, double):
    assert_all_is_exact(seed, path)
