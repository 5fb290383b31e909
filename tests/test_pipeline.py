import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.data import batches as data_batches
from ns_tf.data import images as data_images
from ns_tf.data.batches import epoch_draws, eval_batches, steps_per_epoch, train_batches
from ns_tf.data.dataset import Dataset, Split

# (images, height, width, channels), batch: distinct primes, so that no axes can be
# mistaken for one another; the batches do not divide the sets.
CASES = [((23, 5, 7, 3), 4), ((17, 11, 3, 1), 5)]


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def make(rng, shape, *, pad=2, flip=True, dtype=np.uint8):
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


def first(batches, count):
    return [(x.numpy(), y.numpy()) for x, y in itertools.islice(batches, count)]


def normalised(images, dataset):
    pixels = images / 255 if images.dtype == np.uint8 else images
    return (pixels - dataset.mean) / dataset.std


def assert_same(ours, others):
    for (x, y), (x2, y2) in zip(ours, others, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


@pytest.mark.parametrize(("shape", "batch"), CASES)
@pytest.mark.parametrize("step", [1, 5, 13])
def test_a_stream_from_step_k_is_the_rest_of_the_stream_from_0(rng, shape, batch, step):
    dataset = make(rng, shape)
    whole = first(train_batches(dataset, batch, seed=7), 17)
    rest = train_batches(dataset, batch, seed=7, first_step=step)
    assert_same(first(rest, 17 - step), whole[step:])


@pytest.mark.parametrize(("shape", "batch"), CASES)
def test_an_epoch_shows_no_example_twice_and_fills_every_batch(rng, shape, batch):
    dataset = make(rng, shape)
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


@pytest.mark.parametrize(("shape", "batch"), CASES)
@pytest.mark.parametrize(("pad", "flip"), [(2, True), (3, False), (0, True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crops_and_flips_agree_with_numpy(rng, shape, batch, pad, flip, dtype):
    dataset = make(rng, shape, pad=pad, flip=flip, dtype=dtype)
    for step, (x, _) in enumerate(first(train_batches(dataset, batch, seed=11), 7)):
        expected = normalised(oracle(dataset, batch, 11, step), dataset)
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def test_crops_reach_every_corner_and_flips_take_half(rng):
    dataset = make(rng, (1009, 5, 7, 3), pad=1)
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
    dataset = make(rng, shape)
    plain = first(train_batches(dataset, batch, seed=2, augment=False), 9)
    moved = first(train_batches(dataset, batch, seed=2), 9)
    for (x, y), (_, y2) in zip(plain, moved, strict=True):
        np.testing.assert_array_equal(y, y2)
        expected = normalised(dataset.train.images[y], dataset)
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def test_epochs_and_seeds_have_orders_of_their_own(rng):
    dataset = make(rng, (23, 5, 7, 3))
    orders = [
        tuple(epoch_draws(dataset, seed, epoch)[:, 0])
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len(set(orders)) == 9


def test_an_image_is_cropped_anew_in_every_epoch(rng):
    dataset = make(rng, (23, 5, 7, 3))
    moves = [
        draws[np.argsort(draws[:, 0]), 1:].tolist()
        for draws in (epoch_draws(dataset, 1, epoch) for epoch in range(2))
    ]
    assert moves[0] != moves[1]


@pytest.mark.parametrize(("shape", "batch"), CASES)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluation_shows_everything_once_in_order(rng, shape, batch, split):
    dataset = make(rng, shape)
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
    dataset = make(rng, (23, 5, 7, 3))
    part = Split(dataset.test.images[:1], dataset.test.labels[:1])
    assert [len(y) for _, y in eval_batches(dataset, part, 100)] == [1]


def test_normalised_training_images_have_mean_0_and_deviation_1(rng):
    dataset = make(rng, (211, 5, 7, 3), pad=0, flip=False)
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
    dataset = make(rng, (23, 5, 7, 3))
    before = data_batches._tensors(dataset.train)[0]
    first(train_batches(dataset, 4, seed=0), 1)
    after = data_batches._tensors(dataset.train)[0]
    assert after is before and "CPU" in after.device


def test_batches_do_not_depend_on_the_global_random_state(rng):
    dataset = make(rng, (23, 5, 7, 3))
    streams = []
    for seed in (1, 2):
        np.random.seed(seed)
        tf.random.set_seed(seed)
        streams.append(first(train_batches(dataset, 4, seed=9), 7))
    assert_same(*streams)


def test_a_strategy_can_deal_the_batches_out(rng):
    dataset = make(rng, (23, 5, 7, 3))
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    dealt = strategy.experimental_distribute_dataset(
        train_batches(dataset, 4, seed=9, first_step=3)
    )
    ours = first(train_batches(dataset, 4, seed=9, first_step=3), 4)
    theirs = first(dealt, 4)
    assert_same(theirs, ours)


def test_the_module_does_not_import_tensorflow():
    code = "import sys, ns_tf.datasets; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
    dataset = make(rng, (23, 5, 7, 3))
    with pytest.raises(InputError, match=message):
        steps_per_epoch(dataset, batch)
    with pytest.raises(InputError, match=message):
        train_batches(dataset, batch, seed=0)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "4"])
def test_evaluation_refuses_batch_sizes_out_of_range(rng, batch):
    with pytest.raises(InputError, match="whole number of at least 1"):
        eval_batches(make(rng, (23, 5, 7, 3)), "test", batch)


def test_the_largest_batch_is_the_training_set(rng):
    assert steps_per_epoch(make(rng, (23, 5, 7, 3)), 23) == 1


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
        train_batches(make(rng, (23, 5, 7, 3)), 4, **options)


def test_an_unknown_split_gets_a_suggestion(rng):
    with pytest.raises(InputError, match="got 'valdation'. Did you mean 'validation'"):
        eval_batches(make(rng, (23, 5, 7, 3)), "valdation", 4)


def on_disk(rng, folder, count=7):
    """A data set of PNG files, and their pixels."""
    pixels = rng.integers(0, 256, (count, 5, 7, 3)).astype(np.uint8)
    paths = [str(folder / f"{n}.png") for n in range(count)]
    for path, image in zip(paths, pixels, strict=True):
        tf.io.write_file(path, tf.io.encode_png(image))
    memory = Split(pixels, np.arange(count, dtype=np.int32))
    files = Split(np.array(paths, dtype=object), memory.labels)
    dataset = dataclasses.replace(make(rng, (23, 5, 7, 3)), train=memory)
    return dataset, dataclasses.replace(dataset, train=files)


def test_files_give_the_batches_that_their_pixels_give(rng, tmp_path):
    memory, files = on_disk(rng, tmp_path)
    assert files.train.on_disk and not memory.train.on_disk
    ours = first(train_batches(files, 3, seed=1), 5)
    assert_same(ours, first(train_batches(memory, 3, seed=1), 5))
    ours = first(eval_batches(files, "train", 3), 3)
    assert_same(ours, first(eval_batches(memory, "train", 3), 3))


@pytest.mark.parametrize(
    ("kept", "times"), [(7 * 5 * 7 * 3, 1), (7 * 5 * 7 * 3 - 1, 4)]
)
def test_files_are_decoded_once_where_memory_allows(
    rng, tmp_path, monkeypatch, kept, times
):
    memory, files = on_disk(rng, tmp_path)
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


def test_a_file_that_breaks_later_is_named_when_it_is_met(rng, tmp_path):
    _, files = on_disk(rng, tmp_path)
    path = files.train.images[5]
    with open(path, "r+b") as file:
        file.truncate(20)
    with pytest.raises(tf.errors.OpError, match=r"5\.png"):
        first(train_batches(files, 7, seed=1), 1)
    with pytest.raises(tf.errors.OpError, match=r"5\.png"):
        first(eval_batches(files, "train", 3), 3)


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
