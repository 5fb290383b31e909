"""Losses by example and metrics as sums are Keras's own over a split."""

import keras
import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.graph.compilation import Compilation
from ns_tf.problem.compiled import (
    FunctionLoss,
    OutputLoss,
    OutputMetric,
    chosen,
    metrics_of,
    same_rank,
    score_as,
)

losses, metrics = keras.losses, keras.metrics


def quartic(targets, outputs):
    return keras.ops.mean((targets - outputs) ** 4, axis=-1)


class Own(losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.abs(y_true - y_pred)  # [batch, ...]: places are left.


def sparse(rng):
    return rng.integers(0, 3, 23), rng.dirichlet(np.ones(3), 23).astype("float32")


def numbers(rng, *shape):
    return (rng.uniform(size=(23, *shape)).astype("float32") for _ in range(2))


LOSSES = {
    "mse": (lambda rng: numbers(rng, 5), "mse"),
    "huber of maps": (lambda rng: numbers(rng, 5, 2), losses.Huber()),
    "function": (lambda rng: numbers(rng, 5), quartic),
    "own": (lambda rng: numbers(rng, 5, 2), Own()),
    "sparse": (sparse, "sparse_categorical_crossentropy"),
    "crossentropy": (sparse, "crossentropy"),
    "targets without an axis": (
        lambda rng: (rng.uniform(size=23), rng.uniform(size=(23, 1))),
        "mae",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_over_examples_is_the_loss_of_evaluate(rng, name):
    make, loss = LOSSES[name]
    targets, outputs = make(rng)
    x = keras.Input(outputs.shape[1:])
    model = keras.Model(x, keras.layers.Identity()(x))
    model.compile(loss=loss)
    expected = model.evaluate(outputs, targets, batch_size=7, verbose=0)
    found = OutputLoss(loss, 3.0)(targets, outputs)
    assert found.shape == (23,)
    assert np.mean(found) == pytest.approx(3 * expected, rel=1e-6)


def test_masked_places_count_nothing(rng):
    targets, outputs = (keras.ops.convert_to_tensor(x) for x in numbers(rng, 5, 2))
    mask = np.arange(5) < rng.integers(1, 6, (23, 1))
    outputs._keras_mask = keras.ops.convert_to_tensor(mask)
    squares = ((np.array(targets) - np.array(outputs)) ** 2).mean(axis=-1)
    expected = [row[own].mean() for row, own in zip(squares, mask, strict=True)]
    found = OutputLoss("mse", 1.0)(targets, outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_places_that_a_loss_ignores_count_nothing(rng):
    outputs = rng.normal(size=(23, 5, 3)).astype("float32")
    targets = np.arange(23 * 5).reshape(23, 5) % 3  # In each row 1 or 2 of 5 are 0.
    loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=0)
    found = OutputLoss(loss, 1.0)(targets, outputs)
    expected = [loss(t[None], f[None]) for t, f in zip(targets, outputs, strict=True)]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-5)


def test_a_loss_of_a_whole_batch_is_refused(rng):
    targets, outputs = numbers(rng, 5)
    whole = OutputLoss(lambda y, f: keras.ops.mean(y - f), 1.0)
    with pytest.raises(InputError, match="one number for a batch") as caught:
        whole(targets, outputs)
    in_one_line(caught)


def test_ranks_are_made_equal_as_keras_does():
    shapes = {
        ((7,), (7, 1)): ((7, 1), (7, 1)),
        ((7, 5), (7, 5, 1)): ((7, 5), (7, 5)),
        ((7, 5, 1), (7, 5)): ((7, 5), (7, 5)),
        ((7,), (7, 3)): ((7,), (7, 3)),
    }
    for given, wanted in shapes.items():
        found = same_rank(*map(np.zeros, given))
        assert tuple(tuple(one.shape) for one in found) == wanted
    assert FunctionLoss(quartic).name == "quartic"


def yes_or_no(rng):
    return rng.integers(0, 2, (23, 1)), rng.uniform(size=(23, 1)).astype("float32")


METRICS = {
    "accuracy": (sparse, "accuracy", "max"),
    "auc": (yes_or_no, metrics.AUC(num_thresholds=7), "max"),
    "binary": (yes_or_no, "acc", "max"),
    "mae": (lambda rng: numbers(rng, 5), "mae", "min"),
    "r2": (lambda rng: numbers(rng, 5), metrics.R2Score(), "max"),
    "root": (lambda rng: numbers(rng, 5), metrics.RootMeanSquaredError(), "min"),
    "iou": (sparse, metrics.MeanIoU(3, sparse_y_pred=False), "max"),
    "function": (lambda rng: numbers(rng, 5), quartic, None),
}


@pytest.mark.parametrize("name", METRICS)
def test_sums_over_batches_give_the_metric_of_keras(rng, name):
    make, given, mode = METRICS[name]
    targets, outputs = make(rng)
    x = keras.Input(outputs.shape[1:])
    model = keras.Model(x, keras.layers.Identity()(x))
    model.compile(loss=lambda y, f: keras.ops.mean(f, axis=-1), metrics=[given])
    expected = model.evaluate(outputs, targets, verbose=0, return_dict=True)
    (found,) = metrics_of(Compilation.of(model), [targets[:2]], [outputs[:2]])
    found.check(targets[:2], outputs[:2])
    parts = (slice(0, 7), slice(7, 16), slice(16, 23))
    state = sum(np.asarray(found.state(targets[p], outputs[p])) for p in parts)
    assert found.value(state) == pytest.approx(expected[found.name], rel=1e-5)
    assert found.mode == mode


class Largest(metrics.Metric):
    """The largest error: no sum."""

    def __init__(self, name="largest", **options):
        super().__init__(name=name, **options)
        self.most = self.add_weight(name="most", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = keras.ops.max(keras.ops.abs(y_true - y_pred))
        self.most.assign(keras.ops.maximum(self.most, error))

    def result(self):
        return self.most


def test_a_metric_that_is_no_sum_is_refused(rng):
    targets, outputs = numbers(rng, 5)
    found = OutputMetric.of("largest", 0, Largest(), targets, outputs)
    with pytest.raises(InputError, match="'largest' is no function of sums") as caught:
        found.check(targets, outputs)
    in_one_line(caught)


def test_the_score_is_the_metric_asked_for_or_the_first_of_known_direction(rng):
    targets, outputs = numbers(rng, 5)
    own, known = (
        OutputMetric.of(name, 0, given, targets, outputs)
        for name, given in (("own", quartic), ("mae", "mae"))
    )
    assert chosen([own, known]) is known and chosen([own]) is None
    assert chosen([own, known], "own") is own
    assert chosen([own, known], "loss") is None
    with pytest.raises(InputError, match="metric 'maee'. Did you mean 'mae'"):
        chosen([own, known], "maee")
    assert score_as("head_accuracy", "max").unit == "%"
    assert score_as("mae", "min").name == "neg_mae"
