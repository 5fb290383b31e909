"""Folders of image files: split, named, checked before the work begins."""

import pathlib

import numpy as np
import pytest
from pictures import class_folders, in_one_line, write_png

from ns_tf.base import InputError
from ns_tf.data import images as data_images
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import SPLITS
from ns_tf.data.sources import folder, load


def test_one_tree_of_files_is_split_by_the_seed(rng, tmp_path):
    class_folders(rng, tmp_path)
    same = [load(f"folder:{tmp_path}", seed=4) for _ in range(2)]
    parts = [[set(getattr(d, key).images) for key in SPLITS] for d in same]
    assert parts[0] == parts[1] and [len(p) for p in parts[0]] == [18, 2, 2]
    assert set.union(*parts[0]) == {str(p) for p in tmp_path.rglob("*.png")}
    assert sum(len(part) for part in parts[0]) == 22
    for key in SPLITS:
        split = getattr(same[0], key)
        for path, label in zip(split.images, split.labels, strict=True):
            assert pathlib.Path(path).parent.name == ("cat", "dog")[label]
    other = load(f"folder:{tmp_path}", seed=5)
    assert set(other.train.images) != parts[0][0]


@pytest.mark.parametrize("validation", ["val", "validation", None])
def test_trees_named_after_splits_are_kept(rng, tmp_path, validation):
    class_folders(rng, tmp_path / "train", 5)
    class_folders(rng, tmp_path / "test", 3, classes=("dog",))
    if validation:
        class_folders(rng, tmp_path / validation, 2)
    dataset = load(f"folder:{tmp_path}")
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == ([10, 4, 3] if validation else [9, 1, 3])
    assert set(dataset.test.labels) == {1} and dataset.class_names == ("cat", "dog")


def test_a_class_may_be_called_train(rng, tmp_path):
    class_folders(rng, tmp_path, classes=("car", "train"))
    dataset = load(f"folder:{tmp_path}")
    assert dataset.class_names == ("car", "train")


def test_files_are_found_below_a_class_and_others_are_left(rng, tmp_path):
    class_folders(rng, tmp_path)
    write_png(rng, tmp_path / "cat" / "deep" / "er" / "a.PNG")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "cat" / "._1.png").write_text("x")
    (tmp_path / ".cache").mkdir()
    dataset = load(f"folder:{tmp_path}")
    assert sum(len(getattr(dataset, key)) for key in SPLITS) == 23


def test_statistics_of_files_are_those_of_their_pixels(rng, tmp_path):
    class_folders(rng, tmp_path)
    dataset = load(f"folder:{tmp_path}")
    pixels = np.stack([data_images.decode(path) for path in dataset.train.images]) / 255
    assert dataset.image_shape == (5, 7, 3)
    np.testing.assert_allclose(dataset.mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, pixels.std((0, 1, 2)), rtol=1e-5)


def test_files_of_several_sizes_are_resized_on_request(rng, tmp_path):
    class_folders(rng, tmp_path)
    write_png(rng, tmp_path / "dog" / "large.png", size=(13, 17), channels=1)
    with pytest.raises(InputError, match="need --image_size: .*5x7, .*13x17"):
        load(f"folder:{tmp_path}")
    dataset = load(f"folder:{tmp_path}", image_size=11)
    assert dataset.image_shape == (11, 11, 3)
    x, _ = next(iter(train_batches(dataset, 7, seed=0)))
    assert x.shape == (7, 11, 11, 3)


@pytest.mark.parametrize("image_size", [None, 11])
@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_a_broken_file_is_named_before_the_work_begins(rng, tmp_path, data, image_size):
    class_folders(rng, tmp_path)
    (tmp_path / "dog" / "broken.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"dog/broken\.jpg.*replace or delete") as e:
        load(f"folder:{tmp_path}", image_size=image_size)
    in_one_line(e)


def missing(rng, root):
    root.rmdir()


def one_class(rng, root):
    class_folders(rng, root, classes=("cat",))


def a_class_without_images(rng, root):
    class_folders(rng, root)
    (root / "emu").mkdir()


def splits_without_train(rng, root):
    class_folders(rng, root / "val")
    class_folders(rng, root / "test")


def two_validations(rng, root):
    for name in ("train", "val", "validation"):
        class_folders(rng, root / name, 2)


def a_class_that_training_lacks(rng, root):
    class_folders(rng, root / "train", 2)
    class_folders(rng, root / "test", 2, classes=("emu",))


def an_empty_test_tree(rng, root):
    class_folders(rng, root / "train", 2)
    (root / "test").mkdir()


def too_few(rng, root):
    class_folders(rng, root, 1)


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
        load(f"folder:{root}")
    in_one_line(caught)


def test_labels_are_the_places_of_the_class_names(rng, tmp_path):
    class_folders(rng, tmp_path, 7, classes=("dog", "Cat", "10", "9"))
    dataset = load(f"folder:{tmp_path}")
    assert dataset.class_names == ("10", "9", "Cat", "dog") and dataset.classes == 4
    assert (dataset.pad, dataset.flip) == (0, False)  # An eighth of 5 pixels.
    for key in SPLITS:
        split = getattr(dataset, key)
        assert split.on_disk and split.labels.dtype == np.int32
        for path, label in zip(split.images, split.labels, strict=True):
            assert pathlib.Path(path).parent.name == dataset.class_names[label]


def test_with_an_image_size_few_files_are_tried(rng, tmp_path, monkeypatch):
    class_folders(rng, tmp_path)
    tried = []
    decode = folder.decode
    monkeypatch.setattr(folder, "decode", lambda p: tried.append(p) or decode(p))
    monkeypatch.setattr(folder, "CHECKED", 5)
    load(f"folder:{tmp_path}", image_size=3)
    assert len(set(tried)) == 5
    tried.clear()
    load(f"folder:{tmp_path}")
    assert len(set(tried)) == 22
