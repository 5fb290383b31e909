"""What tests of data share: small data sets of random pixels, in memory and files."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from ns_tf.data.dataset import Dataset, Split


def arrays_of(rng, count=23, shape=(5, 7, 3), classes=3):
    """Images of uint8 and labels, every class among them."""
    images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
    return images, np.arange(count) % classes


def made(rng, shape, *, pad=2, flip=True, dtype=np.uint8):
    """A data set whose label is the index of the example."""

    def split(size):
        pixels = rng.integers(0, 256, (size, *shape[1:]))
        pixels = pixels.astype(np.uint8) if dtype == np.uint8 else pixels / 255
        return Split(pixels.astype(dtype), np.arange(size, dtype=np.int32))

    return Dataset(
        name="made",
        image_shape=shape[1:],
        classes=shape[0],
        class_names=tuple(str(n) for n in range(shape[0])),
        train=split(shape[0]),
        validation=split(13),
        test=split(2),
        mean=rng.uniform(0.3, 0.7, shape[3]).astype(np.float32),
        std=rng.uniform(0.2, 0.3, shape[3]).astype(np.float32),
        pad=pad,
        flip=flip,
    )


def in_files(rng, folder, count=7):
    """Two data sets with the same training images: in memory, and in PNG files."""
    pixels = rng.integers(0, 256, (count, 5, 7, 3)).astype(np.uint8)
    paths = [str(folder / f"{n}.png") for n in range(count)]
    for path, image in zip(paths, pixels, strict=True):
        tf.io.write_file(path, tf.io.encode_png(image))
    memory = Split(pixels, np.arange(count, dtype=np.int32))
    files = Split(np.array(paths, dtype=object), memory.labels)
    dataset = dataclasses.replace(made(rng, (23, 5, 7, 3)), train=memory)
    return dataset, dataclasses.replace(dataset, train=files)


def write_png(rng, path, size=(5, 7), channels=3):
    """A random PNG file of that size, folders included; its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (*size, channels)).astype(np.uint8)
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    return pixels


def class_folders(rng, tree, count=11, classes=("cat", "dog")):
    """Random PNG files in a folder for each class; the tree."""
    for name in classes:
        for n in range(count):
            write_png(rng, tree / name / f"{n}.png")
    return tree


def first(batches, count):
    """The first batches as NumPy arrays [(images, labels)]."""
    return [(x.numpy(), y.numpy()) for x, y in itertools.islice(batches, count)]


def normalised(images, dataset):
    """The formula of normalisation in NumPy."""
    pixels = images / 255 if images.dtype == np.uint8 else images
    return (pixels - dataset.mean) / dataset.std


def assert_same(ours, others):
    """Checks that two lists of batches have the same bits."""
    for (x, y), (x2, y2) in zip(ours, others, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


def as_bytes(*splits):
    """The images of splits as a sorted list of bytes."""
    return sorted(image.tobytes() for split in splits for image in split.images)


def in_one_line(caught):
    """Checks that a message has one line."""
    assert "\n" not in str(caught.value)
