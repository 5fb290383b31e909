"""Names of layers of models within, in one graph."""

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.calls import has_graph
from ns_tf.graph.flat import flat
from ns_tf.graph.naming import names

layers = keras.layers
register = keras.saving.register_keras_serializable("ns_tf_tests")


def body(name: str) -> keras.Model:
    image = keras.Input((3,), name=f"{name}_image")
    x = layers.Dense(3, name=f"only_{name}")(layers.Dense(3, name="both")(image))
    return keras.Model(image, x, name=name)


def test_names_that_several_have_are_put_behind_their_models():
    image = keras.Input((3,), name="image")
    one, other = body("one"), body("other")
    x = layers.Dense(3, name="one_both")(other(one(image)))
    model = keras.Model(image, x)
    found = names(model, lambda layer: layer if has_graph(layer) else None)
    inner = [*one.operations[1:], *other.operations[1:], model.get_layer("one_both")]
    assert [found[id(layer)] for layer in inner] == [
        "one_both_", "only_one", "other_both", "only_other", "one_both",
    ]  # fmt: skip
    assert found[id(one)] == "one", "it may stay a layer"


class Hidden(layers.Layer):
    """Neither its call nor its configuration can be read."""

    def call(self, x):
        return tf.math.square(x)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@register
class Inner(layers.Layer):
    """A dense layer and a square."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense, self.square = layers.Dense(5, name="dense"), Hidden()

    def call(self, x):
        return self.square(self.dense(x))


@register
class Outer(layers.Layer):
    """A block that cannot be seen through between two dense layers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.wide, self.narrow = layers.Dense(7, name="wide"), layers.Dense(5)
        self.inner = Inner(name="inner")

    def call(self, x):
        return x + self.narrow(self.inner(self.wide(x)))


def test_blocks_that_stay_layers_have_names_of_their_own(rng):
    image = keras.Input((5,), name="image")
    x = Outer(name="two")(Outer(name="one")(image))
    model = keras.Model(image, layers.Dense(2, name="logits")(x))
    copy = flat(model, blocks=True)
    found = [one.name for one in copy.layers]
    assert {"one_wide", "one_inner", "two_wide", "two_inner", "logits"} <= {*found}
    numbers = rng.normal(size=(3, 5))
    np.testing.assert_allclose(copy(numbers), model(numbers), rtol=1e-5)
