"""Whether gates can learn on a network: what is refused, and what is not."""

import keras
import pytest
from trained import learned, noise_images, pruner

from ns_tf.base import InputError


@pytest.mark.parametrize(
    "network, asked, told",
    [
        ("chain", {"method": "sss", "rounds": 3}, "trained once; got --rounds=3"),
        ("chain", {"method": "sss", "closed": "reopen"}, "--closed is of rounds"),
        ("no_norm", {"method": "slimming"}, "filters of 'a'. Keep that layer"),
        ("no_norm", {"method": "morphnet"}, "none with a gamma"),
    ],
)
def test_what_cannot_be_learned_is_refused(network, asked, told, handmade, rng):
    with pytest.raises(InputError, match=told):
        pruner(handmade[network](), noise_images(rng), macs=0.5, **asked).check()


def test_generators_for_maps_of_any_size_are_refused():
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(5, 3, name="a")(image)
    x = keras.layers.Conv2D(7, 3, name="b")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(10)(x), name="open")
    made = pruner(model, learned()[1].dataset, method="autopruner", macs=0.5)
    with pytest.raises(InputError, match="'open' takes inputs of any size"):
        made.check()


def test_kernels_that_every_step_assigns_are_refused(rng):
    image = keras.Input((6, 7, 3))
    conv = keras.layers.Conv2D(5, 3)
    x = keras.layers.SpectralNormalization(conv, name="odd")(image)
    x = keras.layers.Conv2D(4, 3)(keras.layers.ReLU()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(5)(x))
    made = pruner(model, noise_images(rng), method="sss", macs=0.5)
    with pytest.raises(InputError, match="'odd' sets its kernel in every step"):
        made.check()


def test_generators_need_no_kernel_to_put_gates_into_and_maps_to_make_them_of(rng):
    def check(method, layer):
        image = keras.Input((6, 7, 3))
        x = layer(keras.layers.Conv2D(5, 3, name="a")(image))
        x = keras.layers.Conv2D(7, 1, name="b")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(image, keras.layers.Dense(5)(x))
        pruner(model, noise_images(rng), method=method, params=0.5).check()

    two = keras.layers.SeparableConv2D
    check("autopruner", two(9, 3, name="two"))
    with pytest.raises(InputError, match="'two' has several: depthwise_kernel"):
        check("sss", two(9, 3, name="two"))
    with pytest.raises(InputError, match="'over' reads act on one another in it"):
        check("autopruner", keras.layers.LayerNormalization(name="over"))
