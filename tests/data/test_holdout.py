"""Held-out splits lose nothing and share nothing; statistics against NumPy."""

import contextlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import arrays_of, as_bytes, in_files

from ns_tf.base import InputError
from ns_tf.data import holdout
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Split
from ns_tf.data.holdout import (
    check_memory,
    complete,
    pixel_statistics,
    spread,
    stratified,
    take,
    with_fewer,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("present", [(), ("test",), ("validation",)])
def test_held_out_splits_are_disjoint_and_together_everything(rng, present, seed):
    train, other = arrays_of(rng), arrays_of(rng, 5)
    dataset = from_arrays(
        train, **dict.fromkeys(present, other), validation_fraction=0.2, seed=seed
    )
    held = [key for key in ("validation", "test") if key not in present]
    parts = [dataset.train, *(getattr(dataset, key) for key in held)]
    assert [len(part) for part in parts[1:]] == [round(0.2 * 23)] * len(held)
    assert as_bytes(*parts) == as_bytes(Split(*train))
    for key in present:
        np.testing.assert_array_equal(getattr(dataset, key).images, other[0])
    label = {image.tobytes(): y for image, y in zip(*train, strict=True)}
    for part in parts:
        for image, y in zip(part.images, part.labels, strict=True):
            assert label[image.tobytes()] == y


def test_the_seed_alone_chooses_what_is_held_out(rng):
    train = arrays_of(rng)
    same = [from_arrays(train, seed=5) for _ in range(2)]
    assert as_bytes(same[0].test) == as_bytes(same[1].test)
    assert as_bytes(same[0].validation) == as_bytes(same[1].validation)
    others = {tuple(as_bytes(from_arrays(train, seed=s).test)) for s in range(5)}
    assert len(others) > 1


def test_statistics_of_many_images_come_from_a_part(rng, monkeypatch):
    monkeypatch.setattr(holdout, "SAMPLE", 2)
    split = Split(*arrays_of(rng))
    mean, _ = pixel_statistics(split, (5, 7, 3))
    expected = split.images[[0, -1]].mean((0, 1, 2)) / 255
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


@given(st.integers(3, 60), st.floats(0.01, 0.3), st.integers(0, 9), st.booleans())
def test_completed_splits_share_nothing_lose_nothing_and_keep_their_order(
    size, fraction, seed, tested
):
    train = Split(np.zeros((size, 1, 1, 1)), np.arange(size))
    test = Split(np.zeros((2, 1, 1, 1)), np.array([7, 5])) if tested else None
    parts = complete(train, None, test, fraction=fraction, seed=seed)
    own = parts[:2] if tested else parts
    count = max(1, round(fraction * size))
    assert [len(part) for part in own[1:]] == [count] * (len(own) - 1)
    labels = [part.labels for part in own]
    np.testing.assert_array_equal(np.sort(np.concatenate(labels)), np.arange(size))
    assert all((np.diff(part) > 0).all() for part in labels)
    assert parts[2] is test or not tested


def test_what_is_held_out_depends_on_the_number_of_images_and_not_on_them(rng):
    one, other = (Split(*arrays_of(rng)) for _ in range(2))
    numbered = [Split(split.images, np.arange(23)) for split in (one, other)]
    labels = [
        complete(split, None, None, fraction=0.3, seed=5)[1].labels
        for split in numbered
    ]
    np.testing.assert_array_equal(*labels)


@pytest.mark.parametrize(("size", "given"), [(2, 0), (1, 1)])
def test_at_least_one_image_remains_to_train_on(size, given):
    train = Split(np.zeros((size, 1, 1, 1)), np.arange(size))
    other = train if given else None
    with pytest.raises(InputError, match=f"{2 - given} x 1 of {size} images leaves"):
        complete(train, other, None, fraction=0.01, seed=0)


def test_some_of_a_split_stay_in_its_order(rng):
    split = Split(*arrays_of(rng))
    part = take(split, np.array([11, 3, 17]))
    np.testing.assert_array_equal(part.images, split.images[[3, 11, 17]])
    np.testing.assert_array_equal(part.labels, split.labels[[3, 11, 17]])


@given(st.integers(1, 500), st.integers(2, 100))
def test_indices_are_spread_over_everything(size, count):
    indices = spread(size, count)
    assert len(indices) == min(size, count)
    assert indices[0] == 0 and indices[-1] == size - 1
    gaps = np.diff(indices)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("count", [1, 31, 32, 33, 67])
def test_statistics_do_not_depend_on_how_images_are_dealt_to_threads(rng, count):
    split = Split(*arrays_of(rng, count))
    mean, std = pixel_statistics(split, (5, 7, 3))
    pixels = split.images / 255
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(std, pixels.std((0, 1, 2)), rtol=1e-4)
    assert mean.dtype == std.dtype == np.float32


def test_statistics_of_files_are_those_of_what_a_batch_reads(rng, tmp_path):
    memory, files = in_files(rng, tmp_path)
    ours = pixel_statistics(files.train, (5, 7, 3))
    np.testing.assert_array_equal(ours, pixel_statistics(memory.train, (5, 7, 3)))


@pytest.mark.parametrize(("pages", "fits"), [(7, False), (8, True)])
def test_images_have_to_fit_into_the_memory_of_the_machine(monkeypatch, pages, fits):
    sizes = {"SC_PAGE_SIZE": 100, "SC_PHYS_PAGES": pages}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    refused = pytest.raises(
        InputError, match=r"it has to fit into memory.*; buy more\.$"
    )
    with contextlib.nullcontext() if fits else refused:
        assert check_memory("it", 10, (4, 10, 2), "buy more") is None


# Fewer training images.


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(0, 9),
    st.data(),
)
def test_a_subset_has_of_every_class_its_share_and_grows_with_its_size(
    sizes, seed, data
):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = data.draw(st.integers(1, len(labels)))
    chosen = stratified(labels, count, seed)
    assert len(set(chosen.tolist())) == count
    more = stratified(labels, len(labels) - (len(labels) - count) // 2, seed)
    assert set(chosen) <= set(more)
    if len(set(sizes)) == 1:
        counts = np.bincount(labels[chosen], minlength=len(sizes))
        assert counts.max() - counts.min() <= 1


def test_places_of_two_classes_by_hand():
    """Of 6 and 2: places 1/12, 3/12, ... 11/12 and 1/4, 3/4."""
    labels = np.array([0, 1, 0, 0, 0, 1, 0, 0])
    counts = [np.bincount(labels[stratified(labels, n, 7)]).tolist() for n in (4, 8)]
    assert counts == [[3, 1], [6, 2]]


def test_the_seed_chooses_and_labels_of_another_kind_are_one_class():
    labels = np.arange(60) % 3
    one, again, other = (set(stratified(labels, 20, seed)) for seed in (3, 3, 5))
    assert one == again != other
    values = np.linspace(0, 1, 60, dtype=np.float32)
    assert len(set(stratified(values, 20, 3))) == 20


def test_fewer_images_to_train_on_and_all_others_to_judge_by():
    images = np.arange(100, dtype=np.float32).reshape(-1, 1, 1, 1) / 100
    whole = from_arrays((images, np.arange(100) % 5))
    fewer = with_fewer(whole, 20, 3)
    shares = np.bincount(fewer.train.labels) / np.bincount(whole.train.labels)
    assert abs(shares - 20 / 80).max() < 0.05
    assert set(fewer.train.images.flat) <= set(whole.train.images.flat)
    assert fewer.validation is whole.validation and fewer.test is whole.test
    assert fewer.mean is whole.mean and with_fewer(whole, None, 3) is whole
    for count, told in (
        (81, "more than the 80 training"),
        (0, "at least 1"),
        (2.5, "whole"),
    ):
        with pytest.raises(InputError, match=told):
            with_fewer(whole, count, 3)
