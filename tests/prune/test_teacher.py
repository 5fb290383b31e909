"""A teacher that answers as the network does, without the operations of its norms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.graph import weights
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is
from ns_tf.prune.teacher import teacher_of


def taught_by(model):
    return teacher_of(model, as_it_is(from_model(model, fixed=True)))


def roots(model, images):
    """Square roots of variances that an inference takes."""
    call = tf.function(lambda x: model(x, training=False), autograph=False)
    nodes = call.get_concrete_function(images).graph.as_graph_def().node
    return sum(node.op == "Rsqrt" for node in nodes)


# Norms that are left are behind a ReLU or a concatenation.
@pytest.mark.parametrize(
    ("name", "norms", "left"),
    [("chain", 2, 0), ("depthwise", 2, 0), ("norm_last", 2, 2), ("dense_block", 2, 1)],
)
def test_it_answers_the_same_without_the_norms_behind_kernels(
    handmade, randomise, rng, float64, name, norms, left
):
    model = randomise(handmade[name]())
    before = weights.values(model)
    teacher, images = taught_by(model), tf.constant(rng.normal(size=(3, 6, 7, 3)))
    expected = model(images, training=False)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(
        teacher(images, training=False), expected, rtol=1e-10, atol=1e-12
    )
    assert (roots(model, images), roots(teacher, images)) == (norms, left)
    for key, array in weights.values(model).items():
        np.testing.assert_array_equal(array, before[key])


def test_norms_stay_where_something_else_reads_the_kernel_or_it_is_called_twice(
    randomise, rng, float64
):
    """The sum reads `a` too; `b` makes two tensors; `c` has an activation."""
    layers = keras.layers
    image = keras.Input((6, 7, 3))
    a = layers.Conv2D(5, 3, padding="same", use_bias=False, name="a")(image)
    x = layers.Add()([layers.BatchNormalization(scale=False)(a), a])
    b = layers.Dense(5, use_bias=False, name="b")
    x = layers.Add()([layers.BatchNormalization()(b(x)), b(image_of(x))])
    x = layers.Conv2D(7, 3, activation="relu", name="c")(x)
    x = layers.BatchNormalization(center=False)(x)
    x = layers.Conv2D(2, 3, use_bias=False, name="d")(x)
    model = randomise(keras.Model(image, layers.BatchNormalization(scale=False)(x)))
    teacher, images = taught_by(model), tf.constant(rng.normal(size=(3, 6, 7, 3)))
    np.testing.assert_allclose(
        teacher(images, training=False), model(images, training=False), rtol=1e-10
    )
    assert roots(model, images) == 4 and roots(teacher, images) == 3


def image_of(x):
    """Something of the same channels."""
    return keras.layers.ReLU()(x)
