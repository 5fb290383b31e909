"""How often ReLUs are above zero, by channel."""

import keras
import numpy as np
import pytest
from small import made_by
from trained import noise_images, scored

from ns_tf.base import InputError
from ns_tf.prune import signals
from ns_tf.prune.signals import active


def read(model, dataset, **options):
    network = scored(model, dataset, **options)

    def formula(active):
        return active

    scores = signals.get("active").scores(formula, signals.Reading(network, 0))
    return network, scores


def test_it_is_the_share_of_images_and_pixels(handmade, randomise, rng):
    """Against the mean of the activations themselves, of all images at once."""
    model, dataset = randomise(handmade["chain"]()), noise_images(rng)
    network, scores = read(model, dataset)
    images = np.concatenate([x for x, _ in network.batches()])
    for name in ("a", "b"):
        layer = model.get_layer(f"{name}_relu")
        values = keras.Model(model.input, layer.output)(images, training=False)
        expected = (np.array(values) > 0).mean(axis=(0, 1, 2))
        np.testing.assert_allclose(
            scores[made_by(network.graph, name)], expected, atol=1e-6
        )
        assert 0 < np.median(expected) and np.ptp(expected) > 0.1


def test_of_several_relus_it_is_the_mean(handmade, randomise, rng):
    """Of `residual`, a ReLU before the addition and one behind it."""
    model, dataset = randomise(handmade["residual"]()), noise_images(rng)
    network, scores = read(model, dataset)
    images = np.concatenate([x for x, _ in network.batches()])
    parts = []
    for name in ("a_relu", "relu"):
        part = keras.Model(model.input, model.get_layer(name).output)
        parts.append((np.array(part(images)) > 0).mean(axis=(0, 1, 2)))
    own = made_by(network.graph, "a")
    np.testing.assert_allclose(scores[own], np.mean(parts, axis=0), atol=1e-6)


@pytest.mark.parametrize("name", ["operators", "flatten", "concat"])
def test_relus_are_found_as_layers_operations_and_activations(
    name, handmade, randomise, rng
):
    model = randomise(handmade[name]())
    if name == "concat":  # Its last layer has none behind it.
        with pytest.raises(InputError, match="filters of 'c'"):
            read(model, noise_images(rng))
        return
    network, scores = read(model, noise_images(rng))
    assert (scores[network.wanted] > 0).mean() > 0.7


def test_a_layer_without_a_relu_is_refused_by_name(handmade, randomise, rng):
    with pytest.raises(InputError, match=r"filters of 'b'.*--keep=b"):
        read(randomise(handmade["no_norm"]()), noise_images(rng))


def test_a_relu_with_a_slope_is_none(rng):
    layers = keras.layers
    x = image = keras.Input((6, 7, 3))
    for name, slope in (("a", 0.0), ("b", 0.3)):
        x = layers.Conv2D(5, 3, name=name)(x)
        x = layers.ReLU(negative_slope=slope, name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    network = scored(model, noise_images(rng))
    assert len(active.relu_outputs(network)) == 1
    with pytest.raises(InputError, match="none behind the filters of 'b'"):
        active.check(network)
