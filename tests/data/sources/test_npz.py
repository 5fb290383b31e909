"""Data sets from an .npz file."""

import numpy as np
import pytest
from pictures import arrays_of, as_bytes, in_one_line

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Split
from ns_tf.data.sources import load


def test_an_npz_file_is_a_data_set(rng, tmp_path):
    (x, y), (x2, y2) = arrays_of(rng), arrays_of(rng, 5)
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x2, y_test=y2)
    dataset = load(f"arrays:{path}")
    np.testing.assert_array_equal(dataset.test.images, x2)
    assert as_bytes(dataset.train, dataset.validation) == as_bytes(Split(x, y))


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
        load(f"arrays:{path}")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    for data in (b"", b"text", b"PK\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="np.savez") as caught:
            load(f"arrays:{path}")
        in_one_line(caught)
    with pytest.raises(InputError, match="there is none"):
        load(f"arrays:{tmp_path}/none.npz")


def test_all_splits_of_a_file_are_taken_and_options_reach_them(rng, tmp_path):
    path = tmp_path / "mine.npz"
    splits = {key: arrays_of(rng, n) for key, n in zip(SPLITS, (23, 4, 5), strict=True)}
    arrays = {f"x_{key}": images for key, (images, _) in splits.items()}
    arrays |= {f"y_{key}": labels for key, (_, labels) in splits.items()}
    np.savez(path, **arrays, unrelated=np.ones(3))
    dataset = load(f"arrays:{path}")
    assert dataset.name == f"arrays:{path}" and (dataset.pad, dataset.flip) == (
        0,
        False,
    )
    for key, (images, labels) in splits.items():
        np.testing.assert_array_equal(getattr(dataset, key).images, images)
        np.testing.assert_array_equal(getattr(dataset, key).labels, labels)
    assert load(f"arrays:{path}", image_size=11).image_shape == (11, 11, 3)


def test_val_is_the_validation_split(rng, tmp_path):
    path = tmp_path / "mine.npz"
    (x, y), (a, b) = arrays_of(rng), arrays_of(rng, 4)
    arrays = {"x_train": x, "y_train": y, "x_val": a, "y_val": b, "w_val": np.ones(4)}
    np.savez(path, **arrays)
    found = load(f"arrays:{path}").validation
    np.testing.assert_array_equal(found.images, a)
    named = {"x_a_train": x, "x_val_train": x, "y_train": y, "x_a_val": a}
    np.savez(path, **named, x_val_val=a, y_val=b)
    found = load(f"arrays:{path}")
    assert found.input_names == ("a", "val") and len(found.validation) == 4
    np.savez(path, **arrays, x_validation=a)
    with pytest.raises(InputError, match="x_val and x_validation; keep one"):
        load(f"arrays:{path}")


@pytest.mark.parametrize("name", ["x_dev", "y_b_valid", "w_test", "x_a_train"])
def test_arrays_that_belong_to_no_split_are_refused(rng, tmp_path, name):
    path = tmp_path / "mine.npz"
    x, y = arrays_of(rng)
    np.savez(path, x_train=x, y_train=y, **{name: x})
    with pytest.raises(InputError, match=f"{name}, which belongs to no split") as e:
        load(f"arrays:{path}")
    in_one_line(e)


def test_a_split_with_half_of_its_arrays_is_refused(rng, tmp_path):
    path = tmp_path / "mine.npz"
    images, labels = arrays_of(rng)
    np.savez(path, x_train=images, y_train=labels, x_test=images)
    with pytest.raises(InputError, match="x_test and y_test; it holds x_test, x_train"):
        load(f"arrays:{path}")


def test_several_inputs_and_targets_have_their_names_in_the_arrays(rng, tmp_path):
    path = tmp_path / "mine.npz"
    images, labels = arrays_of(rng)
    arrays = {"x_a_b_train": images, "x_age_train": labels / 2, "w_train": labels + 1}
    np.savez(path, **arrays, y_one_train=labels, y_other_train=labels + 0.5)
    dataset = load(f"npz:{path}")
    assert dataset.input_names == ("a_b", "age")
    assert dataset.output_names == ("one", "other")
    for key in SPLITS:
        split = getattr(dataset, key)
        np.testing.assert_array_equal(split.images[1][:, 0], split.labels[0] / 2)
        np.testing.assert_array_equal(split.labels[1], split.labels[0] + 0.5)
        np.testing.assert_array_equal(split.weights, split.labels[0] + 1)
    del arrays["w_train"]
    targets = {"y_one_train": labels, "y_other_train": labels + 0.5}
    np.savez(path, **arrays, **targets, w_other_train=labels + 2)
    train = load(f"npz:{path}").train
    np.testing.assert_array_equal(train.weights[0], np.ones(len(train)))
    np.testing.assert_array_equal(train.weights[1], train.labels[0] + 2)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="holds x_a_b_train, .*x_NAME_train"):
        load(f"npz:{path}")
