"""A network as it is deployed: pixels in, probabilities out; its LiteRT file."""

import runpy
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from graphs import headed

from ns_tf.base import InputError
from ns_tf.export.check import RUNNER
from ns_tf.networks.deployed import deployed, litert, litert_int8, softmax_of
from ns_tf.parts import Parts

layers = keras.layers


def test_a_litert_file_does_not_augment(rng):
    from ai_edge_litert.interpreter import Interpreter

    inner = keras.Sequential([layers.RandomFlip(), layers.RandomTranslation(0.2, 0.2)])
    network = headed([inner, layers.RandomRotation(0.1)])
    reader = Interpreter(model_content=litert(network))
    reader.allocate_tensors()
    images = rng.normal(size=(1, 8, 8, 3)).astype("float32")
    reader.set_tensor(reader.get_input_details()[0]["index"], images)
    reader.invoke()
    answer = reader.get_tensor(reader.get_output_details()[0]["index"])
    np.testing.assert_allclose(answer, network(images, training=False), atol=1e-5)


def gru() -> keras.Model:
    """Sequences [7, 3] - GRU[5] both ways - Dense[2]."""
    sequence = keras.Input((7, 3))
    x = layers.Bidirectional(layers.GRU(5, name="gru"))(sequence)
    return keras.Model(sequence, layers.Dense(2)(x))


def test_a_recurrent_network_takes_one_example_at_a_time(rng, tmp_path, monkeypatch):
    network = gru()
    path = tmp_path / "net.tflite"
    path.write_bytes(litert(network))
    sequences = rng.normal(size=(13, 7, 3)).astype("float32")
    expected = network.predict(sequences, verbose=0)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # As the file has it.
    run = runpy.run_path(str(RUNNER.parent / "litert.py"))["load"](str(path))
    np.testing.assert_allclose(run(sequences), expected, rtol=1e-5, atol=1e-6)


def test_a_recurrent_network_in_int8_is_refused_by_name(rng):
    """The converter would end the process."""
    with pytest.raises(InputError, match="the recurrent layer '.*gru'.*litert"):
        litert_int8(gru(), rng.normal(size=(3, 7, 3)))


def logits() -> keras.Model:
    """image[5, 7, 3] - average - Dense[11], as logits."""
    image = keras.Input((5, 7, 3), name="image")
    x = layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, layers.Dense(11)(x))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("softmax", [False, True])
def test_pixels_are_normalised_and_logits_become_probabilities(rng, dtype, softmax):
    model = logits()
    mean, std = rng.uniform(0.3, 0.6, 3), rng.uniform(0.2, 0.4, 3)
    answer = softmax_of(model) if softmax else None
    whole = deployed(model, mean, std, answer=answer, dtype=dtype, name="mine")
    images = rng.integers(0, 256, (13, 5, 7, 3)).astype(dtype)
    expected = np.array(model(((images / 255 - mean) / std).astype("float32")))
    if softmax:
        expected = np.exp(expected - expected.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(whole(images), expected, rtol=1e-4, atol=1e-5)
    assert whole.name == "mine" and whole.inputs[0].dtype == dtype


NAMES = ["image", "normalise", "probabilities", "größe", "a+b", "_x"]


@pytest.mark.parametrize("own", NAMES)
def test_a_model_may_have_any_name_itself(rng, own):
    model = logits()
    model = keras.Model(model.input, model.output, name=own)
    answer = softmax_of(model)
    whole = deployed(model, np.zeros(3), np.ones(3), answer=answer, name=own)
    images = rng.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    found = tf.function(whole, autograph=False)(images)
    wanted = keras.ops.softmax(model(images / np.float32(255)))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert whole.inputs[0].name == "image"


def test_inputs_whose_names_would_be_the_same_stay_apart():
    ends = [keras.Input((2,), name=name) for name in ("a-b", "a_b", "normalise_a_b")]
    model = keras.Model(ends, layers.Dense(3)(layers.Concatenate()(ends)), name="a_b")
    each = (Parts([np.full(2, value)] * 3) for value in (0.0, 1.0))
    whole = deployed(model, *each, unit=Parts([1] * 3), dtype=Parts(["float32"] * 3))
    names = [tensor.name for tensor in whole.inputs]
    assert names == ["a_b_2", "a_b", "normalise_a_b"]
    given = [np.full((1, 2), value, "float32") for value in (2, 3, 5)]
    np.testing.assert_allclose(whole(given), model(given), rtol=1e-5)


def test_a_deployed_model_shares_the_weights():
    model = logits()
    whole = deployed(model, np.zeros(3), np.ones(3), answer=softmax_of(model))
    assert [id(w) for w in whole.weights] == [id(w) for w in model.weights]


def test_a_model_that_ends_in_a_softmax_gets_no_other():
    model = logits()
    probabilities = keras.Model(
        model.inputs, layers.Activation("softmax")(model.outputs[0])
    )
    assert softmax_of(probabilities) is None
    assert softmax_of(model).compute_dtype == "float32"


def test_numbers_are_normalised_and_tokens_stay(rng):
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(3)(inputs))
    mean, std = rng.normal(size=5), rng.uniform(1, 2, 5)
    x = rng.normal(size=(7, 5)).astype("float32")
    whole = deployed(model, mean, std, unit=1, dtype="float32")
    wanted = model.predict((x - mean) / std, verbose=0)
    np.testing.assert_allclose(whole.predict(x, verbose=0), wanted, atol=1e-5)
    assert whole.inputs[0].name == "inputs"
    tokens = rng.integers(0, 9, (7, 5)).astype("int32")
    whole = deployed(model, mean, std, unit=None, dtype="int32")
    np.testing.assert_allclose(
        whole.predict(tokens, verbose=0), model.predict(tokens, verbose=0), atol=1e-5
    )
