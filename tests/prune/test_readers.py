"""What layers read: a window times the kernel is what the layer puts out."""

import keras
import numpy as np
import pytest
from trained import noise_images

from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.walk import channel_graph
from ns_tf.prune.readers import Views, outputs_of, readers, windows
from ns_tf.prune.scoring import Proxy

layers = keras.layers
LAYERS = {
    "same": lambda: layers.Conv2D(5, 3, padding="same"),
    "valid": lambda: layers.Conv2D(5, (3, 2)),
    "strided": lambda: layers.Conv2D(5, 3, strides=2, padding="same"),
    "even": lambda: layers.Conv2D(5, 4, strides=(2, 3), padding="same"),
    "dilated": lambda: layers.Conv2D(5, 3, dilation_rate=2, padding="same"),
    "pixels": lambda: layers.Dense(5),
}


def all_places(images, output):
    """Every output pixel of every image."""
    grid = np.indices((images, *output)).reshape(1 + len(output), -1)
    return grid.T


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(6, 7), (5, 8)])
def test_windows_times_the_kernel_are_the_output_of_the_layer(name, shape, rng):
    x, layer = rng.normal(size=(2, *shape, 3)).astype("float32"), LAYERS[name]()
    expected = np.array(layer(x))
    output = outputs_of(layer, shape)
    assert expected.shape[1:-1] == output
    found = windows(x, layer, all_places(2, output))
    kernel = np.array(layer.kernel).reshape(-1, 3, 5)
    made = np.einsum("rwc,wcf->rf", found, kernel).reshape(expected.shape)
    np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid", "causal"])
def test_of_one_axis_and_of_three(padding, rng):
    made = [(layers.Conv1D(5, 3, padding=padding), (8,))]
    if padding != "causal":
        made.append((layers.Conv3D(5, 2, padding=padding), (4, 3, 5)))
    for layer, shape in made:
        x = rng.normal(size=(2, *shape, 3)).astype("float32")
        expected = np.array(layer(x))
        found = windows(x, layer, all_places(2, outputs_of(layer, shape)))
        kernel = np.array(layer.kernel).reshape(-1, 3, 5)
        both = np.einsum("rwc,wcf->rf", found, kernel).reshape(expected.shape)
        np.testing.assert_allclose(both, expected, atol=1e-5)


def test_a_dense_layer_reads_a_vector_whole(rng):
    layer, x = layers.Dense(5), rng.normal(size=(4, 3))
    layer(x)
    found = windows(x, layer, np.arange(4)[:, None])
    np.testing.assert_array_equal(found, x[:, None])


def test_readers_are_the_layers_that_read_made_channels(handmade, randomise):
    graph = channel_graph(handmade["residual"]())
    assert [one.layer for one in readers(graph)] == ["b", "c", "logits"]
    graph = channel_graph(handmade["shared"]())
    twice = readers(graph)[0]
    assert twice.layer == "twice" and len(twice.tensors) == 2


def test_two_networks_are_read_at_the_same_places(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    proxy = Proxy.of(noise_images(rng), images=23, batch=7, seed=0)
    one, other = (Views(GatedNetwork(model, graph), proxy, seed=5) for _ in range(2))
    reader, last = readers(graph)
    rows = list(one.rows(reader))
    assert [x.shape for x in rows] == [(7 * 12, 9, 13)] * 3 + [(2 * 12, 9, 13)]
    for x, y in zip(rows, other.rows(reader), strict=True):
        np.testing.assert_array_equal(x, y)
    differ = Views(GatedNetwork(model, graph), proxy, seed=6)
    assert not np.array_equal(rows[0], next(iter(differ.rows(reader))))
    assert next(iter(one.rows(last))).shape == (7, 1, 7)  # One pixel: read once.


def test_means_are_over_images_and_pixels(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    proxy = Proxy.of(noise_images(rng), images=23, batch=7, seed=0)
    views = Views(GatedNetwork(model, graph), proxy)
    part = keras.Model(model.input, model.get_layer("a_relu").output)
    images = np.concatenate([x for x, _ in proxy.batches()])
    expected = np.array(part(images)).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(views.means(readers(graph)[0]), expected, rtol=1e-4)
