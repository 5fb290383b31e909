"""Operations of layers: sizes by hand, refusals, and every network of the package."""

import itertools

import keras
import numpy as np
import pytest

from ns_tf.base import Architecture, InputError
from ns_tf.budgets import exact_costs
from ns_tf.networks.arena import PeakMemory
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse

layers = keras.layers


def cost_of(build, widths, shape=(8, 8, 3), *, int8=True):
    """Of a builder's network of five classes."""

    def builder(widths, *, input_shape, classes):
        image = keras.Input(input_shape)
        return keras.Model(image, build(image, widths, classes))

    structure = analyse(Architecture(build.__name__, widths, builder), shape, 5)
    return PeakMemory("bytes", structure.schedule(int8), len(widths))


def whole(size):
    return -(-size // 16) * 16


def plain(x, widths, classes):
    x = layers.Conv2D(widths[0], 3, padding="same", use_bias=False, name="a")(x)
    x = layers.ReLU(name="a_relu")(layers.BatchNormalization(name="a_bn")(x))
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(widths[1], 3, padding="same", activation="relu", name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return layers.Dense(classes, name="logits")(x)


@pytest.mark.parametrize("int8, size", [(True, 1), (False, 4)])
def test_norms_and_relus_take_nothing_and_neighbours_are_alive_together(
    int8, size, rng
):
    cost = cost_of(plain, (7, 11), int8=int8)
    for a, b in rng.integers(1, 61, (17, 2)).tolist():
        image, first, half, second, mean = (
            whole(size * n) for n in (192, 64 * a, 16 * a, 16 * b, b)
        )
        # Sums of int8 are whole numbers of 4 bytes; two lists of axes are beside them.
        sums = whole(4 * b) if int8 else 0
        instants = (
            image + image,
            image + first,
            first + half,
            half + second,
            second + mean + sums + 32,
            mean + 16,
        )
        assert int(cost(np.array([a, b]))) == max(instants)


def squeeze(x, widths, classes):
    x = y = layers.Conv2D(widths[0], 1, name="a")(x)
    s = layers.GlobalAveragePooling2D(keepdims=True, name="s")(y)
    s = layers.Conv2D(widths[0], 1, activation="sigmoid", name="e")(s)
    x = layers.Multiply(name="m")([x, s])
    return layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D()(x))


def test_what_is_read_again_later_stays_alive():
    cost = cost_of(squeeze, (13,))
    assert int(cost(np.array([13]))) == 2 * whole(64 * 13) + 16  # x, its product, s.


@pytest.mark.parametrize(
    "layer, named",
    [
        (
            layers.Conv2D(7, 3, dilation_rate=2, name="odd"),
            "'odd', a convolution in gr",
        ),
        (layers.UpSampling2D(name="odd"), "'odd', an upsampling that is not bilinear"),
        (layers.Dense(7, name="odd"), "'odd', a dense layer of more than vectors"),
        (layers.ReLU(max_value=3.0, name="odd"), "'odd', a ReLU with a slope"),
        (layers.Conv2D(7, 3, activation="gelu", name="odd"), "activation 'gelu'"),
        (layers.LayerNormalization(name="odd"), "'odd', LayerNormalization"),
    ],
)
def test_a_layer_whose_operations_are_not_known_is_named(layer, named):
    image = keras.Input((8, 8, 3))
    x = layer(layers.Conv2D(11, 3, name="first")(image))
    x = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    structure = analyse(from_model(keras.Model(image, x)), (8, 8, 3), 5)
    with pytest.raises(InputError, match=named):
        structure.schedule(True)


def convolution(activation, behind=None):
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(7, 3, activation=activation, name="a")(x)
    x = behind(x) if behind else x
    x = layers.Conv2D(11, 3, name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    return analyse(from_model(model), (8, 8, 3), 5)


@pytest.mark.parametrize("kind", [layers.LeakyReLU, layers.ReLU])
def test_a_layer_given_as_an_activation_is_lowered_as_one_behind(kind):
    given, behind = convolution(kind()), convolution(None, kind())
    for int8, widths in itertools.product((True, False), ([7, 11], [3, 5])):
        own, other = (
            PeakMemory("bytes", one.schedule(int8), 2)(np.array(widths))
            for one in (given, behind)
        )
        assert own == other


def test_an_unknown_layer_given_as_an_activation_leaves_out_budgets_of_files_alone():
    costs = exact_costs(convolution(layers.ELU(name="odd")))
    assert {"params", "macs", "weight_bytes"} <= costs.keys()
    assert "peak_ram" not in costs
    with pytest.raises(InputError, match="'odd', ELU"):
        convolution(layers.ELU(name="odd")).schedule(True)


@pytest.mark.parametrize("strides, taken", [(1, True), (2, False)])
def test_a_border_is_part_of_a_convolution_that_adds_it_itself(strides, taken):
    def padded(x, widths, classes):
        x = layers.Conv2D(widths[0], 1, name="a")(x)
        x = layers.ZeroPadding2D(1, name="pad")(x)
        x = layers.Conv2D(widths[1], 3, strides=strides, name="b")(x)
        return layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D()(x))

    cost = cost_of(padded, (29, 3))
    pad = whole(64 * 29) + (whole(64 * 3) if taken else whole(100 * 29))
    assert int(cost(np.array([29, 3]))) == max(pad, 192 + whole(64 * 29))
