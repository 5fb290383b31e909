"""Recurrent layers with gates compute what their layers do, or what is left of it."""

import keras
import numpy as np
import pytest
from picked import picked

from ns_tf.graph.open_recurrent import opened, opened_sides

layers = keras.layers
UNITS, KEEP = 5, np.array([True, False, True, True, False])
SEQUENCE = {"return_sequences": True}
RECURRENT = {
    "simple": lambda n: layers.SimpleRNN(n, **SEQUENCE),
    "lstm": lambda n: layers.LSTM(n, go_backwards=True, unroll=True),
    "gru": lambda n: layers.GRU(n, **SEQUENCE),
    "gru, before": lambda n: layers.GRU(n, reset_after=False, use_bias=False),
    "both": lambda n: layers.Bidirectional(layers.GRU(n, reset_after=False)),
    "own cell": lambda n: layers.RNN(layers.LSTMCell(n), **SEQUENCE),
    "mean": lambda n: layers.Bidirectional(layers.LSTM(n), merge_mode="ave"),
}


def gated(layer):
    """The layer with gates."""
    both = isinstance(layer, layers.Bidirectional)
    return opened_sides(layer) if both else opened(layer)


def columns(weight, keep) -> np.ndarray:
    """A recurrent layer's weight without the units that go, by their meaning."""
    array = np.array(weight)
    blocks = array.reshape(*array.shape[:-1], -1, UNITS)[..., keep]
    array = blocks.reshape(*array.shape[:-1], -1)
    return array[keep] if weight.name == "recurrent_kernel" else array


@pytest.fixture(params=RECURRENT)
def recurrent(request, rng, float64):
    """(the layer of 5 units, one of the 3 kept, one that takes gates, its input)."""
    whole, thin = (RECURRENT[request.param](n) for n in (UNITS, int(KEEP.sum())))
    open_, x = gated(whole), rng.normal(size=(4, 6, 3))
    sides = 2 if isinstance(whole, layers.Bidirectional) else 1
    whole(x), thin(x), open_(x, gates=np.ones((4, sides * UNITS)))
    for number, weight in enumerate(whole.weights):
        weight.assign(rng.normal(size=weight.shape))
        thin.weights[number].assign(columns(weight, KEEP))
        open_.weights[number].assign(weight)
    return whole, thin, open_, x, sides


def test_with_open_gates_it_is_the_layer(recurrent):
    whole, _, open_, x, sides = recurrent
    found = open_(x, gates=np.ones((4, sides * UNITS)))
    np.testing.assert_allclose(found, whole(x), atol=1e-12)
    assert [w.name for w in open_.weights] == [w.name for w in whole.weights]
    assert open_.name == whole.name


def test_closed_units_are_not_read_and_every_example_has_its_gates(recurrent):
    whole, thin, open_, x, sides = recurrent
    gates = np.ones((4, sides * UNITS))
    gates[0] = np.tile(KEEP, sides)
    found = np.array(open_(x, gates=gates))
    kept = np.tile(KEEP, found.shape[-1] // UNITS)
    np.testing.assert_allclose(found[:1][..., kept], thin(x[:1]), atol=1e-12)
    np.testing.assert_allclose(found[1:], np.array(whole(x))[1:], atol=1e-12)


def test_steps_that_are_masked_stay_so(rng, float64):
    mask = np.arange(6) < np.array([6, 2, 4, 1])[:, None]
    x, gates = rng.normal(size=(4, 6, 3)), np.ones((4, UNITS))
    for make in (RECURRENT["gru"], RECURRENT["simple"]):
        whole = make(UNITS)
        expected = whole(x, mask=mask)
        open_ = gated(whole)
        open_(x, gates=gates)
        open_.set_weights(whole.get_weights())
        np.testing.assert_allclose(
            open_(x, gates=gates, mask=mask), expected, atol=1e-12
        )


@pytest.mark.parametrize(
    ("kind", "options"),
    picked(
        lambda one: (one[0] is layers.LSTM) == (not one[1]),
        [layers.LSTM, layers.GRU],
        [{}, {"implementation": 1}],
    ),
)
def test_dropout_draws_what_the_layer_draws(kind, options, rng, float64):
    options = {**options, "dropout": 0.3}
    if "implementation" in options:
        options["recurrent_dropout"] = 0.2
    whole, x = kind(UNITS, seed=7, **options), rng.normal(size=(4, 6, 3))
    open_, gates = gated(whole), np.ones((4, UNITS))
    whole.build(x.shape)
    open_.build(x.shape)
    open_.set_weights(whole.get_weights())
    expected = whole(x, training=True)
    np.testing.assert_allclose(
        open_(x, gates=gates, training=True), expected, atol=1e-12
    )
    assert not np.allclose(whole(x), expected)


def left(whole, thin, keep: list[np.ndarray]) -> None:
    """Gives a thin layer the weights of the units that are kept, cell by cell."""
    cells = [getattr(one.cell, "cells", [one.cell]) for one in (whole, thin)]
    before = None
    for one, other, own in zip(*cells, keep, strict=True):
        for weight, target in zip(one.weights, other.weights, strict=True):
            array = np.array(weight)
            blocks = array.reshape(*array.shape[:-1], -1, len(own))[..., own]
            array = blocks.reshape(*array.shape[:-1], -1)
            rows = {"kernel": before, "recurrent_kernel": own}.get(weight.name)
            target.assign(array if rows is None else np.compress(rows, array, -2))
        before = own


def stacked(sizes):
    kinds = layers.GRUCell, layers.LSTMCell, layers.SimpleRNNCell
    cells = [kind(n) for kind, n in zip(kinds, sizes, strict=True)]
    return layers.RNN(cells, return_sequences=True, return_state=True)


def images(sizes):
    return layers.ConvLSTM2D(*sizes, 3, strides=2, return_state=True)


@pytest.mark.parametrize(
    "make, keep, shape",
    [
        (stacked, [KEEP, np.arange(4) < 3, np.arange(3) > 0], (6, 3)),
        (images, [KEEP], (6, 5, 4, 3)),
        pytest.param(
            *(lambda n: layers.ConvLSTM1D(*n, 2, **SEQUENCE), [KEEP], (6, 5, 3)),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["stacked", "images", "rows"],
)
def test_cells_in_a_row_and_cells_that_convolve(make, keep, shape, rng, float64):
    whole, thin = make([len(k) for k in keep]), make([k.sum() for k in keep])
    open_, x = opened(whole), rng.normal(size=(4, *shape))
    both = np.concatenate(keep)
    whole(x), thin(x), open_(x, gates=np.ones((4, len(both))))
    for weight, target in zip(whole.weights, open_.weights, strict=True):
        weight.assign(rng.normal(size=weight.shape))
        target.assign(weight)
    left(whole, thin, keep)
    symbolic = open_(keras.Input(shape), gates=keras.Input((len(both),)))
    for gates, other in ((np.ones_like(both), whole), (both, thin)):
        found = open_(x, gates=np.repeat(gates[None] * 1.0, 4, axis=0))
        found, expected = (keras.tree.flatten(one) for one in (found, other(x)))
        specs = keras.tree.flatten(symbolic)
        for one, two, spec in zip(found, expected, specs, strict=True):
            own = next((k for k in keep if len(k) == one.shape[-1]), None)
            one = np.array(one)[..., own] if other is thin else np.array(one)
            np.testing.assert_allclose(one, two, atol=1e-12)
            assert spec.shape[1:-1] == one.shape[1:-1]


def test_states_that_are_given_are_those_of_the_layer(rng, float64):
    whole, x = layers.LSTM(UNITS, return_state=True), rng.normal(size=(4, 6, 3))
    states = [rng.normal(size=(4, UNITS)) for _ in range(2)]
    expected, open_ = whole(x, initial_state=states), opened(whole)
    open_(x, gates=np.ones((4, UNITS)))
    open_.set_weights(whole.get_weights())
    found = open_(x, initial_state=states, gates=np.ones((4, UNITS)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("mode", [None, "concat", "sum"])
def test_two_sides_put_out_what_they_did(mode, rng, float64):
    side = layers.LSTM(UNITS, return_state=True, return_sequences=True)
    whole = layers.Bidirectional(side, merge_mode=mode)
    x, gates = rng.normal(size=(4, 6, 3)), np.ones((4, 2 * UNITS))
    expected, open_ = whole(x), opened_sides(whole)
    open_(x, gates=gates)
    open_.set_weights(whole.get_weights())
    symbolic = open_(keras.Input((6, 3)), gates=keras.Input((2 * UNITS,)))
    found = open_(x, gates=gates)
    for one, other, spec in zip(found, expected, symbolic, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
        assert spec.shape[1:] == one.shape[1:]
