"""Arrays become data sets, or are refused with the reason."""

import numpy as np
import pytest
from pictures import arrays_of, in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import NUMBERS, SPLITS, TOKENS


@pytest.mark.parametrize("shape", [(5, 7, 3), (11, 3, 1), (2, 13, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_mean_and_deviation_are_those_of_the_training_pixels(rng, shape, dtype):
    images, labels = arrays_of(rng, 101, shape)
    images = images if dtype == np.uint8 else (images / 255).astype(dtype)
    dataset = from_arrays((images, labels))
    assert dataset.image_shape == shape and dataset.classes == 3
    assert dataset.train.images.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert dataset.train.labels.dtype == np.int32
    pixels = dataset.train.images / (255 if dtype == np.uint8 else 1)
    np.testing.assert_allclose(dataset.mean, pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, pixels.std((0, 1, 2)), rtol=1e-4)


def test_a_constant_channel_is_not_divided_by_zero(rng):
    images, labels = arrays_of(rng)
    images[..., 1] = 7
    dataset = from_arrays((images, labels))
    assert dataset.std[1] == 1 and dataset.std[0] < 1
    x, _ = next(iter(train_batches(dataset, 3, seed=0)))
    np.testing.assert_allclose(x[..., 1], 0, atol=1e-6)


def test_options_of_arrays_reach_the_data_set(rng):
    images, labels = arrays_of(rng)
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


def test_nothing_is_held_out_where_all_splits_are_given(rng):
    train = arrays_of(rng)
    test, validation = arrays_of(rng, 2), arrays_of(rng, 4)
    dataset = from_arrays(train, test=test, validation=validation, classes=3)
    assert [len(getattr(dataset, key)) for key in SPLITS] == [23, 4, 2]
    np.testing.assert_array_equal(dataset.train.images, train[0])


def nan_in_image_4(images):
    images = images / 255
    images[4, 2, 1, 0] = np.nan
    return images


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:0], y[:0]), "no examples"),
        (lambda x, y: (nan_in_image_4(x), y), "example 4 has NaN"),
        (lambda x, y: (x, y[1:]), r"23 examples need 23 targets.*got the shape \[22\]"),
        (lambda x, y: (x, y * 0), "classes is a whole number of at least 2; got 1"),
        (lambda x, y: x, "is .inputs, targets..*; got ndarray"),
        (lambda x, y: (x, y, y, y), "is .inputs, targets..*; got tuple"),
        (lambda x, y: (x, y, y[1:]), r"weights \[23\]; got int64 \[22\]"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(rng, change, message):
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(change(*arrays_of(rng)))
    in_one_line(caught)


@pytest.mark.parametrize("shape", [(7,), (5, 7), (5, 7, 2), (5, 3, 2, 7)])
def test_inputs_of_any_shape_are_normalised_by_their_last_axis(rng, shape):
    inputs = rng.normal(3, 2, (23, *shape))
    dataset = from_arrays((inputs, rng.normal(size=23)))
    assert (dataset.image_shape, dataset.inputs) == (shape, NUMBERS)
    axes = tuple(range(len(shape)))
    expected = dataset.train.images.astype(float)
    np.testing.assert_allclose(dataset.mean, expected.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, expected.std(axes), rtol=1e-5)


def test_tokens_are_not_scaled(rng):
    dataset = from_arrays((rng.integers(0, 71, (23, 5)), np.arange(23) % 3))
    assert dataset.inputs == TOKENS and dataset.as_given
    assert dataset.train.images.dtype == np.int32
    assert dataset.mean.tolist() == [0] * 5 and dataset.std.tolist() == [1] * 5


@pytest.mark.parametrize(
    ("targets", "classes"),
    [((23,), 1), ((23, 3), 3), ((23, 5, 7), 1)],
)
def test_targets_of_any_shape_are_kept(rng, targets, classes):
    values = rng.normal(size=targets)
    dataset = from_arrays((rng.normal(size=(23, 5)), values))
    assert dataset.classes == classes == len(dataset.class_names)
    assert dataset.train.labels.shape[1:] == targets[1:]


def test_weights_go_with_their_examples_and_are_1_elsewhere(rng):
    inputs, weights = rng.normal(size=(23, 5)), rng.uniform(size=23)
    targets = weights * 2
    dataset = from_arrays((inputs, targets, weights), test=(inputs, targets))
    for split in (dataset.train, dataset.validation):
        np.testing.assert_allclose(split.weights, split.labels / 2)
    np.testing.assert_array_equal(dataset.test.weights, np.ones(23))


def test_weights_of_classes_multiply_those_of_examples(rng):
    inputs, labels = arrays_of(rng)
    weights = np.arange(23.0)
    parts = (inputs, labels, weights)
    dataset = from_arrays(parts, test=parts, class_weight={1: 3.0})
    factors = np.where(dataset.test.labels == 1, 3.0, 1.0)
    np.testing.assert_allclose(dataset.test.weights, weights * factors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad": 1}, r"pad and flip are of images.*\[5\]"),
        ({"flip": True}, "pad and flip are of images"),
        ({"image_size": 7}, r"image_size resizes images.*float64 \[23, 5\]"),
    ],
)
def test_what_is_done_to_images_is_refused_elsewhere(rng, options, message):
    with pytest.raises(InputError, match=message.replace("64", "32")) as caught:
        from_arrays((rng.normal(size=(23, 5)), np.arange(23) % 3), **options)
    in_one_line(caught)


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
        from_arrays(arrays_of(rng), **options)
    in_one_line(caught)


def test_splits_have_to_be_alike(rng):
    train = arrays_of(rng)
    with pytest.raises(InputError, match=r"arrays test: .*got uint8 \[7, 5, 3\]"):
        from_arrays(train, test=arrays_of(rng, shape=(7, 5, 3)))
    images, labels = arrays_of(rng)
    with pytest.raises(InputError, match="arrays validation: .*got float32"):
        from_arrays(train, validation=(images / 255, labels))
    with pytest.raises(InputError, match="arrays test: targets.*got float32"):
        from_arrays(train, test=(images, labels / 2))
