"""Targets, and the outputs of a network, tell the task."""

import keras
import numpy as np
import pytest

from ns_tf.data.arrays import from_arrays
from ns_tf.problem import tasks
from ns_tf.problem.choice import outputs_of, task_of

N = 30
CLASSES = np.arange(N) % 3
HALVES = np.arange(N) % 2
SEVERAL = np.array([[place & 1, place >> 1 & 1] for place in range(N)])


def model(*outputs, activation=None):
    inputs = keras.Input((5, 7))
    x = inputs if len(outputs) == 2 else keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(outputs[-1], activation=activation)(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("targets", "network", "expected"),
    [
        (CLASSES, None, "classification"),
        (CLASSES, model(3), "classification"),
        (CLASSES, model(1), "regression"),
        (CLASSES * 1.5, model(1), "regression"),
        (CLASSES - 1, None, "regression"),
        (HALVES, None, "classification"),
        (HALVES, model(1), "binary"),
        (HALVES, model(2, activation="softmax"), "classification"),
        (HALVES * 1.0, model(1, activation="sigmoid"), "binary"),
        (HALVES[:, None] * 1.0, None, "binary"),
        (np.eye(3)[CLASSES], None, "classification"),
        (np.eye(3)[CLASSES], model(3, activation="softmax"), "classification"),
        (np.eye(3)[CLASSES], model(3, activation="sigmoid"), "multilabel"),
        (SEVERAL, None, "multilabel"),
        (np.ones((N, 5, 7), int), None, "segmentation"),
        (SEVERAL, model(2), "multilabel"),
        (SEVERAL * 1.0, None, "multilabel"),
        (np.ones((N, 3)) / 3, model(3), "regression"),
        (np.ones((N, 3)) / 3, model(3, activation="softmax"), "classification"),
        (np.ones((N, 5), int), model(5, 3), "segmentation"),
        (np.ones((N, 5, 3)), model(5, 3), "regression"),
    ],
)
def test_a_task_is_chosen_by_targets_and_outputs(rng, targets, network, expected):
    dataset = from_arrays((rng.normal(size=(N, 5, 7)), targets), seed=3)
    assert task_of(dataset, network).name == expected


SOFT = np.full((N, 3), 1 / 3)
STEPS = np.linspace(0, 1, N * 5).reshape(N, 5)
losses = keras.losses
SPARSE = "sparse_categorical_crossentropy"


def mean_squared_error(targets, outputs):
    """A loss of one's own, with the name of another."""
    return keras.ops.mean(keras.ops.abs(targets - outputs), axis=-1)


@pytest.mark.parametrize(
    ("targets", "outputs", "loss", "expected"),
    [
        (
            SOFT,
            (3,),
            losses.CategoricalCrossentropy(from_logits=True),
            "classification",
        ),
        (SOFT, (3,), losses.CategoricalCrossentropy(label_smoothing=0.2), "compiled"),
        (SOFT, (3,), "mse", "regression"),
        (SOFT * 2, (3,), "categorical_crossentropy", "compiled"),
        (np.eye(3)[CLASSES], (3,), losses.BinaryCrossentropy(), "multilabel"),
        (np.eye(3)[CLASSES], (3,), losses.MeanSquaredError(), "regression"),
        (CLASSES[:, None] * 1.0, (3,), losses.SparseCategoricalCrossentropy, None),
        (CLASSES[:, None] * 1.0, (3,), "ce", "classification"),
        (CLASSES, (3,), losses.SparseCategoricalCrossentropy(ignore_class=0), 0),
        (CLASSES, (3,), losses.SparseCategoricalCrossentropy(reduction="sum"), 0),
        (CLASSES, (3,), losses.SparseCategoricalCrossentropy(reduction="mean"), None),
        (HALVES, (1,), "mse", "regression"),
        (HALVES, (1,), "bce", "binary"),
        (HALVES * 0.5, (1,), losses.binary_crossentropy, "binary"),
        (HALVES, (1,), "crossentropy", "binary"),
        (HALVES * 0.5, (1,), mean_squared_error, "compiled"),
        (
            SEVERAL * 0.5,
            (2,),
            losses.BinaryCrossentropy(from_logits=True),
            "multilabel",
        ),
        (SEVERAL * 0.5, (2,), losses.BinaryCrossentropy(axis=0), "compiled"),
        (STEPS[..., None], (5, 1), "bce", "compiled"),
        (STEPS.round(), (5, 1), "bce", "segmentation"),
        (STEPS.round()[..., None], (5, 3), SPARSE, "segmentation"),
        (STEPS.round().astype(int) * 255, (5, 300), SPARSE, "compiled"),
        (STEPS.round().astype(int) * 255, (5, 3), SPARSE, "segmentation"),
        (STEPS.round().astype(int), (5, 1), "mse", "regression"),
    ],
)
def test_a_compiled_loss_chooses(rng, targets, outputs, loss, expected):
    """None stands for classification, 0 for compiled."""
    x = keras.Input((5, 7))
    y = x if len(outputs) == 2 else keras.layers.Flatten()(x)
    network = keras.Model(x, keras.layers.Dense(outputs[-1])(y))
    network.compile(loss=loss)
    dataset = from_arrays((rng.normal(size=(N, 5, 7)), targets), seed=3)
    expected = {None: "classification", 0: "compiled"}.get(expected, expected)
    assert task_of(dataset, network).name == expected


def test_a_loss_with_a_weight_is_computed_as_it_is(rng):
    network = model(3)
    network.compile(loss=SPARSE, loss_weights=[2.0])
    dataset = from_arrays((rng.normal(size=(N, 5, 7)), CLASSES), seed=3)
    assert task_of(dataset, network).name == "compiled"


@pytest.mark.parametrize("padded", [False, True])
def test_classes_at_places_are_a_segmentation_with_and_without_a_mask(rng, padded):
    tokens = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(9, 3, mask_zero=padded)(tokens)
    network = keras.Model(tokens, keras.layers.Dense(3, activation="softmax")(x))
    network.compile(loss=SPARSE)
    dataset = from_arrays((rng.integers(0, 9, (N, 5)), rng.integers(0, 3, (N, 5))))
    assert task_of(dataset, network).name == "segmentation"


def test_what_is_made_of_a_compiled_model_is_compiled_with_its_loss(rng):
    network, made = model(3), model(3)
    network.compile(loss=losses.CategoricalCrossentropy(True), metrics=["mae"])
    dataset = from_arrays((rng.normal(size=(N, 5, 7)), SOFT), seed=3)
    task = task_of(dataset, network)
    assert task_of(dataset, task.finished(made)).name == "classification"
    assert made.loss is network.loss and tasks.get("classification").compilation is None


def test_a_column_of_whole_numbers_is_classes_of_several_outputs(rng):
    for targets in (CLASSES, HALVES):
        column = from_arrays((rng.normal(size=(N, 5, 7)), targets[:, None] * 1.0))
        assert task_of(column, model(3)).name == "classification"


def test_outputs_are_those_of_an_example():
    assert outputs_of(None) is None
    assert outputs_of(model(5, 3)) == (5, 3)
