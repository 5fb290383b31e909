"""Weights of epitomes: how they begin, and in which precision they are sampled."""

import keras
import numpy as np
import pytest

from ns_tf.networks.layers import EpitomeConv2D


def test_weights_begin_by_the_fan_in_of_the_kernel():
    keras.utils.set_random_seed(5)
    layer = EpitomeConv2D(64, 3, epitome=(3, 3, 16, 32))
    layer.build((None, 8, 8, 64))
    deviation = np.sqrt(2 / (9 * 64))
    assert np.std(layer.stored) == pytest.approx(deviation, rel=0.05)
    assert np.std(layer.made()) == pytest.approx(deviation, rel=0.08)


def test_kernels_are_sampled_in_float32_under_mixed_precision():
    options = {"epitome": (3, 3, 40, 50), "use_bias": False}
    mixed = EpitomeConv2D(64, 3, dtype="mixed_float16", **options)
    plain = EpitomeConv2D(64, 3, **options)
    x = np.random.default_rng(5).normal(size=(1, 5, 5, 64))
    for layer in (mixed, plain):
        layer.build((None, 5, 5, 64))
    mixed.set_weights(plain.get_weights())
    sampled = {}
    keep = mixed.applied
    mixed.applied = lambda x, kernel: keep(x, sampled.setdefault("kernel", kernel))
    assert mixed(x).dtype == "float16" and mixed.made().dtype == "float32"
    exact = np.array(plain.made()).astype("float16")
    assert np.array_equal(np.array(sampled["kernel"]), exact)
