"""The mean of what went, added to what reads it."""

import keras
import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.prune import repairs
from ns_tf.prune.scoring import Proxy
from ns_tf.prune.trained import cut


def constant_at(value=0.7):
    """image - a[3] (1x1; channel 1 is constant) - ReLU - b[2] (1x1) - average."""
    image = keras.Input((6, 7, 3))
    x = keras.layers.ReLU(name="relu")(keras.layers.Conv2D(3, 1, name="a")(image))
    x = keras.layers.Conv2D(2, 1, name="b")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
    kernel, bias = (np.array(w) for w in model.get_layer("a").weights)
    kernel[..., 1], bias[1] = 0, value
    model.get_layer("a").set_weights([kernel, bias])
    kernel = np.array(model.get_layer("b").kernel)
    kernel[0, 0, 1] = [2, -1]
    model.get_layer("b").kernel.assign(kernel)
    return model


def repaired(model, dataset, gone):
    made = pruner(model, dataset, method="magnitude", macs=0.5)
    keep = np.ones(len(made.graph.owner), bool)
    keep[made.prunable.widths[0][gone]] = False
    small = cut(model, made.problem.structure, keep)
    before = np.array(small.get_layer("b").bias)
    proxy = Proxy.of(dataset, images=50, batch=16, seed=0)
    repairs.get("mean").apply(repairs.Cut(model, made.graph, keep, small, proxy))
    return small, np.array(small.get_layer("b").bias) - before


def test_a_constant_channel_of_kernel_2_minus_1_by_hand(rng):
    model, dataset = constant_at(), noise_images(rng)
    small, more = repaired(model, dataset, [1])
    np.testing.assert_allclose(more, [1.4, -0.7], rtol=1e-5)
    images = rng.normal(size=(3, 6, 7, 3)).astype("float32")
    np.testing.assert_allclose(small(images), model(images), atol=1e-5)


def test_a_layer_that_cannot_take_the_mean_is_refused_by_name(rng):
    image = keras.Input((6, 7, 3))
    x = keras.layers.ReLU()(keras.layers.Conv2D(7, 3, name="a")(image))
    x = keras.layers.Conv2D(5, 3, name="b", use_bias=False)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
    made = pruner(model, noise_images(rng), method="magnitude", repair="mean", macs=0.5)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    with pytest.raises(InputError, match="Layer 'b' .*--repair=statistics"):
        made.cut_and_repair(keep)
