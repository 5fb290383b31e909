"""LiteRT files, run by LiteRT's own interpreter."""

import exports
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from ns_tf.export import formats


@pytest.fixture(scope="module")
def source():
    return exports.source()


def written(source, name, folder):
    """The interpreter of the file, and its size in bytes."""
    path = folder / "net.tflite"
    formats.get(name).write(source, path)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter, path.stat().st_size


def run(interpreter, images):
    """What it answers to one image after the other, as the file has it."""
    (image,), (answer,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    rows = []
    for pixels in images:
        interpreter.set_tensor(image["index"], pixels[None].astype(image["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(answer["index"])[0])
    return np.array(rows), image, answer


def test_a_float_file_answers_as_keras_does(source, tmp_path):
    interpreter, _ = written(source, "litert", tmp_path)
    images = exports.pixels(source, 17)
    found, image, answer = run(interpreter, images)
    assert image["dtype"] == answer["dtype"] == np.float32
    np.testing.assert_allclose(found, exports.answers(source, images), atol=1e-5)


def test_an_int8_file_takes_and_gives_bytes_and_is_nearly_right(source, tmp_path):
    interpreter, size = written(source, "litert_int8", tmp_path)
    images = exports.pixels(source, 17)
    found, image, answer = run(interpreter, images)
    assert image["dtype"] == answer["dtype"] == np.uint8
    scale, zero = answer["quantization"]
    probabilities = (found.astype(float) - zero) * scale
    assert np.abs(probabilities - exports.answers(source, images)).max() < 0.1
    kinds = {one["dtype"] for one in interpreter.get_tensor_details()}
    assert np.int8 in kinds and np.float32 not in kinds


@pytest.mark.slow
def test_the_size_of_a_file_does_not_depend_on_the_models_name(tmp_path):
    """It is a budget."""
    sizes = set()
    for name in ("a", "a_much_longer_name_of_a_network"):
        sizes.add(written(exports.source(name=name), "litert", tmp_path)[1])
    assert len(sizes) == 1
