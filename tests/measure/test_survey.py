"""What is measured: axes that reach what plans may have, in few entries."""

import numpy as np
import pytest
from conftest import HANDMADE
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.measure.survey import Detail, Survey, axis
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is


@given(st.integers(1, 9), st.integers(0, 900), st.integers(1, 16), st.integers(2, 14))
def test_an_axis_has_both_ends_multiples_between_and_few_entries(low, more, step, most):
    found = axis(low, low + more, step, most)
    assert found[0] == low and found[-1] == low + more and len(found) <= max(most, 2)
    assert found == sorted(set(found))
    assert all(n % step == 0 for n in found[1:-1])


@pytest.mark.parametrize("name", HANDMADE)
def test_tables_reach_every_network_and_their_points_can_be_built(name, rng):
    structure = as_it_is(from_model(HANDMADE[name]()))
    largest = rng.integers(20, 40, len(structure.names))
    survey = Survey.of(structure, largest, Detail(points=3, networks=4))
    for widths in (np.ones_like(largest), largest):
        for use in survey.uses:
            shape = survey.shapes[use.table]
            for form, of in ((use.reads, shape.reads), (use.makes, shape.makes)):
                assert of[0] <= form.at(widths) <= of[-1]
    assert len(survey.whole) == 4 and survey.whole[0] == tuple(largest)
    assert survey.count == 4 + sum(len(shape.points) for shape in survey.shapes)
    for shape in survey.shapes:
        shape.unit.built(*shape.points[len(shape.points) // 2])


def test_the_digest_is_of_what_is_measured():
    structure = as_it_is(from_model(HANDMADE["chain"]()))
    one, same, other = (
        Survey.of(structure, (40, 40), Detail(points=points)).digest
        for points in (4, 4, 3)
    )
    assert one == same != other and len(one) == 6


def test_a_flattened_map_has_no_channels_between():
    structure = as_it_is(from_model(HANDMADE["flatten"]()))
    survey = Survey.of(structure, (11, 13), Detail())
    hidden = next(s for s in survey.shapes if s.unit.layers == ("hidden",))
    assert (hidden.reads % 9 == 0).all() and hidden.reads[-1] == 9 * 11
