"""What files are run on, and what the Keras model answers to it."""

import keras
import numpy as np
from exports import network, source
from pictures import made

from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import NUMBERS, PIXELS
from ns_tf.export import examples
from ns_tf.parts import Parts
from ns_tf.problem import tasks

SHAPE = (16, 13, 3)


def test_images_that_files_are_compared_on_are_spread_over_the_split(rng):
    dataset = made(rng, (53, *SHAPE))
    images, labels = examples.of(dataset, "train", 11)
    train = dataset.train
    places = np.linspace(0, len(train) - 1, 11).astype(int)
    np.testing.assert_array_equal(images, train.images[places])
    np.testing.assert_array_equal(labels, train.labels[places])
    assert images.dtype == np.uint8
    everything, _ = examples.of(dataset, "test", 10**6)
    np.testing.assert_array_equal(everything, dataset.test.images)


def test_several_inputs_and_outputs_are_kept_by_name(rng, tmp_path):
    image, table = keras.Input((5, 7, 3), name="image"), keras.Input((2,), name="table")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(image), table])
    outputs = {"y": keras.layers.Dense(3)(x), "x": keras.layers.Dense(1)(x)}
    model = keras.Model([image, table], outputs)
    arrays = rng.uniform(size=(23, 5, 7, 3)), rng.normal(size=(23, 2))
    dataset = from_arrays((arrays, np.arange(23) % 3), classes=3)
    assert dataset.inputs == (PIXELS, NUMBERS)
    made_of = source(network((16, 13, 3)))
    own = {"mean": dataset.mean, "std": dataset.std, "inputs": dataset.inputs}
    own["task"] = tasks.get("regression")  # Outputs are the answer.
    found = examples.expected(
        type(made_of)(**{**vars(made_of), **own, "model": model}), dataset, 7, tmp_path
    )
    written = np.load(found.inputs)
    assert written["image"].dtype == np.uint8 and written["table"].shape[1] == 2
    test = dataset.test.images
    ready = (test[0] - dataset.mean[0]) / dataset.std[0]
    byte = (written["image"] / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(byte, ready[: len(byte)], atol=0.5 / 255 / 0.2)
    table = (written["table"] - dataset.mean[1]) / dataset.std[1]
    right = model.predict([byte, table], verbose=0)
    assert found.names == ("x", "y") and isinstance(found.answers, Parts)
    for name, answers in zip(found.names, found.answers, strict=True):
        np.testing.assert_allclose(answers, right[name], atol=1e-4)
