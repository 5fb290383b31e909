"""`.keras` files: standard layers alone."""

import json
import zipfile

import exports
import keras
import numpy as np
import pytest

from ns_tf.export import formats
from ns_tf.graph.own_weights import OwnWeight


def test_the_file_answers_probabilities_of_pixels(tmp_path):
    source = exports.source()
    path = tmp_path / "net.keras"
    formats.get("keras").write(source, path)
    images = exports.pixels(source, 13)
    model = keras.saving.load_model(path, compile=False)
    np.testing.assert_allclose(
        model.predict(images, verbose=0), exports.answers(source, images), atol=1e-5
    )


def with_own_weight() -> keras.Model:
    """A network with a weight as it stands for one of a layer of somebody's."""
    image = keras.Input((16, 13, 3))
    own = OwnWeight((3,), initializer="random_normal", name="own")
    x = keras.layers.GlobalAveragePooling2D()(image * own(image))
    return keras.Model(image, keras.layers.Dense(5, name="logits")(x))


@pytest.mark.parametrize("make", [lambda: None, with_own_weight])
def test_whoever_loads_it_needs_keras_alone(make, tmp_path):
    path, source = tmp_path / "net.keras", exports.source(make())
    formats.get("keras").write(source, path)
    images = exports.pixels(source, 3)
    np.testing.assert_allclose(
        keras.saving.load_model(path, compile=False).predict(images, verbose=0),
        exports.answers(source, images),
        atol=1e-5,
    )
    with zipfile.ZipFile(path) as file:
        config = file.read("config.json").decode()
    assert "ns_tf" not in config

    def modules(value):
        if isinstance(value, dict):
            if "module" in value:
                yield value["module"]
            for inner in value.values():
                yield from modules(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from modules(inner)

    names = {name.partition(".")[0] for name in modules(json.loads(config)) if name}
    assert names == {"keras"}
