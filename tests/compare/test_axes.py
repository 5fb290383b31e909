"""One table of axes: figures of rows, their columns, what is drawn."""

import types

import pytest

from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.compare import axes
from ns_tf.compare.axes import AXES, Axis


def row(*accuracies, **costs):
    return types.SimpleNamespace(accuracies=accuracies, costs=costs)


def test_axes_have_keys_of_their_own_and_are_budgets_or_milliseconds():
    keys = [key for axis in AXES for key in axis.keys]
    assert len(set(keys)) == len(keys)
    names = {axis.name for axis in AXES} - {"device_ms", "nonzero"}
    assert names <= set(BUDGETS.names())
    for axis in AXES:
        assert "," not in axis.label
        assert axis.unit in axis.caption and axis.unit in axis.head


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_a_figure_that_is_not_known_is_a_dash(axis):
    assert axis.text({}) == axis.text(dict.fromkeys(axis.keys)) == "-"
    assert axis.text({axis.name: 1019}).startswith(("1,019", "1019"))


def test_columns_are_the_axes_that_rows_have_keys_of():
    rows = [row(0.5, params=3, flash=None), row(macs=5)]
    assert [axis.name for axis in axes.present(rows)] == ["params", "macs", "flash"]
    assert axes.present([]) == []


def test_what_is_drawn_every_trained_row_has():
    rows = [row(0.5, params=3, macs=5, flash=None), row(0.5, params=7), row(macs=5)]
    assert [axis.name for axis in axes.complete(rows)] == ["params"]


def test_the_figures_of_a_row_are_means_or_a_reason():
    def refuse(network):
        raise InputError("it is odd.")

    some = [
        Axis("whole", "w", "w", lambda network: (network,)),
        Axis("ms", "m", "m", lambda network: (network, None), form=".2f", beside="p95"),
        Axis("odd", "odd, bytes", "o", refuse),
    ]
    costs, reasons = axes.costs_of(some, [3, 8])
    assert costs == {"whole": 6, "ms": 5.5, "p95": None, "odd": None}
    assert reasons == ["No figure under odd, bytes: it is odd."]
    nothing = dict.fromkeys(("whole", "ms", "p95", "odd"))
    assert axes.costs_of(some, []) == (nothing, [])


def test_a_row_of_a_file_has_the_costs_that_were_written():
    written = {"method": "a", "params": 3, "latency_ms": None, "accuracies": []}
    assert axes.costs_in(written) == {"params": 3, "latency_ms": None}
