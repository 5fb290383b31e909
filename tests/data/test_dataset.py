"""A data set as a value: variations, names, how a network takes it."""

import dataclasses

import numpy as np
import pytest
from pictures import arrays_of, as_bytes, in_files, made
from trained import digits

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import eval_batches, train_batches
from ns_tf.data.dataset import (
    WAYS,
    Split,
    augmented,
    crop_margin,
    for_network,
    renamed,
    scaled,
)


def test_a_data_set_can_be_varied(rng):
    dataset = dataclasses.replace(from_arrays(arrays_of(rng)), flip=True, pad=1)
    x, _ = next(iter(train_batches(dataset, 5, seed=0)))
    assert x.shape == (5, 5, 7, 3)


VARIATIONS = {
    "own": (2, True),
    "none": (0, False),
    "flip": (0, True),
    "crop": (2, False),
    "both": (2, True),
}


@pytest.mark.parametrize("how", VARIATIONS)
def test_images_are_varied_as_asked(rng, how):
    dataset = made(rng, (23, 16, 24, 3))
    varied = augmented(dataset, how)
    assert (varied.pad, varied.flip) == VARIATIONS[how]
    assert varied.train is dataset.train and varied.name == dataset.name


@pytest.mark.parametrize(("how", "pad"), [("crop", 3), ("both", 3), ("own", 0)])
def test_a_set_without_crops_gets_an_eighth_of_its_side(rng, how, pad):
    dataset = made(rng, (7, 31, 24, 1), pad=0, flip=False)
    assert augmented(dataset, how).pad == pad


def test_what_is_no_image_is_not_varied(rng):
    dataset = from_arrays((rng.normal(size=(23, 5)), np.arange(23) % 3))
    assert augmented(dataset, "own") is dataset
    assert augmented(dataset, "none").pad == 0
    with pytest.raises(InputError, match=r"augmentation=flip is of images.*\[5\]"):
        augmented(dataset, "flip")


def test_the_margin_of_a_crop_is_an_eighth_of_the_shorter_side():
    assert [crop_margin((side, 64, 3)) for side in (7, 8, 32, 224)] == [0, 1, 4, 8]


def test_a_network_that_does_not_scale_takes_the_set_as_it_is(rng):
    dataset = made(rng, (7, 5, 11, 3))
    assert for_network(dataset, scales_pixels=False) is dataset


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_network_that_scales_pixels_is_fed_them_as_they_are(rng, dtype):
    dataset = made(rng, (7, 5, 11, 3), dtype=dtype)
    raw = for_network(dataset, scales_pixels=True)
    assert raw.as_given and not dataset.as_given
    x, y = next(iter(eval_batches(raw, "test", 2)))
    np.testing.assert_array_equal(x, dataset.test.images)
    # What an export says of it: one unit of the pixels themselves.
    unit = 255 if dtype == np.uint8 else 1
    np.testing.assert_allclose(raw.std * unit, np.ones(3), rtol=1e-6)
    np.testing.assert_array_equal(raw.mean, np.zeros(3))


def test_files_are_fed_from_0_to_255_to_a_network_that_scales(rng, tmp_path):
    memory, files = in_files(rng, tmp_path)
    raw = for_network(files, scales_pixels=True)
    np.testing.assert_allclose(raw.std, 1 / 255)
    x, _ = next(iter(train_batches(raw, 7, seed=0, augment=False)))
    pixels = [image.tobytes() for image in x.numpy().astype(np.uint8)]
    assert sorted(pixels) == as_bytes(memory.train)


def test_another_name_changes_nothing_else(rng):
    dataset = made(rng, (7, 5, 11, 3))
    other = renamed(dataset, "other")
    assert (other.name, dataset.name) == ("other", "made")
    for field in dataclasses.fields(dataset):
        if field.name != "name":
            assert getattr(other, field.name) is getattr(dataset, field.name)


@pytest.mark.parametrize(
    ("images", "on_disk"),
    [
        (np.zeros((2, 1, 1, 1), np.uint8), False),
        (np.zeros((2, 1, 1, 1), np.float32), False),
        (np.array(["a.png", "b.png"]), True),
        (np.array(["a.png", "b.png"], object), True),
    ],
)
def test_paths_are_images_on_disk(images, on_disk):
    split = Split(images, np.array([0, 1], np.int32))
    assert split.on_disk == on_disk and len(split) == 2


def test_scaled_pixels_are_what_their_name_says():
    data = digits()
    assert scaled(data, "normalised") is data
    unit, given = scaled(data, "unit"), scaled(data, "given")
    assert (unit.mean, unit.std, unit.as_given) == (0, 1, False)
    assert given.as_given
    assert list(WAYS) == ["normalised", "unit", "given"]
    with pytest.raises(
        InputError, match="one of the ways normalised, unit, given; got 'units'"
    ):
        scaled(data, "units")
