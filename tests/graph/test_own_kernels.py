"""Layers written by hand: which layer of Keras's a weight is the kernel of."""

import keras
import numpy as np
import pytest

from ns_tf.graph.flat import flat
from ns_tf.graph.own_kernels import Reading, readings
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params
from ns_tf.prune.trained import cut

layers, ops = keras.layers, keras.ops


def read(shape, kernel, function, dtype="float32"):
    """The layer by which a weight of this shape is read, and its settings."""
    x, weight = keras.Input(shape, dtype=dtype), keras.Input(batch_shape=kernel)
    model = keras.Model([x, weight], function(x, weight))
    (found,) = readings(model, [weight])
    return found and (found.kind.__name__, dict(found.settings))


DENSE = {"units": 7, "use_bias": False}
READ = {
    "matmul": ((5,), (5, 7), ops.matmul),
    "@": ((4, 5), (5, 7), lambda x, w: x @ w),
    "dot": ((4, 5), (5, 7), ops.dot),
    "tensordot": ((4, 5), (5, 7), lambda x, w: ops.tensordot(x, w, axes=1)),
    "tensordot of axes": (
        (4, 5),
        (5, 7),
        lambda x, w: ops.tensordot(x, w, axes=[[2], [0]]),
    ),
    "einsum": ((4, 5), (5, 7), lambda x, w: ops.einsum("bti,io->bto", x, w)),
    "einsum of any axes": (
        (4, 5),
        (5, 7),
        lambda x, w: ops.einsum("...i,io->...o", x, w),
    ),
    "twice": ((4, 5), (5, 7), lambda x, w: ops.relu(x) @ w + ops.tanh(x) @ w),
}


@pytest.mark.parametrize("name", READ)
def test_a_product_with_a_weight_is_a_dense_layer(name):
    assert read(*READ[name]) == ("Dense", DENSE)


OTHERS = {
    "heads": ((4, 5), (5, 2, 3), lambda x, w: ops.einsum("btc,chd->bthd", x, w)),
    "weight first": ((4, 5), (3, 5), lambda x, w: ops.einsum("oc,btc->bto", w, x)),
    "convolution": ((8, 8, 4), (3, 3, 4, 7), lambda x, w: ops.conv(x, w, 2, "same")),
    "depthwise": ((8, 4), (3, 4, 2), lambda x, w: ops.depthwise_conv(x, w)),
}
MADE = {
    "heads": ("EinsumDense", {"equation": "btc,chd->bthd", "output_shape": (4, 2, 3)}),
    "weight first": (
        "EinsumDense",
        {"equation": "btc,oc->bto", "output_shape": (4, 3)},
    ),
    "convolution": ("Conv2D", {"filters": 7, "strides": 2, "kernel_size": (3, 3)}),
    "depthwise": ("DepthwiseConv1D", {"depth_multiplier": 2, "kernel_size": (3,)}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_products_are_other_layers(name):
    kind, settings = read(*OTHERS[name])
    expected, some = MADE[name]
    assert kind == expected and some.items() <= settings.items()


def test_rows_of_a_table_are_an_embedding():
    found = read((5,), (11, 7), lambda x, w: ops.take(w, x, axis=0), "int32")
    assert found == ("Embedding", {"input_dim": 11, "output_dim": 7})


NONE = {
    "a weight first": ((4, 5), (3, 4), lambda x, w: ops.matmul(w, x)),
    "a vector": ((4, 5), (5,), ops.matmul),
    "read in two ways": ((4, 5), (5, 5), lambda x, w: x @ w + x @ ops.transpose(w)),
    "changed before": ((4, 5), (5, 7), lambda x, w: x @ ops.relu(w)),
    "two axes": ((4, 5), (4, 5), lambda x, w: ops.tensordot(x, w, axes=2)),
    "channels first": (
        (4, 8, 8),
        (3, 3, 4, 7),
        lambda x, w: ops.conv(x, w, data_format="channels_first"),
    ),
    "columns of a table": ((4, 5), (7, 5), lambda x, w: ops.take(w, ops.cast(x, int))),
    "numbers": ((4, 5), (5, 5), lambda x, w: x @ (w + 1) + ops.sum(w)),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_read_otherwise_is_no_kernel(name):
    assert read(*NONE[name]) is None


@keras.saving.register_keras_serializable("ns_tf_tests")
class Mine(layers.Layer):
    """An embedding, a convolution, heads and a dense layer, all by hand."""

    def build(self, shape):
        def add(name, *shape, **options):
            return self.add_weight(shape=shape, name=name, **options)

        self.table = add(None, 13, 5)
        self.window = add("window", 3, 5, 7)
        self.heads = add("heads", 7, 2, 3, regularizer="l2")
        self.last = add("last", 6, 11)
        self.bias = add(None, 11)

    def call(self, tokens):
        x = ops.relu(ops.conv(ops.take(self.table, tokens, axis=0), self.window))
        x = ops.einsum("btc,chd->bthd", x, self.heads)
        x = ops.reshape(x, (-1, *x.shape[1:2], 6))
        return ops.tanh(x @ self.last + self.bias)


def test_a_block_by_hand_loses_channels_as_layers_do(float64, tmp_path, rng):
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.GlobalMaxPooling1D()(Mine(name="mine")(tokens))
    model = keras.Model(tokens, layers.Dense(3, name="logits")(x))
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    examples = rng.integers(0, 13, (4, 6))
    source = flat(model, blocks=True)
    np.testing.assert_allclose(source(examples), model(examples), rtol=1e-9)
    np.testing.assert_allclose(source.losses, model.losses)
    found = from_model(model)
    names = ["mine_table", "mine_window", "mine_heads", "mine_last"]
    graph = channel_graph(found.source)
    assert [g.name for g in graph.groups if not g.frozen] == names
    keep = np.ones(len(graph.owner), bool)
    keep[[group.channels[1] for group in graph.groups[:4]]] = False
    structure = analyse(found, (6,), 3)
    small = cut(found.source, structure, keep)
    for group in graph.groups[:4]:  # What reads a channel that goes reads zeros.
        for (layer, name), axes in graph.axes.items():
            weight = getattr(found.source.get_layer(layer), name, None)
            makes = graph.kernels.get(layer)
            for place, axis in enumerate(axes):
                read = axis is not None and makes and name == makes.name
                if read and place == len(axes) + (makes.reads or 0):
                    array = np.moveaxis(np.array(weight), place, 0)
                    array[np.isin(axis, group.channels[1])] = 0
                    weight.assign(np.moveaxis(array, 0, place))
    np.testing.assert_allclose(small(examples), found.source(examples), atol=1e-10)
    assert int(structure.params(np.array([4, 6, 2, 10]))) == count_params(small)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(examples), small(examples))


def test_a_frozen_block_has_frozen_kernels():
    block, tokens = Mine(name="mine"), keras.Input((6,), dtype="int32")
    x = layers.Flatten()(block(tokens))
    model = keras.Model(tokens, layers.Dense(3)(x))
    block.trainable = False
    graph = channel_graph(flat(model, blocks=True))
    assert all(group.frozen for group in graph.groups)


def test_a_kernel_of_another_shape_is_refused():
    reading = Reading(layers.Dense, {"units": 5})
    with pytest.raises(ValueError, match="expected"):
        reading.holding(keras.Variable(np.ones((3, 7))), (None, 3))
