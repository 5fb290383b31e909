"""ONNX files, run by ONNX Runtime."""

import exports
import keras
import numpy as np
import onnxruntime
import pytest

from ns_tf.base import InputError
from ns_tf.export import formats


def answered(source, images, folder):
    """What the file of a source answers."""
    path = folder / "net.onnx"
    formats.get("onnx").write(source, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["image"]
    (found,) = session.run(["probabilities"], {"image": images})
    return found


def test_the_file_answers_batches_of_any_size(tmp_path):
    source = exports.source()
    for count in (1, 13):
        images = exports.pixels(source, count)
        found = answered(source, images, tmp_path)
        np.testing.assert_allclose(found, exports.answers(source, images), atol=1e-5)


def test_a_network_with_gelu_has_an_onnx_file_too(tmp_path):
    """tf2onnx does not know the complementary error function."""
    image = keras.Input((16, 13, 1))
    x = keras.layers.Conv2D(5, 3, activation="gelu")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    source = exports.source(keras.Model(image, keras.layers.Dense(7)(x)))
    images = exports.pixels(source, 5)
    found = answered(source, images, tmp_path)
    np.testing.assert_allclose(found, exports.answers(source, images), atol=1e-5)


def test_statistics_of_a_normalization_are_no_inputs_of_an_onnx_file(tmp_path):
    """tf2onnx's from_function takes them for that."""
    image = keras.Input((16, 13, 1))
    x = keras.layers.Normalization(mean=[101], variance=[53])(image)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(x))
    source = exports.source(keras.Model(image, keras.layers.Dense(7)(x)))
    images = exports.pixels(source, 5)
    found = answered(source, images, tmp_path)
    np.testing.assert_allclose(found, exports.answers(source, images), atol=1e-4)


def test_an_operation_that_onnx_lacks_is_named_in_one_line(tmp_path):
    image = keras.Input((16, 13, 1))
    x = keras.layers.GlobalAveragePooling2D()(image)
    x = keras.ops.erfinv(keras.layers.Dense(7)(x))
    source = exports.source(keras.Model(image, x))
    with pytest.raises(
        InputError, match="net .* tf2onnx cannot convert: .*Erfinv"
    ) as e:
        formats.get("onnx").write(source, tmp_path / "net.onnx")
    assert "\n" not in str(e.value) and "Leave onnx out" in str(e.value)
