"""Weights of epitomes: how they begin, and in which precision they are sampled."""

import keras
import numpy as np
import pytest

from ns_tf.engine.sgd import Sgd
from ns_tf.networks.layers import EpitomeConv2D
from ns_tf.networks.layers.base import starts_in


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


def test_starts_have_no_weight_decay():
    layer = EpitomeConv2D(13, 3, epitome=(4, 3, 5, 6))
    layer.build((None, 8, 8, 11))
    assert starts_in(layer.trainable_variables) == [layer.raw_starts]
    before = [np.array(v) for v in layer.trainable_variables]
    sgd = Sgd(
        layer.trainable_variables,
        momentum=0.5,
        weight_decay=0.1,
        undecayed=starts_in(layer.trainable_variables),
    )
    sgd.apply([0 * v.value for v in layer.trainable_variables], 1.0)
    for was, now in zip(before, layer.trainable_variables, strict=True):
        kept = now is layer.raw_starts
        assert np.allclose(now, was if kept else 0.9 * was, atol=1e-6)
