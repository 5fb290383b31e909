"""Layers of KerasHub with weights of their own, by stand-ins with their names."""

import keras
import numpy as np
from thinner import Thinner

from ns_tf.graph.rules import is_known
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


def hub(kind: type) -> type:
    """The class as one of KerasHub's, which registers its classes."""
    kind.__module__ = "keras_hub.stand_in"
    return keras.saving.register_keras_serializable("ns_tf_tests_hub")(kind)


@hub
class ViTPatchingAndEmbedding(layers.Layer):
    """Patches, one token of a class before them, a vector a position."""

    def __init__(self, hidden_dim, patch_size=2, **options):
        super().__init__(**options)
        self.hidden_dim, self.patch_size = hidden_dim, patch_size

    def build(self, shape):
        size, patch = self.hidden_dim, self.patch_size
        self.patches = layers.Conv2D(size, patch, strides=patch, name="patches")
        self.patches.build(shape)
        self.class_token = self.add_weight(shape=(1, 1, size), name="class_token")
        self.positions = layers.Embedding(7, size, name="positions")
        self.positions.build((1, 7))

    def call(self, x):
        x = self.patches(x)
        x = ops.reshape(x, (ops.shape(x)[0], -1, self.hidden_dim))
        token = ops.tile(self.class_token, (ops.shape(x)[0], 1, 1))
        return ops.concatenate([token, x], 1) + self.positions(ops.arange(7)[None])

    def get_config(self):
        config = {"hidden_dim": self.hidden_dim, "patch_size": self.patch_size}
        # As the original's, with what its constructor does not take.
        return {**super().get_config(), **config, "num_positions": 7}


@hub
class PositionEmbedding(layers.Layer):
    """A vector a position."""

    def __init__(self, sequence_length, **options):
        super().__init__(**options)
        self.sequence_length = sequence_length

    def build(self, shape):
        self.table = self.add_weight(
            shape=(self.sequence_length, shape[-1]), name="embeddings"
        )

    def call(self, x, positions=None):
        return ops.broadcast_to(self.table[: x.shape[1]], ops.shape(x))

    def get_config(self):
        return {**super().get_config(), "sequence_length": self.sequence_length}


@hub
class DINOV2LayerScale(layers.Layer):
    """A weight a channel."""

    def __init__(self, hidden_dim, **options):
        super().__init__(**options)
        self.hidden_dim = hidden_dim
        self.lambda1 = self.add_weight(shape=(hidden_dim,), name="lambda1")

    def call(self, x):
        return x * self.lambda1

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}


@hub
class DropPath(layers.Layer):
    """Nothing, at inference."""

    def call(self, x):
        return x


def model() -> keras.Model:
    """Patches, positions, an MLP on a residual stream, logits."""
    image = keras.Input((4, 6, 3), name="image")
    x = ViTPatchingAndEmbedding(11, name="patches")(image)
    x = x + PositionEmbedding(13, name="positions")(x)
    y = layers.Dense(17, activation="gelu", name="wide")(x)
    y = layers.Dense(11, name="narrow")(y)
    y = DropPath(name="drop")(DINOV2LayerScale(11, name="scale")(y))
    x = layers.GlobalAveragePooling1D(name="average")(x + y)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def test_streams_and_hidden_widths_are_free_and_removal_is_exact(float64):
    network, rng = model(), np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(rng.normal(size=weight.shape))
    graph = channel_graph(network)
    free = {group.makers: group.size for group in graph.groups if not group.frozen}
    assert free == {("patches", "narrow"): 11, ("wide",): 17}
    thinner = Thinner(network, graph)
    keep = thinner.subset(rng, 0.6)
    x = rng.normal(size=(2, 4, 6, 3))
    np.testing.assert_allclose(
        thinner.thin(keep)(x), thinner.closed(keep)(x), rtol=0, atol=1e-10
    )


def test_a_layer_of_another_library_with_that_name_has_no_rule():
    class DropPath(layers.Layer):
        pass

    assert not is_known(DropPath()) and is_known(globals()["DropPath"]())
