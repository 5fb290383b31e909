"""Batches are a function of seed and step, and agree with NumPy."""

import dataclasses
import gc
import itertools
import subprocess
import sys
import weakref

import numpy as np
import pytest
import tensorflow as tf
from picked import picked
from pictures import assert_same, first, in_files, made, normalised

from ns_tf.base import InputError
from ns_tf.data import batches as data_batches
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import epoch_draws, eval_batches, steps_per_epoch, train_batches
from ns_tf.data.dataset import Split

# (images, height, width, channels), batch: distinct primes, so that no axes can be
# mistaken for one another; the batches do not divide the sets.
CASES = [((23, 5, 7, 3), 4), ((17, 11, 3, 1), 5)]


@pytest.mark.parametrize(
    ("case", "step"), picked([(CASES[0], 13), (CASES[1], 1)], CASES, [1, 5, 13])
)
def test_a_stream_from_step_k_is_the_rest_of_the_stream_from_0(rng, case, step):
    shape, batch = case
    dataset = made(rng, shape)
    whole = first(train_batches(dataset, batch, seed=7), 17)
    rest = train_batches(dataset, batch, seed=7, first_step=step)
    assert_same(first(rest, 17 - step), whole[step:])


@pytest.mark.parametrize(("shape", "batch"), CASES)
def test_an_epoch_shows_no_example_twice_and_fills_every_batch(rng, shape, batch):
    dataset = made(rng, shape)
    steps = steps_per_epoch(dataset, batch)
    assert steps == shape[0] // batch
    batches = first(train_batches(dataset, batch, seed=3), 3 * steps)
    for x, y in batches:
        assert x.shape == (batch, *shape[1:]) and x.dtype == np.float32
        assert y.shape == (batch,) and y.dtype == np.int32
    for epoch in range(3):
        labels = np.concatenate([y for _, y in batches[epoch * steps :][:steps]])
        assert len(np.unique(labels)) == steps * batch


def oracle(dataset, batch, seed, step):
    """The batch of a step by plain NumPy loops, from the documented draws."""
    size = len(dataset.train)
    epoch, place = divmod(step, size // batch)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(size)
    corner = rng.integers(0, 2 * dataset.pad + 1, size=(size, 2))
    flip = rng.integers(0, 2, size=size)
    height, width, _ = dataset.image_shape
    images = []
    for index in order[place * batch : (place + 1) * batch]:
        down, right = corner[index]
        border = (dataset.pad, dataset.pad)
        image = np.pad(dataset.train.images[index], (border, border, (0, 0)))
        image = image[down : down + height, right : right + width]
        images.append(image[:, ::-1] if flip[index] and dataset.flip else image)
    return np.stack(images)


@pytest.mark.parametrize(
    ("case", "moves", "dtype"),
    picked(
        lambda one: (one[0] is CASES[0]) == (one[2] is np.uint8),
        CASES,
        [(2, True), (3, False), (0, True)],
        [np.uint8, np.float32],
    ),
)
def test_crops_and_flips_agree_with_numpy(rng, case, moves, dtype):
    (shape, batch), (pad, flip) = case, moves
    dataset = made(rng, shape, pad=pad, flip=flip, dtype=dtype)
    for step, (x, _) in enumerate(first(train_batches(dataset, batch, seed=11), 7)):
        expected = normalised(oracle(dataset, batch, 11, step), dataset)
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def test_crops_reach_every_corner_and_flips_take_half(rng):
    dataset = made(rng, (1009, 5, 7, 3), pad=1)
    draws = epoch_draws(dataset, 5, 0)
    assert sorted(draws[:, 0]) == list(range(1009))
    assert {tuple(corner) for corner in draws[:, 1:3]} == set(
        itertools.product(range(3), repeat=2)
    )
    assert abs(draws[:, 3].mean() - 0.5) < 0.06


@pytest.mark.parametrize(("shape", "batch"), CASES)
def test_without_augmentation_the_images_are_the_originals_in_the_same_order(
    rng, shape, batch
):
    dataset = made(rng, shape)
    plain = first(train_batches(dataset, batch, seed=2, augment=False), 9)
    moved = first(train_batches(dataset, batch, seed=2), 9)
    for (x, y), (_, y2) in zip(plain, moved, strict=True):
        np.testing.assert_array_equal(y, y2)
        expected = normalised(dataset.train.images[y], dataset)
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def test_epochs_and_seeds_have_orders_of_their_own(rng):
    dataset = made(rng, (23, 5, 7, 3))
    orders = [
        tuple(epoch_draws(dataset, seed, epoch)[:, 0])
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len(set(orders)) == 9


def test_an_image_is_cropped_anew_in_every_epoch(rng):
    dataset = made(rng, (23, 5, 7, 3))
    moves = [
        draws[np.argsort(draws[:, 0]), 1:].tolist()
        for draws in (epoch_draws(dataset, 1, epoch) for epoch in range(2))
    ]
    assert moves[0] != moves[1]


@pytest.mark.parametrize(
    ("case", "split"),
    picked(
        lambda one: (one[0] is CASES[0]) == (one[1] == "train"),
        CASES,
        ["train", "validation", "test"],
    ),
)
def test_evaluation_shows_everything_once_in_order(rng, case, split):
    shape, batch = case
    dataset = made(rng, shape)
    batches = [(x.numpy(), y.numpy()) for x, y in eval_batches(dataset, split, batch)]
    wanted = getattr(dataset, split)
    assert all(len(y) == batch for _, y in batches[:-1])
    np.testing.assert_array_equal(
        np.concatenate([y for _, y in batches]), wanted.labels
    )
    np.testing.assert_allclose(
        np.concatenate([x for x, _ in batches]),
        normalised(wanted.images, dataset),
        rtol=1e-5,
        atol=1e-5,
    )


def test_evaluation_takes_a_split_too(rng):
    dataset = made(rng, (23, 5, 7, 3))
    part = Split(dataset.test.images[:1], dataset.test.labels[:1])
    assert [len(y) for _, y in eval_batches(dataset, part, 100)] == [1]


def test_a_stream_of_an_evaluation_is_made_once_and_goes_with_its_images(rng):
    """For every scaling, batch and part; it holds no split in memory."""
    dataset = made(rng, (23, 5, 7, 3))
    stream = eval_batches(dataset, "test", 4)
    assert eval_batches(dataclasses.replace(dataset, pad=0), "test", 4) is stream
    other = dataclasses.replace(dataset, mean=dataset.mean + 1)
    for made_again in (
        eval_batches(other, "test", 4),
        eval_batches(dataclasses.replace(dataset, as_given=True), "test", 4),
        eval_batches(dataset, "test", 5),
        eval_batches(dataset, "test", 4, (1, 2)),
        eval_batches(dataset, "validation", 4),
    ):
        assert made_again is not stream
    (x, _), (moved, _) = (
        next(iter(one)) for one in (stream, eval_batches(other, "test", 4))
    )
    np.testing.assert_allclose(moved, x - 1 / dataset.std, rtol=1e-5, atol=1e-5)
    gone = weakref.ref(dataset.test)
    del dataset, other
    gc.collect()
    assert gone() is None


def test_normalised_training_images_have_mean_0_and_deviation_1(rng):
    dataset = made(rng, (211, 5, 7, 3), pad=0, flip=False)
    pixels = dataset.train.images / 255
    dataset = dataclasses.replace(
        dataset,
        mean=pixels.mean((0, 1, 2)).astype(np.float32),
        std=pixels.std((0, 1, 2)).astype(np.float32),
    )
    ((x, _),) = first(train_batches(dataset, 211, seed=0), 1)
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-4)


def test_streams_share_one_tensor_of_the_images(rng):
    dataset = made(rng, (23, 5, 7, 3))
    before = data_batches._tensors(dataset.train)[0]
    first(train_batches(dataset, 4, seed=0), 1)
    after = data_batches._tensors(dataset.train)[0]
    assert after is before and "CPU" in after.device


def test_batches_do_not_depend_on_the_global_random_state(rng):
    dataset = made(rng, (23, 5, 7, 3))
    streams = []
    for seed in (1, 2):
        np.random.seed(seed)
        tf.random.set_seed(seed)
        streams.append(first(train_batches(dataset, 4, seed=9), 7))
    assert_same(*streams)


def test_a_strategy_can_deal_the_batches_out(rng):
    dataset = made(rng, (23, 5, 7, 3))
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    dealt = strategy.experimental_distribute_dataset(
        train_batches(dataset, 4, seed=9, first_step=3)
    )
    ours = first(train_batches(dataset, 4, seed=9, first_step=3), 4)
    theirs = first(dealt, 4)
    assert_same(theirs, ours)


def test_data_sets_and_draws_are_there_without_tensorflow_and_keras():
    code = (
        "import sys\n"
        "from ns_tf.data import arrays, batches, dataset, python_data, sources\n"
        "sources.SOURCES.names()\n"
        "print({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    argv = [sys.executable, "-c", code]
    process = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert process.stdout == "set()\n", process.stderr


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (24, "made has 23 training images; a batch of 24 .* at most 23"),
        (0, "batch size is a whole number of at least 1; got 0"),
        (-4, "got -4"),
        (2.5, "got 2.5"),
        (True, "got True"),
    ],
)
def test_a_batch_size_out_of_range_is_refused(rng, batch, message):
    dataset = made(rng, (23, 5, 7, 3))
    with pytest.raises(InputError, match=message):
        steps_per_epoch(dataset, batch)
    with pytest.raises(InputError, match=message):
        train_batches(dataset, batch, seed=0)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "4"])
def test_evaluation_refuses_batch_sizes_out_of_range(rng, batch):
    with pytest.raises(InputError, match="whole number of at least 1"):
        eval_batches(made(rng, (23, 5, 7, 3)), "test", batch)


def test_the_largest_batch_is_the_training_set(rng):
    assert steps_per_epoch(made(rng, (23, 5, 7, 3)), 23) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "The seed is a whole number of at least 0; got -1"),
        ({"seed": 0.5}, "got 0.5"),
        ({"seed": 0, "first_step": -3}, "The first step is .* at least 0; got -3"),
    ],
)
def test_seed_and_first_step_are_whole_numbers(rng, options, message):
    with pytest.raises(InputError, match=message):
        train_batches(made(rng, (23, 5, 7, 3)), 4, **options)


def test_an_unknown_split_gets_a_suggestion(rng):
    with pytest.raises(InputError, match="got 'valdation'. Did you mean 'validation'"):
        eval_batches(made(rng, (23, 5, 7, 3)), "valdation", 4)


def test_files_give_the_batches_that_their_pixels_give(rng, tmp_path):
    memory, files = in_files(rng, tmp_path)
    assert files.train.on_disk and not memory.train.on_disk
    ours = first(train_batches(files, 3, seed=1), 5)
    assert_same(ours, first(train_batches(memory, 3, seed=1), 5))
    ours = first(eval_batches(files, "train", 3), 3)
    assert_same(ours, first(eval_batches(memory, "train", 3), 3))


def test_a_file_that_breaks_later_is_named_when_it_is_met(rng, tmp_path):
    _, files = in_files(rng, tmp_path)
    path = files.train.images[5]
    with open(path, "r+b") as file:
        file.truncate(20)
    with pytest.raises(tf.errors.OpError, match=r"5\.png"):
        first(train_batches(files, 7, seed=1), 1)
    with pytest.raises(tf.errors.OpError, match=r"5\.png"):
        first(eval_batches(files, "train", 3), 3)


def test_mixed_images_are_shares_of_two_and_so_are_labels(rng):
    """By the share of the step, each image with the one as far from the end."""
    dataset = made(rng, (23, 5, 7, 3))
    options = {"seed": 7, "first_step": 3}
    plain = first(train_batches(dataset, 4, **options), 5)
    mixed = first(train_batches(dataset, 4, mixup=0.7, **options), 5)
    shares = [float(data_batches.mixup_share(0.7, 7, step)) for step in range(3, 8)]
    assert len(set(shares)) == 5 and 0 <= min(shares) <= max(shares) <= 1
    for share, (x, y), (images, labels) in zip(shares, plain, mixed, strict=True):
        np.testing.assert_allclose(images, share * x + (1 - share) * x[::-1], atol=1e-5)
        one = np.eye(dataset.classes)[y]
        np.testing.assert_allclose(labels, share * one + (1 - share) * one[::-1])


def test_labels_that_are_probabilities_and_whole_pixels_are_mixed(rng):
    labels = rng.dirichlet(np.ones(3), 23).astype(np.float32)
    images = rng.integers(0, 256, (23, 5, 7, 1))
    dataset = from_arrays((images, labels))
    ((x, y),) = first(train_batches(dataset, 4, seed=7), 1)
    ((mixed, shares),) = first(train_batches(dataset, 4, seed=7, mixup=0.7), 1)
    own = float(data_batches.mixup_share(0.7, 7, 0))
    for plain, found in ((x, mixed), (y, shares)):
        assert found.dtype == np.float32
        expected = own * plain + (1 - own) * plain[::-1]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_shares_of_0_3_make_labels_of_0_3_and_0_7(monkeypatch, rng):
    monkeypatch.setattr(data_batches, "mixup_share", lambda *_: np.float32(0.3))
    dataset = made(rng, (23, 5, 7, 3))
    ((_, labels),) = first(train_batches(dataset, 2, seed=1, mixup=1.0), 1)
    assert {round(float(x), 5) for x in labels.ravel()} <= {0.0, 0.3, 0.7, 1.0}


def test_numbered_labels_say_which_images_they_are_of(rng):
    dataset = made(rng, (23, 5, 7, 3))
    plain = first(train_batches(dataset, 4, seed=7), 5)
    numbered = train_batches(dataset, 4, seed=7, numbered=True).take(5)
    for (x, y), (images, (labels, numbers)) in zip(plain, numbered, strict=True):
        np.testing.assert_array_equal(images, x)
        np.testing.assert_array_equal(labels, y)
        np.testing.assert_array_equal(dataset.train.labels[numbers], y)


def test_weights_come_with_their_examples(rng):
    values = np.arange(23.0)
    dataset = from_arrays((values, values, values))
    for batches in (
        train_batches(dataset, 5, seed=7).take(3),
        eval_batches(dataset, "train", 5),
    ):
        for x, (y, weights) in batches:
            raw = np.asarray(x)[:, 0] * dataset.std + dataset.mean
            np.testing.assert_allclose(raw, y, atol=1e-4)
            np.testing.assert_array_equal(weights, y)


def test_tokens_stay_whole_numbers(rng):
    tokens = rng.integers(0, 71, (23, 5))
    dataset = from_arrays((tokens, np.arange(23) % 3))
    ((x, _),) = first(train_batches(dataset, 17, seed=7), 1)
    assert x.dtype == np.int32 and set(np.unique(x)) <= set(np.unique(tokens))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    picked(
        lambda one: (one[0] == (5, 7)) == (one[1] is np.int32),
        [(5, 7), (5, 7, 1), (5, 7, 2)],
        [np.int32, np.float32],
    ),
)
def test_masks_move_with_their_images(rng, shape, dtype):
    masks = rng.integers(1, 250, (23, *shape)).astype(dtype)
    images = masks.reshape(23, 5, 7, -1).astype(np.float32)
    dataset = from_arrays((images, masks), pad=2, flip=True)
    dataset = dataclasses.replace(dataset, as_given=True)
    for x, y in first(train_batches(dataset, 5, seed=7), 4):
        inside = x > 0  # The border of an image is black.
        assert y.shape == (5, *shape) and not inside.all()
        np.testing.assert_array_equal(y.reshape(x.shape)[inside], x[inside])
        fill = -1 if dtype == np.int32 else 0
        assert (y.reshape(x.shape)[~inside] == fill).all()


@pytest.mark.parametrize(
    ("sizes", "mixup"),
    picked(
        [((3, 3), 0.7), ((3, 2, 2), 0.0), ((1, 0, 1), 0.7)],
        [(3, 3), (3, 2, 2), (1, 0, 1)],
        [0.0, 0.7],
    ),
)
def test_shares_are_the_rows_of_whole_batches(rng, sizes, mixup):
    """Several replicas of a process, of uneven sizes, some without a row."""
    dataset = dataclasses.replace(made(rng, (23, 5, 7, 3)), pad=2, flip=True)
    batch = sum(sizes)
    stops = np.cumsum(sizes).tolist()
    shares = [slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]
    options = {"seed": 9, "first_step": 2, "mixup": mixup, "numbered": True}
    whole = train_batches(dataset, batch, **options).take(4)
    parts = train_batches(dataset, batch, shares=shares, **options)
    parts = list(parts.take(4 * len(shares)))
    for step, (images, (labels, numbers)) in enumerate(whole):
        own = parts[step * len(shares) : (step + 1) * len(shares)]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in own]), images)
        for place, expected in enumerate((labels, numbers)):
            found = np.concatenate([targets[place] for _, targets in own])
            np.testing.assert_array_equal(found, expected)


def test_parts_of_a_split_make_the_whole(rng):
    dataset = made(rng, (23, 5, 7, 3))
    whole = list(eval_batches(dataset, "train", 4))
    for index in range(3):
        part = list(eval_batches(dataset, "train", 4, (index, 3)))
        for one, other in zip(part, whole[index::3], strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
