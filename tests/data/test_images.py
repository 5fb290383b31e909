"""Image files of every kind: decoded, resized, kept; broken ones are named."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from pictures import in_files

from ns_tf.base import InputError
from ns_tf.data import images as data_images
from ns_tf.data.dataset import Split


@pytest.mark.parametrize(
    ("kept", "times"), [(7 * 5 * 7 * 3, 1), (7 * 5 * 7 * 3 - 1, 4)]
)
def test_files_are_decoded_once_where_memory_allows(
    rng, tmp_path, monkeypatch, kept, times
):
    memory, files = in_files(rng, tmp_path)
    decoded = []
    decode = data_images.decode

    def counted(path):
        decoded.append(path)
        return decode(path)

    monkeypatch.setattr(data_images, "decode", counted)
    monkeypatch.setattr(data_images, "KEPT_BYTES", kept)
    for order in ([3, 0, 5, 1], [6, 2, 4], range(7), range(7), range(7)):
        pixels = data_images.read_images(files.train, np.array(order), (5, 7, 3))
        np.testing.assert_array_equal(pixels, memory.train.images[list(order)])
    assert sorted(decoded) == sorted(list(files.train.images) * times)


GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00"
    b"\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


def bmp(bits, pixel):
    """A 1x1 bitmap of that many bits a pixel."""
    row = bytes(pixel) + b"\0" * (-len(pixel) % 4)
    numbers = [40, 1, 1, 1 | bits << 16, 0, len(row), 0, 0, 0, 0]
    header = b"".join(number.to_bytes(4, "little") for number in numbers)
    start = [54 + len(row), 0, 54]
    return b"BM" + b"".join(n.to_bytes(4, "little") for n in start) + header + row


def png(pixel):
    return tf.io.encode_png(np.array([[pixel]], np.uint8)).numpy()


def jpeg():
    return tf.io.encode_jpeg(np.full((8, 8, 1), 128, np.uint8)).numpy()


# Functions: TF must not start while tests are collected.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: GIF, [255, 0, 0]),
        (lambda: bmp(24, [30, 20, 10]), [10, 20, 30]),
        (lambda: bmp(8, [77]), [77, 77, 77]),
        (lambda: png([9]), [9, 9, 9]),
        (lambda: png([1, 2, 3, 4]), [1, 2, 3]),
        (jpeg, [128] * 3),
    ],
    ids=["gif", "bmp24", "bmp8", "gray png", "rgba png", "gray jpeg"],
)
def test_every_kind_of_file_becomes_rgb(tmp_path, data, expected):
    (tmp_path / "image").write_bytes(data())
    image = data_images.decode(tmp_path / "image")
    assert image.dtype == np.uint8 and image.ndim == 3
    np.testing.assert_array_equal(image[0, 0], expected)


def test_jpeg_files_keep_their_mean_colour(rng, tmp_path):
    small = rng.uniform(60, 200, (5, 5, 3)).astype(np.float32)
    image = np.rint(data_images.resize(small, (64, 64))).astype(np.uint8)
    data = tf.io.encode_jpeg(image, quality=95).numpy()
    (tmp_path / "image.jpg").write_bytes(data)
    decoded = data_images.decode(tmp_path / "image.jpg")
    np.testing.assert_allclose(decoded.mean((0, 1)), image.mean((0, 1)), atol=0.3)
    # What the default would give: the reason for asking for another method.
    shifted = tf.io.decode_jpeg(data).numpy().mean((0, 1)) - image.mean((0, 1))
    assert np.abs(shifted).max() > 0.5


@pytest.mark.parametrize("data", [b"", b"no image", b"BM", GIF[:9]])
def test_a_broken_file_is_named_in_one_line(tmp_path, data):
    (tmp_path / "cat.png").write_bytes(data)
    with pytest.raises(InputError, match=r"cat\.png.*replace or delete") as caught:
        data_images.decode(tmp_path / "cat.png")
    assert "\n" not in str(caught.value)


def test_resizing_keeps_constant_images_and_the_dtype(rng):
    for dtype, value in [(np.uint8, 201), (np.float32, 0.3)]:
        images = np.full((2, 5, 7, 3), value, dtype)
        for size in [(11, 13), (3, 2), (5, 7)]:
            resized = data_images.resize(images, size)
            assert resized.shape == (2, *size, 3) and resized.dtype == dtype
            np.testing.assert_allclose(resized, value, rtol=1e-6)


def test_images_in_memory_are_taken_as_they_are(rng):
    images = rng.uniform(size=(5, 3, 2, 1)).astype(np.float32)
    split = Split(images, np.arange(5))
    pixels = data_images.read_images(split, np.array([4, 0, 4]), (3, 2, 1))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, images[[4, 0, 4]])


def test_files_are_kept_for_each_size_that_is_asked_for(rng, tmp_path):
    _, files = in_files(rng, tmp_path)
    indices = np.array([1, 5])
    for shape in [(5, 7, 3), (11, 13, 3), (5, 7, 3)]:
        pixels = data_images.read_images(files.train, indices, shape)
        expected = [
            data_images.resize(data_images.decode(files.train.images[i]), shape[:2])
            for i in indices
        ]
        np.testing.assert_array_equal(pixels, expected)


def test_decoded_files_go_with_their_split(rng, tmp_path):
    _, files = in_files(rng, tmp_path)
    data_images.read_images(files.train, np.arange(7), (5, 7, 3))
    before = len(data_images._KEPT)
    del files
    gc.collect()
    assert len(data_images._KEPT) == before - 1


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.png.*No such file"):
        data_images.decode(tmp_path / "none.png")


@given(st.integers(1, 11), st.integers(1, 11), st.integers(0, 99))
def test_resizing_makes_no_pixel_darker_or_brighter_than_all(height, width, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    resized = data_images.resize(images, (height, width))
    assert resized.dtype == np.uint8 and resized.shape == (2, height, width, 3)
    assert images.min() <= resized.min() and resized.max() <= images.max()


def test_making_images_smaller_averages_them(rng):
    image = rng.uniform(size=(12, 12, 1)).astype(np.float32)
    small = data_images.resize(image, (1, 1))
    assert abs(small.item() - image.mean()) < 0.1
    stripes = np.zeros((16, 16, 1), np.float32)
    stripes[::2] = 1
    middle = data_images.resize(stripes, (4, 4))[1:3, 1:3]
    np.testing.assert_allclose(middle, 0.5, atol=0.05)
