"""Passes that go on where the last one stopped: what passes from the images give."""

import keras
import numpy as np
import pytest

from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph
from ns_tf.prune.forward import Forward
from ns_tf.prune.readers import readers

layers = keras.layers


class Images:
    """Minibatches of 7, as a proxy has them; counts how often they are read."""

    def __init__(self, *images):
        self.split, self.images, self.reads = range(14), images, 0

    def batches(self):
        self.reads += 1
        for i in (0, 7):
            own = [x[i : i + 7] for x in self.images]
            yield (own[0] if len(own) == 1 else tuple(own)), np.zeros(7)


def passes(model, *images, **options):
    """What every reader reads, and how often the images were read."""
    network = GatedNetwork(model, channel_graph(model))
    proxy = Images(*images)
    forward = Forward(network, proxy, **options)
    found = {
        one.layer: np.concatenate(
            [keras.ops.stack(x, axis=1) for x in forward.inputs(one.layer, one.tensors)]
        )
        for one in readers(network.graph)
    }
    return found, proxy.reads


def same(found, expected):
    assert found.keys() == expected.keys()
    for layer, x in found.items():
        np.testing.assert_allclose(x, expected[layer], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["residual", "dense_block", "shared", "operators"])
def test_layers_read_the_same_and_images_are_read_once(name, handmade, randomise, rng):
    """With closed gates; dense_block carries the image itself on."""
    model = randomise(handmade[name]())
    images = rng.uniform(size=(14, *model.input_shape[1:])).astype("float32")
    keep = rng.uniform(size=len(channel_graph(model).owner)) < 0.7
    found, reads = passes(model, images, keep=keep)
    expected, all_reads = passes(model, images, keep=keep, room=0)
    assert (reads, all_reads) == (1, len(found))
    same(found, expected)


def test_of_two_inputs_of_which_one_joins_late(rng):
    one, other = keras.Input((6, 7, 3)), keras.Input((6, 7, 2))
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="a")(one)
    x = layers.Conv2D(7, 3, padding="same", activation="relu", name="b")(x)
    x = layers.Dropout(0.5)(x, training=True)  # Not where a network is judged.
    x = layers.Conv2D(11, 3, name="c")(layers.Concatenate()([x, other]))
    model = keras.Model((one, other), layers.GlobalAveragePooling2D()(x))
    images = [rng.uniform(size=(14, 6, 7, n)).astype("float32") for n in (3, 2)]
    found, reads = passes(model, *images)
    assert list(found) == ["b", "c"] and reads == 1
    same(found, passes(model, *images, room=0)[0])


def test_passes_stop_before_what_is_too_large(rng):
    """[14, 6, 7, 5], 11,760 bytes, has room; [14, 6, 7, 7] between has not."""
    x = image = keras.Input((6, 7, 13))
    for name, filters in zip("abcd", (5, 7, 5, 11), strict=True):
        x = layers.Conv2D(filters, 1, name=name)(x)
    model = keras.Model(image, x)
    images = rng.uniform(size=(14, 6, 7, 13)).astype("float32")
    found, reads = passes(model, images, room=11_760)
    assert list(found) == ["b", "c", "d"] and reads == 1
    expected, reads = passes(model, images, room=11_759)
    assert reads == 3
    same(found, expected)


@pytest.mark.parametrize("hidden", [False, True])
def test_masks_are_not_lost(hidden, rng):
    """The average leaves out the steps of zeros, which a layer before it read.

    They may come out of a model within the model, which does not show them.
    """
    x = steps = keras.Input((7, 3))
    masking = layers.Masking()
    x = keras.Model(steps, masking(steps))(x) if hidden else masking(x)
    x = layers.Dense(5, name="a")(x)
    x = layers.GlobalAveragePooling1D()(layers.Dense(11, name="b")(x))
    model = keras.Model(steps, layers.Dense(2, name="c")(x))
    x = rng.uniform(size=(14, 7, 3)).astype("float32")
    x[:, 4:] = 0
    found, reads = passes(model, x)
    assert reads == (len(found) if hidden else 1)  # Before `Masking` there are none.
    expected = keras.Model(steps, model.get_layer("c").input)(x)
    np.testing.assert_allclose(found["c"][:, 0], expected, rtol=1e-5)


def test_what_a_changed_layer_computed_is_forgotten(rng):
    """Layer s reads the image and, later, what b made; a pass left early is none."""
    image = keras.Input((6, 7, 3))
    shared = layers.Conv2D(3, 1, name="s")
    x = layers.Conv2D(5, 1, activation="relu", name="a")(shared(image))
    x = shared(layers.Conv2D(3, 1, name="b")(x))
    model = keras.Model(image, layers.Conv2D(7, 1, name="c")(x))
    network = GatedNetwork(model, channel_graph(model))
    proxy = Images(rng.uniform(size=(14, 6, 7, 3)).astype("float32"))
    forward = Forward(network, proxy)
    tensors = {one.layer: one.tensors for one in readers(network.graph)}

    def read(forward, layer):
        return np.concatenate([x for x, *_ in forward.inputs(layer, tensors[layer])])

    before = read(forward, "b")
    next(forward.inputs("c", tensors["c"]))
    np.testing.assert_array_equal(read(forward, "b"), before)
    kernel = network.model.get_layer("s").kernel
    kernel.assign(2 * kernel)
    forward.changed("s")
    expected = read(Forward(network, proxy, room=0), "b")
    assert np.abs(expected - before).max() > 0.01
    np.testing.assert_allclose(read(forward, "b"), expected, rtol=1e-5, atol=1e-6)
