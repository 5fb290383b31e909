"""Products of weights of layers of one's own count as TensorFlow computes them."""

import keras
import pytest
from multiply_adds import counted, on, traced

from ns_tf.budgets.macs import KERNELS, macs
from ns_tf.graph.flat import flat
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is

layers, ops = keras.layers, keras.ops
register = keras.saving.register_keras_serializable("ns_tf_tests")


@register
class Standardised(layers.Conv2D):
    """A convolution by a kernel whose mean is taken off."""

    def call(self, x):
        kernel = self.kernel - ops.mean(self.kernel, axis=(0, 1, 2), keepdims=True)
        return ops.conv(x, kernel, self.strides, self.padding) + self.bias


@register
class Back(layers.Layer):
    """To units and back, by one weight, which a gain scales."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 11), name="w")
        self.gain = self.add_weight(shape=(11,), name="gain")

    def call(self, x):
        kernel = self.w * self.gain
        return ops.matmul(ops.tanh(ops.matmul(x, kernel)), ops.transpose(kernel))


@register
class Heads(layers.Layer):
    """A product for each head, by an equation and by rows and columns; then a sum."""

    def build(self, shape):
        self.w = self.add_weight(shape=(2, shape[-1], 3), name="w")
        self.v = self.add_weight(shape=(2, 3, 3), name="v")
        self.u = self.add_weight(shape=(1, 5, 3), name="u")

    def call(self, x):
        y = ops.einsum("bti,hio->bhto", x, 2.0 * self.w)
        y = ops.matmul(y, ops.abs(self.v))
        return ops.tensordot(ops.sum(y, 1), ops.abs(self.u), axes=[[2], [2]])


@register
class Depthwise(layers.Layer):
    """A depthwise convolution in rows that a reshape takes among the examples."""

    def build(self, shape):
        self.w = self.add_weight(shape=(3, shape[-1], 2), name="w")

    def call(self, x):
        _, height, width, channels = x.shape
        y = ops.reshape(x, (-1, width, channels))
        y = ops.depthwise_conv(y, ops.abs(self.w), padding="same")
        return ops.reshape(y, (-1, height, width, 2 * channels))


MODELS = {
    "standardised": ((6, 7, 3), lambda: Standardised(5, 3, strides=2)),
    "back": ((7, 5), Back),
    "heads": ((4, 7), Heads),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_made_of_a_weight_is_counted_where_it_multiplies(name):
    shape, make = MODELS[name]
    model = on(shape, make(), layers.Dense(3))
    seen = flat(model, blocks=True)
    assert {type(one).__name__ for one in seen.layers} >= {"OwnWeight"}
    assert counted(seen) == traced(model) > 0


def test_all_rows_of_an_example_count():
    seen = flat(on((4, 7, 3), Depthwise()), blocks=True)
    assert counted(seen) == 4 * 7 * (3 * 3 * 2)


def test_a_budget_of_multiply_adds_holds_them_at_all_widths():
    shape, make = MODELS["standardised"]
    model = on(shape, make(), layers.Conv2D(7, 1, name="b"), layers.Conv2D(2, 1))
    structure = as_it_is(from_model(model))
    assert macs(structure)([11]) == 2 * 3 * (9 * 3 * 5 + 5 * 11 + 11 * 2)
    assert macs(structure)([7]) == traced(model) and "factor" in KERNELS
