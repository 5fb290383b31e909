"""The digits of scikit-learn."""

import sys

import numpy as np
import pytest
from pictures import as_bytes

from ns_tf.data.dataset import SPLITS, Split
from ns_tf.data.sources import digits, load


def test_digits_are_real_gray_and_always_there():
    dataset = load("digits")
    assert dataset.image_shape == (32, 32, 1) and dataset.classes == 10
    assert dataset.class_names == tuple("0123456789") and not dataset.flip
    sizes = [len(getattr(dataset, key)) for key in SPLITS]
    assert sizes == [1437, 180, 180]
    assert dataset.train.images.dtype == np.uint8 and dataset.train.images.max() > 250
    assert set(dataset.train.labels) == set(range(10))


def test_digits_of_8_pixels_are_the_originals_scaled_to_255():
    import sklearn.datasets

    dataset = load("digits", image_size=8, validation_fraction=0.3, seed=2)
    original = np.rint(sklearn.datasets.load_digits().images * 255 / 16)
    parts = [getattr(dataset, key) for key in SPLITS]
    expected = Split(original[..., None].astype(np.uint8), np.zeros(1797))
    assert as_bytes(*parts) == as_bytes(expected)


def test_digits_are_those_of_scikit_learn_whether_its_file_is_found_or_not(monkeypatch):
    pixels, labels = digits._stored()
    monkeypatch.setattr(digits.pathlib.Path, "is_file", lambda path: False)
    for ours, theirs in zip((pixels, labels), digits._stored(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_digits_are_read_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert len(digits._stored()[1]) == 1797


@pytest.mark.parametrize(("size", "pad"), [(8, 1), (17, 2), (None, 4)])
def test_digits_move_by_an_eighth_of_their_size(size, pad):
    dataset = load("digits", image_size=size, validation_fraction=0.3)
    assert dataset.pad == pad and dataset.image_shape == (size or 32, size or 32, 1)


def test_the_seed_of_the_digits_chooses_what_is_held_out():
    tests = [load("digits", image_size=8, seed=seed).test for seed in (3, 3, 4)]
    assert as_bytes(tests[0]) == as_bytes(tests[1]) != as_bytes(tests[2])
