"""Six images of each: what stays in them, and where they are."""

import dataclasses

import numpy as np
import pytest
from pictures import made

from ns_tf.base import InputError
from ns_tf.data import holdout, variants
from ns_tf.data.dataset import Split
from ns_tf.data.variants import GRIDS, SQUARE, TIMES, check_expandable, expanded

SHAPE = (13, 12, 11, 3)


@pytest.fixture
def images(rng):
    """13 images of 12 x 11, no pixel black."""
    return rng.integers(1, 256, SHAPE, dtype=np.uint8)


def test_there_are_six_of_each_image_the_first_as_it_was(rng):
    dataset = made(rng, SHAPE)
    count = len(dataset.train)
    more = expanded(dataset, seed=3)
    assert TIMES == 6 and len(more.train) == 6 * count
    images = more.train.images
    assert images.dtype == np.uint8 and images.shape[1:] == SHAPE[1:]
    np.testing.assert_array_equal(images[:count], dataset.train.images)
    kinds = images.reshape(6, count, *SHAPE[1:])
    assert all(not np.array_equal(kind, kinds[0]) for kind in kinds[1:])
    np.testing.assert_array_equal(
        more.train.labels.reshape(6, count), [dataset.train.labels] * 6
    )
    for name in ("validation", "test", "mean", "std"):
        assert getattr(more, name) is getattr(dataset, name)


def test_labels_that_are_probabilities_are_those_of_the_images(rng):
    dataset = made(rng, SHAPE)
    labels = np.eye(13, dtype=np.float32)[dataset.train.labels]
    train = dataclasses.replace(dataset.train, labels=labels)
    more = expanded(dataclasses.replace(dataset, train=train), seed=3)
    np.testing.assert_array_equal(more.train.labels.reshape(6, 13, 13), [labels] * 6)


def test_the_seed_decides_them(rng):
    dataset = made(rng, SHAPE)
    one, again, other = (expanded(dataset, seed).train.images for seed in (3, 3, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("grid", GRIDS)
def test_shuffled_blocks_are_the_blocks_of_the_image(images, rng, grid):
    rows, columns = SHAPE[1] // grid, SHAPE[2] // grid

    def blocks(image):
        return sorted(
            image[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].tobytes()
            for i in range(grid)
            for j in range(grid)
        )

    found = variants.shuffled(images, grid, rng)
    for image, moved in zip(images, found, strict=True):
        assert blocks(image) == blocks(moved)
    tall, wide = grid * rows, grid * columns
    np.testing.assert_array_equal(found[:, tall:], images[:, tall:])
    np.testing.assert_array_equal(found[:, :, wide:], images[:, :, wide:])
    assert (found != images).any(axis=(1, 2, 3)).sum() > len(images) / 2


def test_an_image_smaller_than_a_grid_stays(rng):
    images = rng.integers(0, 256, (3, 2, 7, 1), dtype=np.uint8)
    np.testing.assert_array_equal(variants.shuffled(images, 3, rng), images)


def test_what_is_cut_out_is_a_black_square_of_a_fifth_to_a_half_of_the_side(
    images, rng
):
    found = variants.cut_out(images, rng)
    sides = set()
    for image, cut in zip(images, found, strict=True):
        black = (cut == 0).all(axis=-1)
        np.testing.assert_array_equal(cut[~black], image[~black])
        rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        side = len(rows)
        assert len(columns) == side and black.sum() == side**2
        assert round(SQUARE[0] * 11) <= side <= round(SQUARE[1] * 11) + 1
        sides.add(side)
    assert len(sides) > 1


def test_a_turned_image_keeps_its_middle(rng):
    images = rng.integers(0, 256, (13, 11, 11, 1), dtype=np.uint8)
    found = variants.turned(images, rng)
    np.testing.assert_array_equal(found[:, 5, 5], images[:, 5, 5])
    assert found.dtype == images.dtype and not np.array_equal(found, images)


def test_a_turn_by_a_quarter_is_that_of_numpy(rng):
    images = rng.uniform(size=(1, 7, 7, 2)).astype(np.float32)

    class Quarter:
        def uniform(self, *_):
            return np.array([90.0])

    found = variants.turned(images, Quarter())
    np.testing.assert_allclose(found[0], np.rot90(images[0], 1), atol=1e-6)


def test_what_does_not_fit_into_memory_is_refused(rng, monkeypatch):
    dataset = made(rng, SHAPE)
    monkeypatch.setattr(holdout.os, "sysconf", lambda _: 40)  # 1,600 bytes.
    with pytest.raises(InputError, match="6 times its training images, has to fit"):
        expanded(dataset, seed=3)


@pytest.mark.parametrize("shape", [(13, 12), (13, 12, 11)])
def test_what_is_no_image_is_refused(rng, shape):
    dataset = made(rng, SHAPE)
    series = rng.normal(size=(*shape[:1], *shape[1:])).astype(np.float32)
    labels = dataset.train.labels
    series = dataclasses.replace(
        dataset, train=Split(series, labels), image_shape=shape[1:]
    )
    with pytest.raises(InputError, match=r"one image \[height, .* --recipe=plain"):
        check_expandable(series)


def test_files_are_read(rng, monkeypatch):
    dataset = made(rng, SHAPE)
    images = dataset.train.images
    paths = np.array([f"{i}.png" for i in range(len(images))])
    on_disk = dataclasses.replace(dataset, train=Split(paths, dataset.train.labels))
    monkeypatch.setattr(variants, "read_images", lambda split, places, _: images)
    more = expanded(on_disk, seed=3)
    assert not more.train.on_disk
    np.testing.assert_array_equal(more.train.images[: len(images)], images)
