"""Gram matrices of contributions: against sums over the rows themselves."""

import keras
import numpy as np
import pytest
from small import made_by
from trained import noise_images, scored

from ns_tf.base import InputError
from ns_tf.prune import signals
from ns_tf.prune.forward import Forward


def grams(network):
    """By size: the matrices that the formula was called with."""
    seen = []

    def formula(gram):
        seen.append(gram)
        return np.diag(gram)

    scores = signals.get("gram").scores(formula, signals.Reading(network, 0))
    return seen, scores


@pytest.mark.parametrize("name", ["flatten", "concat", "shared"])
def test_a_gram_matrix_is_symmetric_and_the_sum_of_its_readers(
    name, handmade, randomise, rng
):
    network = scored(randomise(handmade[name]()), noise_images(rng), images=23)
    seen, scores = grams(network)
    for gram in seen:
        np.testing.assert_allclose(gram, gram.T, atol=1e-9)
        assert np.linalg.eigvalsh(gram).min() > -1e-9
    assert np.isfinite(scores).all() and (scores[~network.wanted] == 0).all()
    first = made_by(network.graph, network.graph.groups[0].name)
    if name in ("chain", "flatten"):  # One reader: its outputs have norm 1.
        np.testing.assert_allclose(seen[0].sum(), 1)
        np.testing.assert_allclose(scores[first], np.diag(seen[0]))


def test_scaling_what_a_channel_contributes_scales_its_energy(
    handmade, randomise, rng, float64
):
    model = randomise(handmade["chain"]())
    dataset = noise_images(rng)
    before, _ = grams(scored(model, dataset, images=23))
    kernel = np.array(model.get_layer("b").kernel)
    kernel[:, :, 3] *= 2
    model.get_layer("b").kernel.assign(kernel)
    after, _ = grams(scored(model, dataset, images=23))
    ratio = np.diag(after[0]) / np.diag(before[0])
    np.testing.assert_allclose(ratio[3] / ratio[2], 4, rtol=1e-6)


def test_a_tally_that_goes_on_computes_the_same_parts(
    handmade, randomise, rng, monkeypatch
):
    """Parts of a network that start elsewhere would round in another way."""
    seen, computing = [], Forward._computing

    def noted(self, start, read, live):
        seen.append((start, tuple(read), tuple(live)))
        return computing(self, start, read, live)

    monkeypatch.setattr(Forward, "_computing", noted)
    model = randomise(handmade["residual"]())
    network = scored(model, noise_images(rng), images=16)

    def parts(first):
        def tally(total, items, add, arrays):
            left = list(items(first))
            assert len(left) == total - first
            for item in left:
                add(*item)

        seen.clear()
        signals.get("gram").scores(np.diag, signals.Reading(network, 0, tally=tally))
        return list(seen)

    whole = parts(0)
    assert len({start for start, *_ in whole}) == len(whole)
    assert parts(2) == whole


def test_filters_that_windows_alone_cannot_judge_are_refused(rng):
    layers = keras.layers
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(5, 1, name="a")(image)
    x = layers.Conv2D(4, 1, name="b")(layers.SeparableConv2D(7, 3, name="odd")(x))
    x = layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D()(x))
    network = scored(keras.Model(image, x), noise_images(rng), images=23)
    with pytest.raises(InputError, match="filters of 'a' are read by 'odd' alone"):
        grams(network)


def test_heads_that_windows_cannot_judge_are_refused(rng):
    layers = keras.layers
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Reshape((6, 21))(image)
    x = layers.MultiHeadAttention(2, 3, name="odd")(x, x)
    x = layers.Dense(5, name="logits")(layers.GlobalAveragePooling1D()(x))
    network = scored(keras.Model(image, x), noise_images(rng), images=23)
    with pytest.raises(InputError, match="of 'odd/heads' are read by 'odd' alone"):
        grams(network)
