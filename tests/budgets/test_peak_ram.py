"""Peak RAM as a budget: plans are within it, use it, and need no network."""

import keras
import numpy as np
import pytest
from searches import made_up

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import exact_costs
from ns_tf.descend.record import new_search, read_search, write_search
from ns_tf.networks import architectures
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse
from ns_tf.plan.plan import make_plan


@pytest.fixture(scope="module")
def search():
    """A search that nobody did, of VGG11."""
    structure = analyse(architectures.get("vgg11"), (32, 32, 3), 10)
    plain = new_search(structure, "made up", structure.architecture.widths)
    return made_up(plain, np.random.default_rng(7))


def test_the_budget_is_kept_with_a_search_and_read_again(search, tmp_path, rng):
    write_search(tmp_path, search)
    again = read_search(tmp_path)
    widths = rng.integers(1, 97, (11, 8))
    for name in ("peak_ram", "peak_ram_float32"):
        assert (again.costs[name](widths) == search.costs[name](widths)).all()


@pytest.mark.parametrize("method", ["neuralscale", "uniform", "priced"])
@pytest.mark.parametrize(
    "targets",
    [
        {"peak_ram": 65_537},
        {"peak_ram": 24_001, "params": 200_003},
        {"peak_ram_float32": 100_003, "weight_bytes_int8": 150_001, "macs": 9e6},
    ],
    ids=lambda targets: "+".join(targets),
)
def test_plans_are_within_and_no_layer_can_grow(search, method, targets):
    exponent = 2.0 if method == "priced" else None
    plan = make_plan(search, targets, method=method, price_exponent=exponent)
    costs = {name: search.costs[name] for name in targets}
    widths = np.array(plan.widths)
    told = {name: int(cost(widths)) for name, cost in costs.items()}
    assert told == {name: int(cost) for name, cost in plan.scaling.costs.items()}
    assert all(told[name] <= most for name, most in targets.items())
    assert max(told[name] / most for name, most in targets.items()) > 0.99
    for grown in widths + np.eye(8, dtype=int):
        over = [int(cost(grown)) > targets[name] for name, cost in costs.items()]
        assert any(over) or grown.max() > 2**16


def test_a_plan_at_a_price_is_near_its_bound_where_filters_are_small(search):
    targets = {"peak_ram": 30_000_000}
    plan = make_plan(search, targets, method="priced", price_exponent=2.0)
    assert 0 <= plan.pricing.gap < 0.01
    assert plan.pricing.shares == {"peak_ram": pytest.approx(1.0)}


def test_a_budget_that_does_not_bind_changes_nothing(search):
    for method, exponent in (("neuralscale", None), ("priced", 2.0)):
        chosen = {"method": method, "price_exponent": exponent}
        alone = make_plan(search, {"params": 100_003}, **chosen)
        ample = make_plan(search, {"params": 100_003, "peak_ram": 8e7}, **chosen)
        assert alone.widths == ample.widths


def test_a_network_with_unknown_layers_has_its_other_budgets():
    image = keras.Input((8, 8, 3))
    x = keras.layers.LayerNormalization(name="odd")(keras.layers.Conv2D(11, 3)(image))
    x = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x))
    structure = analyse(from_model(keras.Model(image, x, name="mine")), (8, 8, 3), 5)
    assert {"params", "macs"} <= exact_costs(structure).keys()
    assert "peak_ram" not in exact_costs(structure)
    with pytest.raises(InputError, match="peak_ram cannot be counted on mine.*'odd'"):
        budgets.get("peak_ram").cost(structure)


def test_too_little_is_refused_with_what_the_smallest_network_needs(search):
    least = int(search.costs["peak_ram"](np.ones(8, int)))
    with pytest.raises(InputError, match=f"smallest network .* costs {least:,}"):
        make_plan(search, {"peak_ram": least - 1})
