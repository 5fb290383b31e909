"""`.keras` files: standard layers alone."""

import json
import zipfile

import exports
import keras
import numpy as np

from ns_tf.export import formats


def test_the_file_answers_probabilities_of_pixels(tmp_path):
    source = exports.source()
    path = tmp_path / "net.keras"
    formats.get("keras").write(source, path)
    images = exports.pixels(source, 13)
    model = keras.saving.load_model(path, compile=False)
    np.testing.assert_allclose(
        model.predict(images, verbose=0), exports.answers(source, images), atol=1e-5
    )


def test_whoever_loads_it_needs_keras_alone(tmp_path):
    path = tmp_path / "net.keras"
    formats.get("keras").write(exports.source(), path)
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
