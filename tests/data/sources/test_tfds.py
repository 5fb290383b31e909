"""TFDS: prepared sets are read, others refused with what to do."""

import os
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data import images as data_images
from ns_tf.data.dataset import SPLITS
from ns_tf.data.sources import load
from ns_tf.data.sources import tfds as sources_tfds


@pytest.mark.parametrize("name", ["fashion_mnist", "tfds:mnist", "cifar100"])
def test_a_set_that_is_not_prepared_says_where_it_was_looked_for(
    tmp_path, offline, capfd, name
):
    with pytest.raises(InputError) as caught:
        load(name, data_dir=tmp_path)
    in_one_line(caught)
    for part in (name.removeprefix("tfds:"), str(tmp_path), "--data_dir", "network"):
        assert part in str(caught.value)
    assert "WARNING:absl" not in capfd.readouterr().err


def test_a_network_that_swallows_everything_costs_three_seconds(tmp_path, monkeypatch):
    over = threading.Event()

    def swallow(*args, **kwargs):
        over.wait(60)
        raise OSError("timed out")

    monkeypatch.setattr(sources_tfds, "PATIENCE", 0.3)
    monkeypatch.setattr(socket, "create_connection", swallow)
    start = time.monotonic()
    try:
        with pytest.raises(InputError, match="no network"):
            load("fashion_mnist", data_dir=tmp_path)
        assert time.monotonic() - start < 30
    finally:
        over.set()


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("the server said no\nand more")

    monkeypatch.setattr(sources_tfds, "_online", lambda: True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(InputError, match="the server said no.*try again") as caught:
        load("fashion_mnist", data_dir=tmp_path)
    in_one_line(caught)


def photos(rng, count):
    """Smooth random images `[count, 32, 32, 3]` away from black and white."""
    small = rng.uniform(60, 200, (count, 5, 5, 3)).astype(np.float32)
    return np.rint(data_images.resize(small, (32, 32))).astype(np.uint8)


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """Nine 5x7 pictures to train with and three to test."""

    VERSION = tfds.core.Version("1.0.0")
    IMAGE = tfds.features.Image(shape=(5, 7, 3))
    LABEL = tfds.features.ClassLabel(names=["cat", "dog"])

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"image": self.IMAGE, "label": self.LABEL}
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._examples(9, 0), "test": self._examples(3, 50)}

    def _examples(self, count, first):
        for n in range(count):
            image = np.full((5, 7, 3), 10 * n + first, np.uint8)
            yield n, {"image": image, "label": n % 2}

    def _generate_examples(self):
        raise NotImplementedError


class TinyUnsized(TinyPictures):
    """The same without a fixed size."""

    IMAGE = tfds.features.Image(shape=(None, None, 3))


class TinyPhotos(TinyPictures):
    """The same as JPEG, of colours that TF's fast decoding shifts."""

    IMAGE = tfds.features.Image(shape=(32, 32, 3), encoding_format="jpeg")

    def _examples(self, count, first):
        for n, image in enumerate(photos(np.random.default_rng(first), count)):
            yield n, {"image": image, "label": n % 2}


class TinyNumbers(TinyPictures):
    """Pictures with a number that is no class."""

    LABEL = tfds.features.Scalar(np.int64)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (TinyPictures, TinyPhotos, TinyUnsized, TinyNumbers):
        builder(data_dir=folder).download_and_prepare()
    return folder


def test_any_prepared_tfds_set_is_read(prepared):
    dataset = load("tiny_pictures", data_dir=prepared, seed=1)
    assert dataset.image_shape == (5, 7, 3) and dataset.class_names == ("cat", "dog")
    assert [len(getattr(dataset, key)) for key in SPLITS] == [8, 1, 3]
    assert sorted(dataset.test.images[:, 0, 0, 0]) == [50, 60, 70]
    parts = dataset.train, dataset.validation
    values = np.concatenate([part.images[:, 2, 3, 1] for part in parts])
    assert sorted(values) == list(range(0, 90, 10))
    labels = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(labels, values // 10 % 2)


def test_jpeg_images_of_tfds_keep_their_mean_colour(prepared):
    dataset = load("tiny_photos", data_dir=prepared)
    original = photos(np.random.default_rng(50), 3).mean((0, 1, 2))
    np.testing.assert_allclose(dataset.test.images.mean((0, 1, 2)), original, atol=0.3)


def test_tfds_images_are_resized_on_request(prepared):
    for name in ("tfds:tiny_pictures", "tiny_unsized"):
        dataset = load(name, data_dir=prepared, image_size=11)
        assert dataset.image_shape == (11, 11, 3)
        assert sorted(dataset.test.images[:, 10, 10, 2]) == [50, 60, 70]


def test_tfds_images_of_several_sizes_need_an_image_size(prepared):
    with pytest.raises(InputError, match="several sizes; give --image_size"):
        load("tiny_unsized", data_dir=prepared)


def test_a_tfds_set_of_another_task_is_refused(prepared):
    with pytest.raises(InputError, match="not image classification.*image, label"):
        load("tiny_numbers", data_dir=prepared)


def test_a_tfds_set_larger_than_the_memory_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 10)  # 100 bytes.
    with pytest.raises(InputError, match="fit into memory.*--image_size"):
        load("tiny_pictures", data_dir=prepared)


def test_features_are_inputs_and_targets_by_name(prepared):
    text = "tfds:tiny_numbers(inputs='image, label', targets='label')"
    dataset = load(text, data_dir=prepared, image_size=6)
    assert dataset.input_names == ("image", "label") and not dataset.output_names
    assert dataset.image_shape == ((6, 6, 3), (1,))
    for key in SPLITS:
        split = getattr(dataset, key)
        images, numbers = split.images
        number = images[:, 0, 0, 0] // 10 - (5 if key == "test" else 0)
        np.testing.assert_array_equal(number % 2, split.labels)
        np.testing.assert_array_equal(numbers[:, 0], split.labels)
    one = load("tiny_pictures(inputs='image', targets='label')", data_dir=prepared)
    assert one.class_names == ("cat", "dog") and one.image_shape == (5, 7, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs='imag', targets='label'", "feature of tiny_pictures 'imag'. Did you"),
        ("inputs='image'", "Give inputs and targets of tiny_pictures"),
        ("features='image'", "Unknown option of a TFDS set 'features'"),
        ("inputs=image", "name.argument=value"),
    ],
)
def test_features_that_it_does_not_have_are_refused(prepared, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load(f"tfds:tiny_pictures({text})", data_dir=prepared)
    in_one_line(caught)
