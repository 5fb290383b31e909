"""Multiply-adds: as counted by hand, kernel by kernel and pixel by pixel."""

import counted
import keras
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.budgets.macs import KERNELS


def test_multiply_adds_are_those_counted_by_hand(rng):
    cost = budgets.get("macs").cost(counted.structure())
    widths = rng.integers(1, 97, (13, 2))
    expected = [counted.multiply_adds(*pair) for pair in widths.tolist()]
    assert cost(widths).tolist() == expected


@pytest.mark.parametrize("widths", [(7, 11), (13, 2)])
def test_multiply_adds_are_entries_times_pixels_of_the_built_network(widths):
    structure = counted.structure()
    total = 0
    for layer in structure.build(widths).layers:
        pixels = int(np.prod(layer.output.shape[1:-1]))  # 1 of a dense layer.
        for weight in layer.weights:
            if weight.name in KERNELS or weight.name == "kernel":
                total += int(np.prod(weight.shape)) * pixels
    assert budgets.get("macs").cost(structure)(np.array(widths)) == total


@pytest.mark.parametrize(
    "layer, names",
    [
        (keras.layers.Conv2D(3, 3), {"kernel", "bias"}),
        (keras.layers.Dense(3), {"kernel", "bias"}),
        (keras.layers.DepthwiseConv2D(3), {"kernel", "bias"}),
        (
            keras.layers.SeparableConv2D(3, 3),
            {"depthwise_kernel", "pointwise_kernel", "bias"},
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_kernels_have_the_names_that_keras_gives_them(layer, names):
    layer.build((None, 5, 5, 3))
    assert {weight.name for weight in layer.weights} == names
    assert {name for name in names if name in KERNELS} == names - {"bias"}
