"""Network, data and task in one value."""

import dataclasses

import keras
import numpy as np
import pytest
from small import CLASSES, chain, coloured, problem

from ns_tf.base import Architecture, InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.networks.from_model import from_model
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem

WIDTHS = (7, 5)


def test_the_data_decide_the_networks_input_and_output(rng):
    dataset = coloured(rng, (6, 7, 3))
    work = problem(chain, WIDTHS, dataset)
    model = work.build()
    assert model.input_shape == (None, 6, 7, 3)
    assert model.output_shape == (None, CLASSES)
    assert work.task is tasks.get("classification")
    assert work.architecture.widths == WIDTHS
    assert work.dataset is dataset


def test_networks_of_any_widths_are_built():
    model = problem(chain, WIDTHS).build((11, 3))
    assert [model.get_layer(name).filters for name in ("conv1", "conv2")] == [11, 3]


def test_a_network_that_scales_pixels_gets_them_as_they_are(rng):
    def scaling(widths, *, input_shape, classes):
        image = keras.Input(input_shape, name="image")
        x = keras.layers.Rescaling(1 / 255, name="scale")(image)
        x = keras.layers.Conv2D(widths[0], 3, name="conv")(x)
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))

    images = rng.integers(0, 256, (23, 5, 5, 3)).astype(np.uint8)
    dataset = from_arrays((images, np.arange(23) % 3), classes=3)
    work = problem(scaling, (7,), dataset)
    assert work.dataset.as_given and not dataset.as_given
    np.testing.assert_array_equal(work.dataset.mean, np.zeros(3))
    np.testing.assert_allclose(work.dataset.std, np.full(3, 1 / 255))
    assert not problem(chain, WIDTHS, dataset).dataset.as_given


def test_labels_that_are_none_of_the_task_are_refused(rng):
    dataset = coloured(rng)
    with pytest.raises(InputError, match="labels are 0 to 1; got 0 to 4"):
        problem(chain, WIDTHS, dataclasses.replace(dataset, classes=2))


def test_a_network_that_cannot_be_made_of_such_images_is_refused(rng):
    def pooled(widths, *, input_shape, classes):
        image = keras.Input(input_shape, name="image")
        x = keras.layers.Conv2D(widths[0], 7, name="conv")(image)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, keras.layers.Dense(classes)(x))

    with pytest.raises(InputError):
        Problem.of(Architecture("pooled", (3,), pooled), coloured(rng, (5, 5, 3)))


def test_another_task_checks_the_data_and_comes_along(rng):
    class Any(type(tasks.get("classification"))):
        def check(self, dataset):
            self.checked = dataset.name

    task = Any()
    work = Problem.of(Architecture("chain", WIDTHS, chain), coloured(rng), task)
    assert work.task is task and task.checked == work.dataset.name


def never_registered(targets, outputs):
    return keras.losses.sparse_categorical_crossentropy(targets, outputs, True)


def test_a_network_of_a_file_is_compiled_as_the_task_is(rng, tmp_path):
    model = problem(chain, WIDTHS, coloured(rng)).build()
    model.compile(loss=never_registered)
    work = Problem.of(from_model(model), coloured(rng), tasks.get("compiled"))
    model.save(tmp_path / "model.keras")
    assert work.loaded(tmp_path / "model.keras").loss is never_registered
