"""Which kernels become epitomes, and which do not."""

import keras
import pytest

from ns_tf.base import InputError
from ns_tf.condense.layers import chosen, front_layers

layers = keras.layers


def network():
    """Two stems, a grouped and a depthwise convolution, a shortcut, two heads."""
    image = keras.Input((16, 16, 3), name="image")
    one = layers.Conv2D(8, 3, padding="same", name="stem1")(image)
    other = layers.Conv2D(8, 1, name="stem2")(image)
    x = layers.Add()([one, other])
    y = layers.Conv2D(8, 3, strides=2, padding="same", name="half")(x)
    y = layers.Conv2D(8, 3, padding="same", groups=4, name="grouped")(y)
    y = layers.DepthwiseConv2D(3, strides=2, padding="same", name="deep")(y)
    y = layers.Conv2D(8, 1, kernel_regularizer="l2", name="held")(y)
    y = layers.Conv2D(8, 1, trainable=False, name="frozen")(y)
    y = layers.Conv2D(8, 1, name="last")(y)
    y = layers.GlobalAveragePooling2D()(y)
    z = layers.Dense(7, name="hidden")(y)
    z = layers.Dense(5, name="head1")(z)
    return keras.Model(image, [z, layers.Dense(3, name="head2")(y)])


def names(found):
    return [layer.name for layer in found]


def test_the_first_and_the_last_stay_and_so_does_what_cannot():
    assert names(chosen(network(), ())) == ["half", "last", "hidden"]


def test_named_layers_are_those_that_are_named():
    assert names(chosen(network(), ("stem*", "head1"))) == ["stem1", "stem2", "head1"]


@pytest.mark.parametrize(
    "where, told",
    {
        "grouped": "'grouped' cannot be an epitome: it has 4 groups",
        "held": "it has a kernel_regularizer",
        "frozen": "it has a frozen kernel",
        "hidde": "Did you mean 'hidden'",
        "deep": "no layer with filters",
    }.items(),
)
def test_what_cannot_be_is_refused_by_name(where, told):
    with pytest.raises(InputError, match=told):
        chosen(network(), ("half", where))


def test_a_network_of_two_kernels_has_none_between():
    x = image = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    model = keras.Model(image, layers.Dense(2)(x))
    with pytest.raises(InputError, match="name layers by where"):
        chosen(model, ())


def test_front_layers_put_out_more_than_a_quarter_of_the_height():
    found = front_layers(network())
    assert {"stem1", "stem2", "half", "grouped"} <= found
    assert not found & {"deep", "held", "frozen", "last", "hidden", "head1"}
    with pytest.raises(InputError, match="Leave it out"):
        front_layers(keras.Sequential([keras.Input((5,)), layers.Dense(3)]))
