"""What is measured: axes that reach what plans may have, in few entries."""

import math

import keras
import numpy as np
import pytest
from conftest import HANDMADE
from hypothesis import given
from hypothesis import strategies as st
from picked import picked

from ns_tf.measure.survey import Detail, Survey, axis, multiples
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is

# Of whose parts the other handmade networks are made.
PARTED = "residual", "concat", "depthwise", "excite", "shared", "flatten"


@given(st.integers(1, 9), st.integers(0, 900), st.integers(1, 16), st.integers(2, 14))
def test_an_axis_has_both_ends_multiples_between_and_few_entries(low, more, step, most):
    found = axis(low, low + more, step, most)
    assert found[0] == low and found[-1] == low + more and len(found) <= max(most, 2)
    assert found == sorted(set(found))
    assert all(n % step == 0 for n in found[1:-1])


@pytest.mark.parametrize("name", picked(PARTED, HANDMADE))
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
    assert survey.networks == (*survey.whole, *survey.between)
    models = sum(len(shape.points) for shape in survey.shapes)
    assert survey.count == models + len(survey.networks)
    for shape in survey.shapes:
        place = len(shape.points) // 2
        model = shape.unit.built(*shape.points[place])
        count = sum(math.prod(weight.shape) for weight in model.weights)
        assert shape.weights.ravel()[place] * 1e6 == pytest.approx(count)


@given(
    st.lists(st.tuples(st.integers(1, 99), st.floats(0.01, 1)), min_size=1),
    st.integers(1, 16),
)
def test_whole_networks_have_widths_as_in_the_tables_or_none_of_them(layers, step):
    largest = np.array([most for most, _ in layers])
    widths = largest * [share for _, share in layers]
    near = multiples(np.maximum(widths, 1), largest, step)
    for width, at, most in zip(widths, near, largest, strict=True):
        assert 1 <= at <= most
        assert at % step == 0 or at == most or at < step
        assert abs(at - width) <= max(step / 2, 1)


def test_every_second_whole_network_is_uniform_of_every_size():
    structure = as_it_is(from_model(HANDMADE["concat"]()))
    largest = np.full(len(structure.names), 400)
    whole = np.array(Survey.of(structure, largest, Detail(networks=8)).whole)
    assert (whole[0] == largest).all() and (np.diff(whole[::2, 0]) < 0).all()
    assert whole[6, 0] == pytest.approx(400 * 0.15 ** (6 / 7), abs=4)
    spread = whole.std(axis=1) / whole.mean(axis=1)
    assert (spread[::2] == 0).all() and (spread[1::2] > 0.05).all()


def test_widths_that_no_table_tells_stay_in_all_networks():
    tokens = keras.Input((6, 24))
    x = keras.layers.MultiHeadAttention(4, 2, output_shape=24, name="a")(tokens, tokens)
    x = keras.layers.GlobalAveragePooling1D(name="average")(x)
    model = keras.Model(tokens, keras.layers.Dense(2, name="logits")(x), name="net")
    structure = as_it_is(from_model(model))
    own = dict(zip(structure.names, [16, 16, 16, 96], strict=True))
    survey = Survey.of(structure, [*own.values()], Detail(points=3, networks=5))
    networks = (*survey.networks, survey.usual, survey.network.largest)
    kept = {
        name: {widths[place] for widths in networks}
        for place, name in enumerate(structure.names)
    }
    assert kept["a/heads"] == {4} and kept["a/key_dim"] == kept["a/value_dim"] == {2}
    assert len(kept["a"]) > 2


def test_some_networks_are_measured_between_the_tables_widths():
    structure = as_it_is(from_model(HANDMADE["chain"]()))
    survey = Survey.of(structure, (40, 24), Detail(networks=7))
    assert len(survey.between) == 3
    assert all(a % 8 and b % 8 for a, b in survey.between[::2])
    for near, other in zip(survey.whole[:3], survey.between, strict=True):
        assert 0 < max(np.subtract(near, other)) < 8
    assert not Survey.of(structure, (40, 24), Detail(step=1, networks=7)).between


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
