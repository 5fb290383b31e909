"""Crops, flips and normalisation in keras.ops: NumPy's values, tf.data's bits."""

import dataclasses
import os
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from picked import picked
from pictures import first, made, normalised

from ns_tf.data import augment
from ns_tf.data import batches as data_batches
from ns_tf.data.batches import epoch_draws, eval_batches, train_batches

SHAPES = [(23, 5, 7, 3), (17, 11, 3, 1)]


def moved(images, draws, pad):
    """The crops and flips image by image, in NumPy."""
    height, width = images.shape[1:3]
    results = []
    for image, (_, down, right, flip) in zip(images, draws, strict=True):
        image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        image = image[down : down + height, right : right + width]
        results.append(image[:, ::-1] if flip else image)
    return np.stack(results)


@settings(max_examples=20)
@given(st.sampled_from(SHAPES), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_crops_and_flips_are_those_of_numpy(shape, pad, flip, seed):
    dataset = made(np.random.default_rng(seed), shape, pad=pad, flip=flip)
    draws = epoch_draws(dataset, seed, epoch=1)[:13]
    images = dataset.train.images[draws[:, 0]]
    ours = augment.crop_and_flip(tf.constant(images), tf.constant(draws), pad)
    assert ours.dtype == tf.uint8
    np.testing.assert_array_equal(ours, moved(images, draws, pad))


def test_the_corner_in_the_middle_leaves_an_image_as_it_is(rng):
    images = rng.uniform(size=(3, 5, 7, 2)).astype(np.float32)
    draws = np.array([[0, 2, 2, 0], [9, 2, 2, 1], [5, 0, 2, 0]], np.int32)
    ours = keras.ops.convert_to_numpy(augment.crop_and_flip(images, draws, 2))
    np.testing.assert_array_equal(ours[0], images[0])
    np.testing.assert_array_equal(ours[1], images[1, :, ::-1])
    np.testing.assert_array_equal(ours[2, 2:], images[2, :3])
    assert (ours[2, :2] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("as_given", [False, True])
def test_normalisation_is_that_of_numpy(rng, dtype, as_given):
    dataset = made(rng, SHAPES[0], dtype=dtype)
    images = dataset.train.images
    expected = images if as_given else normalised(images, dataset)
    dataset = dataclasses.replace(dataset, as_given=as_given)
    ours = augment.normalise(images, dataset)
    assert keras.backend.standardize_dtype(ours.dtype) == "float32"
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_normalisation_needs_three_facts_and_no_data_set(rng):
    facts = types.SimpleNamespace(
        mean=np.float32([0.25, 0.5]), std=np.float32([0.5, 2]), as_given=False
    )
    pixels = np.array([[[[51, 204]]]], np.uint8)
    np.testing.assert_allclose(augment.normalise(pixels, facts), [[[[-0.1, 0.15]]]])


@pytest.fixture
def through_keras(monkeypatch):
    """Batches made by `augment` in place of the TensorFlow of `batches`."""
    calls = []

    def counted(function):
        def call(*arguments):
            calls.append(function.__name__)
            return function(*arguments)

        return call

    def switch():
        monkeypatch.setattr(
            data_batches, "crop_and_flip", counted(augment.crop_and_flip)
        )
        data_batches._STREAMS.clear()  # Streams of an evaluation are made once.
        monkeypatch.setattr(data_batches, "_normalise", counted(augment.normalise))
        return calls

    return switch


def assert_same_bits(ours, theirs):
    for (x, y), (x2, y2) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(x.view(np.int32), x2.view(np.int32))
        np.testing.assert_array_equal(y, y2)


@pytest.mark.parametrize(
    ("moves", "dtype"),
    picked(
        lambda one: (one[0] in ((2, True), (0, False))) == (one[1] is np.uint8),
        [(2, True), (3, False), (0, True), (0, False)],
        [np.uint8, np.float32],
    ),
)
def test_tf_data_makes_the_same_bits(rng, through_keras, moves, dtype):
    pad, flip = moves
    dataset = made(rng, SHAPES[0], pad=pad, flip=flip, dtype=dtype)
    ours = first(train_batches(dataset, 4, seed=11), 6)
    calls = through_keras()
    assert_same_bits(ours, first(train_batches(dataset, 4, seed=11), 6))
    expected = {"normalise", "crop_and_flip"} if pad or flip else {"normalise"}
    assert set(calls) == expected


@pytest.mark.parametrize("as_given", [False, True])
def test_evaluation_makes_the_same_bits(rng, through_keras, as_given):
    dataset = dataclasses.replace(made(rng, SHAPES[1]), as_given=as_given)
    ours = first(eval_batches(dataset, "validation", 5), 3)
    through_keras()
    assert_same_bits(ours, first(eval_batches(dataset, "validation", 5), 3))


ELSEWHERE = """
import sys
import jax
import numpy as np
from ns_tf.data import augment

class facts:
    mean, std = np.float32([[0.3, 0.5, 0.7], [0.2, 0.3, 0.2]])
    as_given = False

def batch(images, draws):
    return augment.normalise(augment.crop_and_flip(images, draws, 2), facts)

arrays = np.load(sys.argv[1])
many = jax.jit(jax.vmap(batch))(arrays["images"][None], arrays["draws"][None])
np.save(sys.argv[2], many[0])
assert "tensorflow" not in sys.modules
"""


def test_jax_agrees_up_to_rounding_and_needs_no_tensorflow(rng, tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed; pip install jax")
    dataset = made(rng, SHAPES[0])
    draws = epoch_draws(dataset, 3, 0)
    images = dataset.train.images[draws[:, 0]]
    given, result = tmp_path / "given.npz", tmp_path / "result.npy"
    np.savez(given, images=images, draws=draws)
    argv = [sys.executable, "-c", ELSEWHERE, given, result]
    subprocess.run(argv, check=True, env={**os.environ, "KERAS_BACKEND": "jax"})
    pixels = moved(images, draws, 2) / 255
    expected = (pixels - [0.3, 0.5, 0.7]) / [0.2, 0.3, 0.2]
    np.testing.assert_allclose(np.load(result), expected, rtol=1e-5, atol=1e-5)
