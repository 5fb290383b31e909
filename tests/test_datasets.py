import dataclasses
import pathlib
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from ns_tf.base import InputError
from ns_tf.data import holdout, sources
from ns_tf.data import images as data_images
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import SPLITS, Split
from ns_tf.data.holdout import pixel_statistics
from ns_tf.data.sources import SOURCES
from ns_tf.data.sources import tfds as sources_tfds
from ns_tf.data.tf_data import from_tf_data, in_order

REAL = pathlib.Path(__file__).parents[2] / "shared" / "tfds"


@pytest.fixture
def rng():
    return np.random.default_rng(37)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)


def pair(rng, count=23, shape=(5, 7, 3), classes=3):
    """Images of uint8 and labels, every class among them."""
    images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
    return images, np.arange(count) % classes


def rows(*splits):
    """The images of splits as a sorted list of bytes."""
    return sorted(image.tobytes() for split in splits for image in split.images)


def one_line(caught):
    assert "\n" not in str(caught.value)


# Splits


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("given", [(), ("test",), ("validation",)])
def test_held_out_splits_are_disjoint_and_together_everything(rng, given, seed):
    train, other = pair(rng), pair(rng, 5)
    dataset = from_arrays(
        train, **dict.fromkeys(given, other), validation_fraction=0.2, seed=seed
    )
    held = [key for key in ("validation", "test") if key not in given]
    parts = [dataset.train, *(getattr(dataset, key) for key in held)]
    assert [len(part) for part in parts[1:]] == [round(0.2 * 23)] * len(held)
    assert rows(*parts) == rows(Split(*train))
    for key in given:
        np.testing.assert_array_equal(getattr(dataset, key).images, other[0])
    label = {image.tobytes(): y for image, y in zip(*train, strict=True)}
    for part in parts:
        for image, y in zip(part.images, part.labels, strict=True):
            assert label[image.tobytes()] == y


def test_the_seed_alone_chooses_what_is_held_out(rng):
    train = pair(rng)
    same = [from_arrays(train, seed=5) for _ in range(2)]
    assert rows(same[0].test) == rows(same[1].test)
    assert rows(same[0].validation) == rows(same[1].validation)
    others = {tuple(rows(from_arrays(train, seed=s).test)) for s in range(5)}
    assert len(others) > 1


def test_nothing_is_held_out_where_all_splits_are_given(rng):
    train = pair(rng)
    dataset = from_arrays(train, test=pair(rng, 2), validation=pair(rng, 4), classes=3)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [
        23,
        4,
        2,
    ]


# Arrays


@pytest.mark.parametrize("shape", [(5, 7, 3), (11, 3, 1), (2, 13, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_mean_and_deviation_are_those_of_the_training_pixels(rng, shape, dtype):
    images, labels = pair(rng, 101, shape)
    images = images if dtype == np.uint8 else (images / 255).astype(dtype)
    dataset = from_arrays((images, labels))
    assert dataset.image_shape == shape and dataset.classes == 3
    assert dataset.train.images.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert dataset.train.labels.dtype == np.int32
    pixels = dataset.train.images / (255 if dtype == np.uint8 else 1)
    np.testing.assert_allclose(dataset.mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, pixels.std((0, 1, 2)), rtol=1e-4)


def test_a_constant_channel_is_not_divided_by_zero(rng):
    images, labels = pair(rng)
    images[..., 1] = 7
    dataset = from_arrays((images, labels))
    assert dataset.std[1] == 1 and dataset.std[0] < 1
    x, _ = next(iter(train_batches(dataset, 3, seed=0)))
    np.testing.assert_allclose(x[..., 1], 0, atol=1e-6)


def test_statistics_of_many_images_come_from_a_part(rng, monkeypatch):
    monkeypatch.setattr(holdout, "SAMPLE", 2)
    split = Split(*pair(rng))
    mean, _ = pixel_statistics(split, (5, 7, 3))
    expected = split.images[[0, -1]].mean((0, 1, 2)) / 255
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_options_of_arrays_reach_the_data_set(rng):
    images, labels = pair(rng)
    dataset = from_arrays(
        (images, labels[:, None]),  # As keras.datasets has labels.
        class_names=["a", "b", "c", "d"],
        name="mine",
        image_size=13,
        pad=2,
        flip=True,
    )
    assert dataset.class_names == ("a", "b", "c", "d") and dataset.classes == 4
    assert dataset.image_shape == (13, 13, 3)
    assert (dataset.name, dataset.pad, dataset.flip) == ("mine", 2, True)


def nan_in_image_4(images):
    images = images / 255
    images[4, 2, 1, 0] = np.nan
    return images


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[..., 0], y), r"shape \[23, 5, 7\].*channel axis"),
        (lambda x, y: (x[0], y), r"shape \[5, 7, 3\]"),
        (lambda x, y: (x[..., [0, 1]], y), "1, 3 or 4 channels.*got 2"),
        (lambda x, y: (np.moveaxis(x, -1, 1), y), "got 7.*moveaxis"),
        (lambda x, y: (x[:0], y[:0]), "no images"),
        (lambda x, y: (x.astype(int), y), "got int64.*astype"),
        (lambda x, y: (nan_in_image_4(x), y), "image 4 has NaN"),
        (lambda x, y: (x / 100, y), r"between 0 and 1.* to 2\.\d+\. Divide by 255"),
        (lambda x, y: (x / 255 - 0.5, y), r"go from -0\.\d+ to 0\.\d+\."),
        (lambda x, y: (x, y - 1), "label 0 is -1"),
        (lambda x, y: (x, y + 10**9), "label 0 is 1000000000"),
        (lambda x, y: (x, y * 1.0), "labels are whole numbers; got float64"),
        (lambda x, y: (x, y[1:]), r"labels of shape \[23\]; got \[22\]"),
        (lambda x, y: (x, np.eye(3)[y]), r"got \[23, 3\].*argmax"),
        (lambda x, y: (x, y * 0), "classes is a whole number of at least 2; got 1"),
        (lambda x, y: x, "pair .images, labels.; got ndarray"),
    ],
)
def test_arrays_that_are_no_images_or_labels_are_refused(rng, change, message):
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(change(*pair(rng)))
    one_line(caught)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 2}, "0 to 1; the largest is 2. Give classes=3"),
        ({"classes": 2.5}, "got 2.5"),
        ({"class_names": ["a", "b"]}, "0 to 1; the largest is 2"),
        ({"classes": 4, "class_names": ["a", "b", "c"]}, "4 classes but 3"),
        ({"validation_fraction": 0}, "between 0 and 1, without them; got 0"),
        ({"validation_fraction": 1.0}, "got 1.0"),
        ({"validation_fraction": "half"}, "got 'half'"),
        ({"validation_fraction": 0.5}, "2 x 12 of 23 images leaves none"),
        ({"validation_fraction": float("nan")}, "got nan"),
        ({"image_size": 0}, "image_size is a whole number of at least 1; got 0"),
        ({"image_size": 3.5}, "got 3.5"),
        ({"seed": -1}, "seed is a whole number of at least 0; got -1"),
        ({"pad": -1}, "padding is a whole number of at least 0; got -1"),
    ],
)
def test_options_out_of_range_are_refused(rng, options, message):
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(pair(rng), **options)
    one_line(caught)


def test_splits_have_to_be_alike(rng):
    train = pair(rng)
    with pytest.raises(InputError, match=r"arrays test: .*got uint8 \[7, 5, 3\]"):
        from_arrays(train, test=pair(rng, shape=(7, 5, 3)))
    images, labels = pair(rng)
    with pytest.raises(InputError, match="arrays validation: .*got float32"):
        from_arrays(train, validation=(images / 255, labels))
    with pytest.raises(InputError, match="arrays test: .* label 0 is -1"):
        from_arrays(train, test=(images, labels - 1))


def test_an_npz_file_is_a_data_set(rng, tmp_path):
    (x, y), (x2, y2) = pair(rng), pair(rng, 5)
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x2, y_test=y2)
    dataset = sources.load(f"arrays:{path}")
    np.testing.assert_array_equal(dataset.test.images, x2)
    assert rows(dataset.train, dataset.validation) == rows(Split(x, y))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "x_train and y_train; it holds a. Write both"),
        ({"x_train": np.ones(3)}, "it holds x_train. Write both"),
        ({"x_train": np.array([{}], object)}, "cannot be read as one"),
    ],
)
def test_an_npz_file_without_the_arrays_is_refused(tmp_path, arrays, message):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        sources.load(f"arrays:{path}")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    for data in (b"", b"text", b"PK\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="np.savez") as caught:
            sources.load(f"arrays:{path}")
        one_line(caught)
    with pytest.raises(InputError, match="there is none"):
        sources.load(f"arrays:{tmp_path}/none.npz")


# tf.data


@pytest.mark.parametrize("batch", [None, 1, 5, 23])
def test_tf_data_is_the_same_as_its_arrays(rng, batch):
    arrays = in_order(*pair(rng))
    elements = tf.data.Dataset.from_tensor_slices(arrays).shuffle(23)
    elements = elements.batch(batch) if batch else elements
    dataset = from_tf_data(elements, test=elements, name="mine", seed=3)
    expected = from_arrays(arrays, test=arrays, name="mine", seed=3)
    for key in SPLITS:
        ours, theirs = getattr(dataset, key), getattr(expected, key)
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(dataset.mean, expected.mean)


def test_the_order_is_that_of_the_content_and_loses_nothing(rng):
    images, labels = pair(rng)
    images[5:9] = images[4]  # Told apart by their labels, if at all.
    found = in_order(images, labels)
    mixed = rng.permutation(23)
    for one, other in zip(found, in_order(images[mixed], labels[mixed]), strict=True):
        np.testing.assert_array_equal(one, other)
    together = {(x.tobytes(), y) for x, y in zip(*found, strict=True)}
    assert together == {(x.tobytes(), y) for x, y in zip(images, labels, strict=True)}
    assert len(found[0]) == 23


def several_sizes():
    for size in (5, 7):
        yield np.zeros((size, 5, 3), np.uint8), 0


def generated():
    signature = tf.TensorSpec([None, 5, 3], tf.uint8), tf.TensorSpec([], tf.int32)
    return tf.data.Dataset.from_generator(several_sizes, output_signature=signature)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (lambda d: d.repeat(), r"train is endless.*\.take\(n\)"),
        (lambda d: d.take(0), "train is an empty data set"),
        (lambda d: d.map(lambda x, y: x), "elements are .image"),
        (lambda d: d.map(lambda x, y: {"image": x, "label": y}), "elements are"),
        (lambda d: d.map(lambda x, y: (x[0], y)), "elements are"),
        (lambda d: generated(), r"one size; got \[5, 5, 3\] and \[7, 5, 3\]"),
        (lambda d: [1, 2], "tf.data.Dataset; got list.*from_arrays"),
    ],
)
def test_tf_data_of_another_kind_is_refused(rng, elements, message):
    with pytest.raises(InputError, match=message) as caught:
        from_tf_data(elements(tf.data.Dataset.from_tensor_slices(pair(rng))))
    one_line(caught)


def test_endless_tf_data_of_unknown_length_stops_at_the_memory(rng, monkeypatch):
    monkeypatch.setattr(sources.os, "sysconf", lambda name: 300)  # 90 kB in all.
    signature = tf.TensorSpec([5, 7, 3], tf.uint8), tf.TensorSpec([], tf.int32)

    def forever():
        while True:
            yield np.zeros((5, 7, 3), np.uint8), 1

    elements = tf.data.Dataset.from_generator(forever, output_signature=signature)
    with pytest.raises(InputError, match=r"fit into memory.*\.take\(n\)"):
        from_tf_data(elements)


# Names


def test_digits_are_real_gray_and_always_there():
    dataset = sources.load("digits")
    assert dataset.image_shape == (32, 32, 1) and dataset.classes == 10
    assert dataset.class_names == tuple("0123456789") and not dataset.flip
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [1437, 180, 180]
    assert dataset.train.images.dtype == np.uint8 and dataset.train.images.max() > 250
    assert set(dataset.train.labels) == set(range(10))


def test_digits_of_8_pixels_are_the_originals_scaled_to_255():
    import sklearn.datasets

    dataset = sources.load("digits", image_size=8, validation_fraction=0.3, seed=2)
    original = np.rint(sklearn.datasets.load_digits().images * 255 / 16)
    parts = [getattr(dataset, key) for key in SPLITS]
    expected = Split(original[..., None].astype(np.uint8), np.zeros(1797))
    assert rows(*parts) == rows(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar11", "Did you mean 'cifar10'"),
        ("digit", "Did you mean 'digits'"),
        ("fashion_mnits", "Did you mean 'fashion_mnist'"),
        ("", "Unknown data set ''"),
        ("tfds:", "Unknown data set"),
        ("a b", "Unknown data set 'a b'"),
        ("foldr:/tmp", "Unknown data set 'foldr:/tmp'"),
        ("digits:8", "digits takes no argument"),
        ("cifar10:9.9.9", "cannot be loaded at version 9.9.9"),
        ("imagenette/zzz", "BuilderConfig zzz not found"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(tmp_path, offline, name, message):
    with pytest.raises(InputError, match=message) as caught:
        sources.load(name, data_dir=tmp_path)
    one_line(caught)


@pytest.mark.parametrize(
    "options", [{"image_size": -1}, {"validation_fraction": 2}, {"seed": 0.5}]
)
def test_load_refuses_options_out_of_range_before_it_reads(options):
    with pytest.raises(InputError, match="got"):
        sources.load("digits", **options)


@pytest.mark.parametrize("name", ["fashion_mnist", "tfds:mnist", "cifar100"])
def test_a_set_that_is_not_prepared_says_where_it_was_looked_for(
    tmp_path, offline, capfd, name
):
    with pytest.raises(InputError) as caught:
        sources.load(name, data_dir=tmp_path)
    one_line(caught)
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
            sources.load("fashion_mnist", data_dir=tmp_path)
        assert time.monotonic() - start < 30
    finally:
        over.set()


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("the server said no\nand more")

    monkeypatch.setattr(sources_tfds, "_online", lambda: True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(InputError, match="the server said no.*try again") as caught:
        sources.load("fashion_mnist", data_dir=tmp_path)
    one_line(caught)


# TFDS


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
    dataset = sources.load("tiny_pictures", data_dir=prepared, seed=1)
    assert dataset.image_shape == (5, 7, 3) and dataset.class_names == ("cat", "dog")
    assert [len(getattr(dataset, key)) for key in SPLITS] == [8, 1, 3]
    assert sorted(dataset.test.images[:, 0, 0, 0]) == [50, 60, 70]
    parts = dataset.train, dataset.validation
    values = np.concatenate([part.images[:, 2, 3, 1] for part in parts])
    assert sorted(values) == list(range(0, 90, 10))
    labels = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(labels, values // 10 % 2)


def test_jpeg_images_of_tfds_keep_their_mean_colour(prepared):
    dataset = sources.load("tiny_photos", data_dir=prepared)
    original = photos(np.random.default_rng(50), 3).mean((0, 1, 2))
    np.testing.assert_allclose(dataset.test.images.mean((0, 1, 2)), original, atol=0.3)


def test_tfds_images_are_resized_on_request(prepared):
    for name in ("tfds:tiny_pictures", "tiny_unsized"):
        dataset = sources.load(name, data_dir=prepared, image_size=11)
        assert dataset.image_shape == (11, 11, 3)
        assert sorted(dataset.test.images[:, 10, 10, 2]) == [50, 60, 70]


def test_tfds_images_of_several_sizes_need_an_image_size(prepared):
    with pytest.raises(InputError, match="several sizes; give --image_size"):
        sources.load("tiny_unsized", data_dir=prepared)


def test_a_tfds_set_of_another_task_is_refused(prepared):
    with pytest.raises(InputError, match="not image classification.*image, label"):
        sources.load("tiny_numbers", data_dir=prepared)


def test_a_tfds_set_larger_than_the_memory_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(sources.os, "sysconf", lambda name: 10)  # 100 bytes.
    with pytest.raises(InputError, match="fit into memory.*--image_size"):
        sources.load("tiny_pictures", data_dir=prepared)


def load_cifar(name):
    if not (REAL / name).exists():
        pytest.skip(f"no prepared {name} in {REAL}")
    return sources.load(name, data_dir=REAL)


CIFAR = pytest.mark.parametrize(
    ("name", "classes"), [("cifar10", 10), ("cifar100", 100)]
)


@CIFAR
def test_some_of_cifar_is_read_with_its_usual_constants(
    name, classes, offline, monkeypatch
):
    whole = sources_tfds._arrays
    monkeypatch.setattr(
        sources_tfds,
        "_arrays",
        lambda b, split, *rest: whole(b, f"{split}[:700]", *rest),
    )
    dataset = load_cifar(name)
    assert dataset.image_shape == (32, 32, 3) and dataset.classes == classes
    assert len(dataset.class_names) == classes
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [630, 70, 700]
    assert (dataset.pad, dataset.flip) == (4, True)
    mean, std = pixel_statistics(dataset.train, dataset.image_shape)
    np.testing.assert_allclose(dataset.mean, mean, atol=0.03)
    np.testing.assert_allclose(dataset.std, std, atol=0.03)
    x, _ = next(iter(train_batches(dataset, 257, seed=0, augment=False)))
    np.testing.assert_allclose(tf.math.reduce_std(x), 1, atol=0.1)


@pytest.mark.slow
@CIFAR
def test_all_of_cifar_has_the_published_mean_and_deviation(
    name, classes, offline, monkeypatch
):
    monkeypatch.setattr(holdout, "SAMPLE", 50_000)
    dataset = load_cifar(name)
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [45000, 5000, 10000]
    assert (
        np.unique(dataset.test.labels, return_counts=True)[1].tolist()
        == [10000 // classes] * classes
    )
    mean, std = pixel_statistics(dataset.train, dataset.image_shape)
    np.testing.assert_allclose(dataset.mean, mean, atol=0.0015)
    np.testing.assert_allclose(dataset.std, std, atol=0.0015)


# Folders


def write(rng, path, size=(5, 7), channels=3):
    """A random PNG file of that size, folders included; its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (*size, channels)).astype(np.uint8)
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    return pixels


def fill(rng, tree, count=11, classes=("cat", "dog")):
    for name in classes:
        for n in range(count):
            write(rng, tree / name / f"{n}.png")
    return tree


def test_one_tree_of_files_is_split_by_the_seed(rng, tmp_path):
    fill(rng, tmp_path)
    same = [sources.load(f"folder:{tmp_path}", seed=4) for _ in range(2)]
    parts = [[set(getattr(d, key).images) for key in SPLITS] for d in same]
    assert parts[0] == parts[1] and [len(p) for p in parts[0]] == [18, 2, 2]
    assert set.union(*parts[0]) == {str(p) for p in tmp_path.rglob("*.png")}
    assert sum(len(part) for part in parts[0]) == 22
    for key in SPLITS:
        split = getattr(same[0], key)
        for path, label in zip(split.images, split.labels, strict=True):
            assert pathlib.Path(path).parent.name == ("cat", "dog")[label]
    other = sources.load(f"folder:{tmp_path}", seed=5)
    assert set(other.train.images) != parts[0][0]


@pytest.mark.parametrize("validation", ["val", "validation", None])
def test_trees_named_after_splits_are_kept(rng, tmp_path, validation):
    fill(rng, tmp_path / "train", 5)
    fill(rng, tmp_path / "test", 3, classes=("dog",))
    if validation:
        fill(rng, tmp_path / validation, 2)
    dataset = sources.load(f"folder:{tmp_path}")
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == ([10, 4, 3] if validation else [9, 1, 3])
    assert set(dataset.test.labels) == {1} and dataset.class_names == ("cat", "dog")


def test_a_class_may_be_called_train(rng, tmp_path):
    fill(rng, tmp_path, classes=("car", "train"))
    dataset = sources.load(f"folder:{tmp_path}")
    assert dataset.class_names == ("car", "train")


def test_files_are_found_below_a_class_and_others_are_left(rng, tmp_path):
    fill(rng, tmp_path)
    write(rng, tmp_path / "cat" / "deep" / "er" / "a.PNG")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "cat" / "._1.png").write_text("x")
    (tmp_path / ".cache").mkdir()
    dataset = sources.load(f"folder:{tmp_path}")
    assert sum(len(getattr(dataset, key)) for key in SPLITS) == 23


def test_statistics_of_files_are_those_of_their_pixels(rng, tmp_path):
    fill(rng, tmp_path)
    dataset = sources.load(f"folder:{tmp_path}")
    pixels = np.stack([data_images.decode(path) for path in dataset.train.images]) / 255
    assert dataset.image_shape == (5, 7, 3)
    np.testing.assert_allclose(dataset.mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, pixels.std((0, 1, 2)), rtol=1e-5)


def test_files_of_several_sizes_are_resized_on_request(rng, tmp_path):
    fill(rng, tmp_path)
    write(rng, tmp_path / "dog" / "large.png", size=(13, 17), channels=1)
    with pytest.raises(InputError, match="need --image_size: .*5x7, .*13x17"):
        sources.load(f"folder:{tmp_path}")
    dataset = sources.load(f"folder:{tmp_path}", image_size=11)
    assert dataset.image_shape == (11, 11, 3)
    x, _ = next(iter(train_batches(dataset, 7, seed=0)))
    assert x.shape == (7, 11, 11, 3)


@pytest.mark.parametrize("image_size", [None, 11])
@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_a_broken_file_is_named_before_the_work_begins(rng, tmp_path, data, image_size):
    fill(rng, tmp_path)
    (tmp_path / "dog" / "broken.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"dog/broken\.jpg.*replace or delete") as e:
        sources.load(f"folder:{tmp_path}", image_size=image_size)
    one_line(e)


def missing(rng, root):
    root.rmdir()


def one_class(rng, root):
    fill(rng, root, classes=("cat",))


def a_class_without_images(rng, root):
    fill(rng, root)
    (root / "emu").mkdir()


def splits_without_train(rng, root):
    fill(rng, root / "val")
    fill(rng, root / "test")


def two_validations(rng, root):
    for name in ("train", "val", "validation"):
        fill(rng, root / name, 2)


def a_class_that_training_lacks(rng, root):
    fill(rng, root / "train", 2)
    fill(rng, root / "test", 2, classes=("emu",))


def an_empty_test_tree(rng, root):
    fill(rng, root / "train", 2)
    (root / "test").mkdir()


def too_few(rng, root):
    fill(rng, root, 1)


def a_file(rng, root):
    root.rmdir()
    root.write_text("x")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (missing, "a folder of class folders at .*there is none"),
        (a_file, "it cannot be listed"),
        (lambda rng, root: None, "at least 2 classes in .*found none"),
        (one_class, "at least 2 classes in .*found cat"),
        (a_class_without_images, "every class folder of .*emu without any"),
        (splits_without_train, "found test, val. Rename"),
        (two_validations, "found train, val, validation. Rename"),
        (a_class_that_training_lacks, "emu is none of them"),
        (an_empty_test_tree, "in every class folder of .*test"),
        (too_few, "leaves none to train on"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(rng, tmp_path, prepare, message):
    root = tmp_path / "root"
    root.mkdir()
    prepare(rng, root)
    with pytest.raises(InputError, match=message) as caught:
        sources.load(f"folder:{root}")
    one_line(caught)


# The registry


def test_every_family_registers_a_loader():
    SOURCES.names()
    for path in pathlib.Path(sources.__file__).parent.glob("[!_]*.py"):
        module = f"ns_tf.datasets.{path.stem}"
        loaders = [SOURCES.get(name) for name in SOURCES.names()]
        assert any(loader.__module__ == module for loader in loaders), module


def test_a_data_set_can_be_varied(rng):
    dataset = dataclasses.replace(from_arrays(pair(rng)), flip=True, pad=1)
    x, _ = next(iter(train_batches(dataset, 5, seed=0)))
    assert x.shape == (5, 5, 7, 3)
