"""What a network costs by tables: the sum of its layers, and a posynomial near it."""

import numpy as np
import pytest
from laws import PRICES, toy_device, toy_ms
from toys import toy_search

from ns_tf.devices.cost import PER_MS, Form, TableCost, Use, uses_of
from ns_tf.devices.tables import Table, monomials

DEVICE = toy_device(toy_search())
AXIS = np.array([1.0, 8, 32])


def test_a_cost_is_the_sum_of_the_layers(rng):
    widths = rng.integers(1, 64, (5, 7, 3))
    found = DEVICE.cost(widths)
    expected = [[toy_ms(one) for one in row] for row in widths.tolist()]
    np.testing.assert_allclose(found, expected)


def test_the_posynomial_of_bilinear_tables_is_their_cost(rng):
    ((near,), (floor,)) = DEVICE.cost.near, DEVICE.cost.floors
    for widths in rng.integers(1, 64, (9, 3)):
        assert int(near(widths)) == pytest.approx(PER_MS * toy_ms(widths), rel=1e-9)
        assert int(floor(widths)) == pytest.approx(int(near(widths)), rel=1e-6)


def test_a_projection_counts_where_its_widths_differ():
    table = Table("conv", AXIS, AXIS, monomials(AXIS, AXIS) @ PRICES, PRICES)
    use = Use(0, Form(0, ((0, 1),)), Form(2, ((1, 3),)), differ=(0, 1))
    cost = TableCost([table], [use])
    assert cost(np.array([7, 7])) == 0 and int(cost.near[0](np.array([7, 7]))) == 0
    assert not cost.floors[0](np.array([5, 7]))
    expected = (monomials([5], [2 + 3 * 7]) @ PRICES).item()
    assert cost(np.array([5, 7])) == pytest.approx(expected)
    assert int(cost.near[0](np.array([5, 7]))) == pytest.approx(PER_MS * expected)


def test_forms_and_uses_are_read_again():
    form = Form(2, ((1, 3), (4, 1)))
    assert Form.from_json(form.to_json()) == form
    entry = {"table": 0, "reads": [[0, 1]], "makes": [[-1, 5]], "differ": [-1, -1]}
    (use,) = uses_of([{**entry, "layers": ["conv"]}], tables=1, widths=1)
    assert use == Use(0, Form(0, ((0, 1),)), Form(5), layers=("conv",))


@pytest.mark.parametrize(
    "change", [{"table": 1}, {"reads": [[3, 1]]}, {"differ": [0]}, {"differ": [0, 3]}]
)
def test_a_use_of_what_there_is_not_is_refused(change):
    entry = {"table": 0, "reads": [[0, 1]], "makes": [[-1, 5]], "differ": [-1, -1]}
    with pytest.raises(ValueError):
        uses_of([{**entry, "layers": ["conv"], **change}], tables=1, widths=2)
