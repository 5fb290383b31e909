"""Layers that take gates compute what their layers do, and what is left of them."""

import keras
import numpy as np
import pytest

from ns_tf.graph.within import opened

layers = keras.layers
UNITS, KEEP = 5, np.array([True, False, True, True, False])

# Of sizes that are all different: 5 heads, 3 entries of a key, 2 of a value.
ATTENTION = {
    "heads": lambda n, k, v: layers.MultiHeadAttention(n, k, v, output_shape=7),
    "over pixels": lambda n, k, v: layers.MultiHeadAttention(
        n, k, v, attention_axes=(1, 2)
    ),
    "gate": lambda n, k, v: layers.MultiHeadAttention(
        n, k, v, use_gate=True, use_bias=False
    ),
    "dropout": lambda n, k, v: layers.MultiHeadAttention(n, k, v, dropout=0.1),
    "grouped": lambda n, k, v: layers.GroupQueryAttention(k, n, n),
}
KEPT = {5: KEEP, 3: np.array([True, False, True]), 2: np.array([False, True])}


@pytest.mark.parametrize("name", ATTENTION)
def test_closed_heads_and_entries_are_not_read(name, rng, float64):
    sizes = (UNITS, 3) if name == "grouped" else (UNITS, 2, 3)
    whole, thin = ATTENTION[name](5, 3, 2), ATTENTION[name](3, 2, 1)
    x, y = rng.normal(size=(2, 4, *((2, 4) if name == "over pixels" else (8,)), 11))
    open_, gates = opened(whole, whole), np.ones((4, sum(sizes)))
    whole(x, y), thin(x, y), open_(x, y, gates=gates)
    for number, weight in enumerate(whole.weights):
        weight.assign(0.3 * rng.normal(size=weight.shape))
        kept = np.array(weight)
        for axis, size in enumerate(weight.shape):
            kept = np.compress(KEPT.get(size, np.ones(size, bool)), kept, axis)
        if weight.path.split("/")[-2] == "query":
            # Keras divides by the root of 2, not of 3, in float32.
            kept = kept * (np.float32(3**-0.5).item() / np.float32(2**-0.5).item())
        thin.weights[number].assign(kept)
        open_.weights[number].assign(weight)
    gates[1] = np.concatenate([KEPT[size] for size in sizes])
    for options in ({}, {} if "pixels" in name else {"use_causal_mask": True}):
        expected = np.array(whole(x, y, **options))
        found = open_(x, y, gates=np.ones_like(gates), **options)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        expected[1] = np.array(thin(x, y, **options))[1]
        found = open_(x, y, gates=gates, **options)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_attention_that_has_lost_entries_keeps_its_scale(rng, float64):
    whole, thin = (
        layers.MultiHeadAttention(1, 16, 2),
        layers.MultiHeadAttention(1, 4, 2),
    )
    x, gates = rng.normal(size=(4, 6, 3)), np.ones((4, 7))
    open_ = opened(thin, whole)
    thin(x, x), open_(x, x, gates=gates)
    open_.set_weights(thin.get_weights())
    for weight in thin._query_dense.weights:
        weight.assign(weight / 2)  # 1 / sqrt(16) in place of 1 / sqrt(4).
    np.testing.assert_allclose(open_(x, x, gates=gates), thin(x, x), atol=1e-12)


def test_tokens_that_are_masked_stay_so(rng, float64):
    whole = layers.MultiHeadAttention(2, 3)
    tokens, embed = rng.integers(0, 3, (4, 6)), layers.Embedding(3, 5, mask_zero=True)
    x, open_ = embed(tokens), opened(whole, whole)
    expected = np.array(whole(embed(tokens), embed(tokens)))
    open_(x, x, gates=np.ones((4, 8)))
    open_.set_weights(whole.get_weights())
    x = embed(tokens)
    found = open_(x, x, gates=np.ones((4, 8)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("scaled", [True, False])
def test_closed_channels_of_sums_are_not_scored(scaled, rng, float64):
    layer = layers.AdditiveAttention(use_scale=scaled)
    query, value, key = (rng.normal(size=(4, 3, n)) for n in (UNITS, 2, UNITS))
    open_ = opened(layer, layer)
    gates = np.repeat(KEEP[None].astype(float), 4, axis=0)
    every = [query, value, key]
    layer(every), open_(every, gates=gates)
    thin = layers.AdditiveAttention(use_scale=scaled)
    kept = [query[..., KEEP], value, key[..., KEEP]]
    thin(kept)
    if scaled:
        weight = rng.normal(size=UNITS)
        for one, own in ((layer, weight), (open_, weight), (thin, weight[KEEP])):
            one.scale.assign(own)
    ones = np.ones_like(gates)
    np.testing.assert_allclose(open_(every, gates=ones), layer(every), atol=1e-12)
    np.testing.assert_allclose(open_(every, gates=gates), thin(kept), atol=1e-12)
