"""Kinds of files: what a source gives to them, and how they are registered."""

import dataclasses

import exports
import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.export import formats
from ns_tf.export.formats import FORMATS, Format, file_format


def test_pixels_are_normalised_as_in_training(rng):
    image = keras.Input((4, 3, 2))
    model = keras.Model(image, keras.layers.Softmax()(keras.layers.Flatten()(image)))
    source = exports.source(model, mean=np.array([0.3, 0.5]), std=np.array([0.2, 0.7]))
    pixels = rng.integers(0, 256, (5, 4, 3, 2), dtype=np.uint8)
    wanted = ((pixels / 255 - source.mean) / source.std).reshape(5, -1)
    wanted = np.exp(wanted) / np.exp(wanted).sum(-1, keepdims=True)
    found = source.deployed().predict(pixels, verbose=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_logits_become_probabilities_and_probabilities_stay_what_they_are():
    source = exports.source()
    images = exports.pixels(source, 17)
    wanted = exports.answers(source, images)
    found = source.deployed().predict(images, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    model = source.model
    done = keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))
    again = dataclasses.replace(source, model=done)
    np.testing.assert_allclose(again.deployed()(images), wanted, atol=1e-5)


def test_a_deployed_model_has_the_name_and_the_type_that_is_asked_for():
    source = exports.source()
    assert source.deployed().name == "net"
    assert source.deployed(name="other").name == "other"
    assert source.deployed("float32").inputs[0].dtype == "float32"
    assert source.deployed().inputs[0].dtype == "uint8"
    assert source.image_shape == (16, 13, 3)


@pytest.mark.parametrize("name", FORMATS.names())
def test_every_format_says_what_it_is_and_who_runs_it(name):
    form = formats.get(name)
    assert form.name == name and form.help.endswith(".")
    place = form.file.format(name="net", version=3)
    assert place.startswith("net") and "{" not in place
    runner = formats.__file__.replace("formats/__init__", f"runtimes/{form.runtime}")
    assert open(runner).read().startswith('"""')


def test_formats_write_to_places_of_their_own():
    places = {formats.get(name).file for name in FORMATS.names()}
    assert len(places) == len(FORMATS.names())


def test_a_format_of_ones_own_is_registered_and_found(monkeypatch):
    monkeypatch.setattr(FORMATS, "_members", dict(FORMATS._members))

    @file_format("mine", file="{name}.mine", help="Mine.", runtime="keras_file")
    def write(source, path):
        path.write_text(source.name)

    form = formats.get("mine")
    assert form == Format("mine", "Mine.", "{name}.mine", write, "keras_file", True, ())
    form.check()
    with pytest.raises(InputError, match="Did you mean 'mine'"):
        formats.get("mne")


def test_a_format_whose_package_is_missing_names_it():
    form = dataclasses.replace(formats.get("keras"), packages=("keras", "no_such_one"))
    with pytest.raises(InputError, match="--format=keras needs no_such_one, not"):
        form.check()
