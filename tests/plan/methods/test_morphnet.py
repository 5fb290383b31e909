"""MorphNet: the widths at which half of the filters were left, in proportion."""

import dataclasses

import numpy as np
import pytest
from toys import DEFAULT, params, toy_search

from ns_tf.base import InputError
from ns_tf.plan import methods


def with_history(history):
    """A search of one iteration that removed filters like this."""
    record = toy_search(1)
    (state,) = record.states
    trace = dataclasses.replace(state.trace, history=np.array(history))
    return dataclasses.replace(
        record, states=(dataclasses.replace(state, trace=trace),)
    )


def test_morphnet_scales_the_first_widths_of_at_most_half_the_filters():
    """13 + 17 + 19 are 49 filters: 24 are the first that are at most a half."""
    record = with_history([[13, 11, 7], [11, 7, 7], [7, 7, 10], [3, 3, 3]])
    curve = methods.curve(record, "morphnet")
    np.testing.assert_allclose(curve(params((7, 7, 10))), (7, 7, 10))
    np.testing.assert_allclose(curve(9 * params((7, 7, 10))), (21, 21, 30))


def test_morphnet_reads_the_iteration_that_it_is_given():
    record = toy_search(3)
    curves = [methods.curve(record, "morphnet", i)(1e4) for i in (1, 2, 3)]
    assert not np.allclose(curves[0], curves[2])
    with pytest.raises(InputError, match="iterations 1 to 3"):
        methods.curve(record, "morphnet", 4)


def test_a_pruning_that_never_came_to_half_is_refused_and_the_flag_is_named():
    record = with_history([DEFAULT, [12, 7, 6]])
    with pytest.raises(InputError, match="above half of 49.*--stop_fraction"):
        methods.curve(record, "morphnet")
