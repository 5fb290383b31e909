"""What every member of a kind has to do, with every member of the others."""

import functools

import keras
import numpy as np
import pytest
from papers import registered

from ns_tf import budgets
from ns_tf.base import Architecture
from ns_tf.budgets import Measure
from ns_tf.networks import architectures, structure
from ns_tf.networks.arena import PeakMemory
from ns_tf.networks.structure import Structure

layers = keras.layers

BUDGETS = budgets.BUDGETS.names()


def tiny(widths, *, input_shape, classes):
    """image - a - BN - ReLU - b - BN - ReLU - average - logits."""
    x = image = keras.Input(input_shape, name="image")
    for name, width in zip("ab", widths, strict=True):
        x = layers.Conv2D(width, 3, strides=2, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="tiny")


TINY = Architecture("tiny", (7, 11), tiny)


@functools.cache
def analyse(name: str) -> Structure:
    if name == "tiny":
        return structure.analyse(TINY, (11, 13, 3), 3)
    return structure.analyse(architectures.get(name), (32, 32, 3), 3)


# Every architecture x budget.


@pytest.mark.parametrize("name", [*registered(), "tiny"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_counts_every_architecture(name, budget):
    member, found = budgets.get(budget), analyse(name)
    assert member.name == budget and member.unit and member.help.endswith(".")
    default = np.array(found.architecture.widths)
    if member.measured:
        cost = member.cost(found, Measure(batch=2, warmup=1, repeats=3))
        assert callable(cost)
        if name == "tiny":  # Only one is run.
            assert 0 < cost(default) < 60_000
        return
    cost = member.cost(found)
    counts = cost(np.stack([np.ones_like(default), default, 2 * default]))
    assert counts.dtype == np.int64
    # A peak is that of one moment, at which a layer may have nothing in memory.
    grows = np.less_equal if isinstance(cost, PeakMemory) else np.less
    assert counts[0] > 0 and grows(counts[:-1], counts[1:]).all()
    assert counts[2] <= 4 * counts[1]
    assert cost.unit == member.unit
