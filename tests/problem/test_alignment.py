"""Data get the order and the axes of a model's inputs and outputs."""

import keras
import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import NUMBERS, PIXELS, SPLITS, TOKENS
from ns_tf.problem.alignment import aligned

layers = keras.layers


@pytest.fixture(scope="module")
def model():
    """An image, tokens and a table; two outputs."""
    image = keras.Input((5, 7, 1), name="image")
    tokens = keras.Input((3,), dtype="int32", name="tokens")
    table = keras.Input((1,), name="table")
    flat = layers.Flatten()(layers.Embedding(11, 2)(tokens))
    x = layers.Concatenate()([layers.Flatten()(image), flat, table])
    outputs = {"y": layers.Dense(2)(x), "x": layers.Dense(1)(x)}
    return keras.Model([image, tokens, table], outputs)


@pytest.fixture
def arrays(rng):
    """Inputs and targets by name; row i of each has the number i in it."""
    count = np.arange(23)
    image = rng.integers(0, 256, (23, 5, 7), dtype=np.uint8)
    image[:, 0, 0] = count
    tokens = np.tile(count[:, None], 3)
    inputs = {"table": count + 0.5, "image": image, "tokens": tokens}
    return inputs, {"x": count + 0.25, "y": np.stack([count, -count], 1) * 1.0}


def test_parts_by_name_have_the_models_order_and_stay_together(model, arrays):
    dataset = aligned(from_arrays(arrays), model)
    assert dataset.input_names == ("image", "tokens", "table")
    assert dataset.output_names == ("x", "y")
    assert dataset.image_shape == ((5, 7, 1), (3,), (1,))
    assert dataset.inputs == (PIXELS, TOKENS, NUMBERS)
    assert dataset.as_given == (False, True, False)
    for name in SPLITS:
        split = getattr(dataset, name)
        image, tokens, table = split.images
        x, y = split.labels
        for other in (tokens[:, 2], table[:, 0] - 0.5, x - 0.25, y[:, 0], -y[:, 1]):
            np.testing.assert_array_equal(image[:, 0, 0, 0], other)
    again = aligned(dataset, model)
    assert again.train.images == dataset.train.images and again.mean == dataset.mean


def test_gray_images_without_a_channel_axis_get_one(rng):
    image = keras.Input((5, 7, 1))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(image)))
    images, labels = rng.uniform(size=(23, 5, 7)), np.arange(23) % 3
    found = aligned(from_arrays((images, labels)), model)
    expected = from_arrays((images[..., None], labels))
    assert (found.image_shape, found.inputs) == ((5, 7, 1), PIXELS)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    sequence = keras.Input((5, 7))
    other = keras.Model(sequence, layers.Dense(3)(layers.Flatten()(sequence)))
    assert aligned(expected, other).image_shape == (5, 7)


def test_arrays_of_other_names_or_numbers_are_refused(model, arrays):
    inputs, targets = arrays
    wrong = {**inputs, "picture": inputs["image"]}
    del wrong["image"]
    one = keras.Model(model.inputs, model.outputs[0])
    for data, taken, message in (
        ((wrong, targets), model, "takes image, tokens, table; got table, tokens, pic"),
        ((inputs["image"], targets), model, "has 3 inputs, and .* has 1 array "),
        ((inputs, targets), one, "has 1 output, and .* has 2 arrays"),
        ((inputs, targets["x"]), None, "The architecture has 1 input, and .* has 3"),
        ((inputs, {**targets, "z": targets["x"]}), model, "takes x, y; got x, y, z"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            aligned(from_arrays(data), taken)
        in_one_line(caught)
