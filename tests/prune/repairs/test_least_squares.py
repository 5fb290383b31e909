"""Readers fitted again: what can be made up for is made up for."""

import keras
import numpy as np
from trained import learned, noise_images, pruner

from ns_tf.prune import repairs
from ns_tf.prune.scoring import Proxy
from ns_tf.prune.trained import cut


def twice(rng):
    """image - a[5], channel 3 of which is twice channel 1 - ReLU - b[7] - logits."""
    image = keras.Input((6, 7, 3))
    x = keras.layers.ReLU(name="relu")(keras.layers.Conv2D(5, 3, name="a")(image))
    x = keras.layers.Conv2D(7, 3, padding="same", name="b")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
    kernel = rng.normal(size=(3, 3, 3, 5)) / 5
    kernel[..., 3] = 2 * kernel[..., 1]
    model.get_layer("a").set_weights([kernel, np.zeros(5)])
    return model


def test_a_channel_that_is_twice_another_is_made_up_for(rng, float64):
    model, dataset = twice(rng), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", macs=0.5)
    keep = np.ones(len(made.graph.owner), bool)
    keep[made.prunable.widths[0][3]] = False
    small = cut(model, made.problem.structure, keep)
    proxy = Proxy.of(dataset, images=57, batch=16, seed=0)
    case = repairs.Cut(model, made.graph, keep, small, proxy)
    images = rng.uniform(size=(11, 6, 7, 3))
    expected = np.array(model(images))
    assert np.abs(np.array(small(images)) - expected).max() > 0.01
    repairs.get("least_squares").apply(case)
    np.testing.assert_allclose(small(images), expected, atol=1e-5)


def test_it_is_worth_more_than_statistics_and_needs_no_training():
    """On a network that has learned the digits, half of it cut at random."""
    model, problem = learned()
    got = {}
    for repair in ("statistics", "least_squares"):
        made = pruner(
            model, problem.dataset, method="random", repair=repair, params=0.5
        )
        scores = made.score()
        keep = made.chosen(scores, made.solve(scores).widths)
        accuracies = made.cut_and_repair(keep)[1]
        got[repair] = accuracies["repaired"]
    assert got["least_squares"] > accuracies["cut"] + 0.05
    assert got["least_squares"] > got["statistics"]
