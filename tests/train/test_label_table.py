"""The table of labels: what it begins with, and how a step moves it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import chain, coloured

from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.precision import LossScale
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.train import recipes
from ns_tf.train.label_table import LabelTable
from ns_tf.train.recipes import Objective

CLASSES = 5


def images_of(dataset):
    """The training images as a network takes them."""
    pixels = dataset.train.images.astype("float64")
    return (pixels - dataset.mean) / dataset.std


def teacher(softmax=False):
    model = chain((3,), input_shape=(5, 5, 3), classes=CLASSES)
    if softmax:
        model = keras.Model(model.input, keras.layers.Softmax()(model.output))
    return model


def table_of(dataset, text="refine", execution=None, **options):
    """A table by a recipe, and what it is learned by."""
    objective = Objective(recipes.get(text), CLASSES, teacher(**options))
    return objective, LabelTable(objective, dataset, execution or Execution())


@pytest.mark.parametrize("softmax", [False, True])
def test_it_begins_as_the_teachers_logits(rng, float64, softmax):
    dataset = coloured(rng, count=541)  # More than one batch of answers.
    objective, table = table_of(dataset, softmax=softmax)
    answers = objective.teacher(images_of(dataset), training=False).numpy()
    assert ends_in_softmax(objective.teacher) == softmax
    expected = np.log(answers) if softmax else answers
    np.testing.assert_allclose(table.logits, expected, atol=1e-5)


def stepped(dataset, objective, table, execution, numbers, *, scale=None):
    """The mean loss of a step on images of these numbers."""
    keras.utils.set_random_seed(7)
    model = execution.build(lambda: chain((2,), input_shape=(5, 5, 3), classes=CLASSES))
    with execution.strategy.scope():
        sgd = Sgd(model.trainable_variables, momentum=0.0, weight_decay=0.0)
    step = TrainStep(
        model,
        sgd,
        table.loss(objective.loss(model)),
        len(numbers),
        execution,
        probe=table,
        watch=table.watch,
        loss_scale=scale,
    ).compiled()
    floatx = keras.config.floatx()
    inputs = images_of(dataset)[numbers].astype(floatx)
    labels = dataset.train.labels[numbers]
    batches = tf.data.Dataset.from_tensors((inputs, (labels, numbers)))
    (batch,) = execution.deal_out(batches.unbatch().batch(len(numbers)))
    outputs = model(inputs, training=True).numpy()
    step(*batch, tf.constant(0.0, floatx))
    return outputs


def probabilities(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "way",
    [
        Execution(),
        pytest.param(Execution(strategy("mirrored")), marks=pytest.mark.slow),
        pytest.param(Execution(jit_compile=True), marks=pytest.mark.slow),
    ],
    ids=["one", "two", "xla"],
)
def test_a_step_moves_its_rows_by_share_times_q_less_p_over_the_batch(
    rng, float64, way
):
    """table += rate share (q - p) / batch, for images of the batch alone."""
    dataset = coloured(rng)
    objective, table = table_of(dataset, "refine(table_rate=3.0, share=0.5)", way)
    before, numbers = np.array(table.logits), np.array([7, 2, 31, 11, 3, 5])
    outputs = stepped(dataset, objective, table, way, numbers)
    after = np.array(table.logits)
    others = np.setdiff1d(np.arange(len(before)), numbers)
    np.testing.assert_array_equal(after[others], before[others])
    moved = after[numbers] - before[numbers]
    assert (abs(moved) > 1e-9).any(axis=1).all()
    np.testing.assert_allclose(moved.sum(axis=1), 0, atol=1e-12)
    q, p = probabilities(outputs), probabilities(before[numbers])
    np.testing.assert_allclose(moved, 3 * 0.5 * (q - p) / 6, atol=1e-12)


def test_a_rate_of_zero_leaves_the_table(rng, float64):
    dataset = coloured(rng)
    objective, table = table_of(dataset, "refine(table_rate=0.0)")
    before = np.array(table.logits)
    stepped(dataset, objective, table, Execution(), np.array([7, 2, 31]))
    np.testing.assert_array_equal(table.logits, before)


@pytest.mark.slow
def test_the_scale_of_float16_losses_does_not_count(rng):
    dataset = coloured(rng)
    moved = []
    for scale in (None, LossScale()):
        keras.utils.set_random_seed(3)
        objective, table = table_of(dataset)
        before = np.array(table.logits)
        stepped(
            dataset, objective, table, Execution(), np.array([7, 2, 31]), scale=scale
        )
        moved.append(np.array(table.logits) - before)
    np.testing.assert_allclose(*moved, atol=1e-5)
    assert abs(moved[0]).max() > 1e-3
