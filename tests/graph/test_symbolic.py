"""What a block calls on symbolic tensors while its own call is followed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from attentions import Rotating, Rotation

from ns_tf.graph.flat import flat
from ns_tf.graph.symbolic import fed_from, followable, is_array, tensors

layers, ops = keras.layers, keras.ops


class Pair(layers.Layer):
    """Puts out a tensor and nothing else."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(3)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x), None


class Outer(layers.Layer):
    """Layers to be called by hand."""

    def __init__(self):
        super().__init__()
        self.pair, self.rotation, self.turned = Pair(), Rotation(), Turned()
        self.table = layers.Embedding(5, 3)
        self.heads = layers.EinsumDense("bsm,mnh->bsnh", (None, 2, 4))

    def build(self):
        self.pair.build((None, 7, 3))
        self.heads.build((None, None, 3))
        self.table.build()
        self.rotation.build(None)
        self.turned.build(None)
        self.built = True


class Turned(layers.Layer):
    """Its call takes numbers alone."""

    def call(self, x):
        return tf.math.abs(x)


@pytest.fixture
def outer() -> Outer:
    layer = Outer()
    layer.build()
    return layer


def kinds(x: keras.KerasTensor, image: keras.KerasTensor) -> list[str]:
    """Classes of the operations between two tensors."""
    return [type(one).__name__ for one in keras.Model(image, x).operations[1:]]


def test_blocks_put_out_what_they_do_and_are_as_before(outer):
    image = keras.Input((7, 3))
    kind = type(outer.pair)
    with followable(outer, [outer.pair]):
        made, nothing = outer.pair(image)
        assert nothing is None and kinds(made, image) == ["Pair"]
    assert type(outer.pair) is kind
    with pytest.raises(ValueError, match="must be tensors"):
        outer.pair(image)


def test_a_block_without_weights_is_followed_call_by_call(outer):
    image = keras.Input((7, 2, 4))
    with followable(outer, [outer.rotation, outer.turned]):
        for x in (image, image[:, :5]):
            found = kinds(outer.rotation([x]), image)
            assert "Split" in found and "Rotation" not in found
        assert kinds(outer.turned(image), image) == ["Turned"]  # As Keras calls it.
    assert kinds(outer.rotation([image]), image) == ["Rotation"]


def test_a_block_that_casts_or_takes_a_mask_is_called_by_keras(outer):
    image, half = (keras.Input((7, 2, 4), dtype=f"float{n}") for n in (32, 16))
    masked = layers.Masking()(keras.Input((7, 4)))
    double = np.ones((1, 7, 2, 4))
    with followable(outer, [outer.rotation]):
        assert "Rotation" in kinds(outer.rotation([half]), half)
        assert "Rotation" in kinds(outer.rotation([image, double])[0], image)
        made = outer.rotation([masked])
        assert type(made._keras_history.operation).__name__ == "Rotation"


def test_lengths_that_an_einsum_keeps_are_known_while_a_call_is_followed(outer):
    image = keras.Input((7, 3))
    with followable(outer, []):
        assert outer.heads(image).shape == (None, 7, 2, 4)
    assert outer.heads(image).shape == (None, None, 2, 4)


def test_the_rank_of_a_symbolic_tensor_is_a_number(outer):
    image = keras.Input((7, 3))
    with followable(outer, []):
        assert ops.ndim(image) == 3 and ops.ndim(np.ones((2, 2))) == 2
    assert isinstance(ops.ndim(image), keras.KerasTensor)


def test_layers_are_called_on_numbers_beside_a_tensor(outer):
    image = keras.Input((7, 3))
    with followable(outer, []), fed_from(outer, image):
        assert kinds(outer.table(ops.arange(4)), image) == ["Fixed", "Embedding"]


def test_tensors_and_arrays_are_told_apart():
    image = keras.Input((3,))
    assert tensors((image, 3), {"b": [image]}) == [image, image]
    assert is_array(ops.ones(3)) and not is_array(image)


def test_queries_and_keys_of_different_heads_are_turned_in_one_graph(rng):
    steps = keras.Input((7, 5))
    model = keras.Model(steps, layers.Dense(2)(Rotating(name="block")(steps)))
    copy = flat(model, blocks=True)
    assert {"q", "k", "v", "o"} < {one.name for one in copy.layers}
    assert not any(isinstance(one, (Rotating, Rotation)) for one in copy.layers)
    numbers = rng.normal(size=(3, 7, 5))
    np.testing.assert_allclose(copy(numbers), model(numbers), atol=1e-5)
