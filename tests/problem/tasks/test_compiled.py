"""The task of a compiled model: what `evaluate` says, by ns_tf's own sums."""

import dataclasses

import keras
import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.engine.evaluate import evaluator
from ns_tf.problem import tasks
from ns_tf.problem.alignment import aligned
from ns_tf.problem.choice import task_of

layers = keras.layers


def two_headed():
    """An image and a table in; a class and two numbers out."""
    image = keras.Input((5, 7, 1), name="image")
    table = keras.Input((3,), name="table")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(7, 3, name="conv")(image))
    x = layers.Dense(5, name="body")(layers.Concatenate()([x, table]))
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    return keras.Model([image, table], {"kind": kind, "box": layers.Dense(2)(x)})


LOSSES = {"kind": "sparse_categorical_crossentropy", "box": "mae"}


@pytest.fixture(scope="module")
def model():
    made = two_headed()
    made.compile(
        loss=LOSSES,
        loss_weights={"kind": 0.75, "box": 2.0},
        metrics={"kind": ["accuracy"], "box": ["mse"]},
    )
    return made


@pytest.fixture(scope="module")
def dataset(model):
    rng = np.random.default_rng(3)
    inputs = {"table": rng.normal(size=(23, 3)), "image": rng.normal(size=(23, 5, 7))}
    targets = {"kind": np.arange(23) % 3, "box": rng.normal(size=(23, 2))}
    parts = (inputs, targets)
    return aligned(from_arrays(parts, test=parts), model)


@pytest.mark.parametrize(
    ("text", "name", "sign"),
    [
        ("compiled", "box_mse", -1),  # Outputs of a dictionary come by their names.
        ("compiled(metric='kind_accuracy')", "kind_accuracy", 1),
        ("compiled(metric='loss')", "loss", -1),
    ],
)
def test_loss_and_score_are_those_of_evaluate(model, dataset, text, name, sign):
    task = tasks.get(text).bound(model, dataset)
    assert task.score.name == name if sign == 1 else f"neg_{name}"
    assert (task.name, task.bound(None, dataset)) == (text, task)
    evaluate = evaluator(model, task.loss(model), task.counter(model))
    loss, counts = evaluate(dataset, "test", 7)
    ready = [
        (x - mean) / std
        for x, mean, std in zip(
            dataset.test.images, dataset.mean, dataset.std, strict=True
        )
    ]
    targets = dict(zip(dataset.output_names, dataset.test.labels, strict=True))
    expected = model.evaluate(ready, targets, verbose=0, return_dict=True)
    assert loss == pytest.approx(expected["loss"], rel=1e-6)
    assert task.score_of(counts) == pytest.approx(sign * expected[name], rel=1e-6)


def test_it_is_chosen_where_no_other_task_will_do(model, dataset):
    assert task_of(dataset, model).name == "compiled"
    with pytest.raises(InputError, match="2 outputs, and nothing says.*compile it"):
        task_of(dataset, two_headed())
    x = keras.Input((3,))
    one = keras.Model(x, layers.Dense(3)(x))
    data = from_arrays((np.zeros((23, 3)), np.arange(23) % 3))
    for loss, name in (
        (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "classification",
        ),
        ("sparse_categorical_crossentropy", "classification"),
        (keras.losses.CategoricalFocalCrossentropy(), "compiled"),
        (lambda y, f: keras.ops.sum(f, -1), "compiled"),
    ):
        one.compile(loss=loss)
        assert task_of(data, one).name == name


def test_a_finished_network_is_compiled_as_the_model_was(model, dataset):
    task = tasks.get("compiled").bound(model, dataset)
    assert task.finished(two_headed()).loss == LOSSES
    assert task.prepared(dataset, (2,)).classes == 2
    assert task.response({"box": 2, "kind": 3}, ()) == {"box": 2, "kind": 3}


def test_what_is_no_compiled_task_is_refused_in_one_line(model, dataset):
    half = dataclasses.replace(dataset.train, labels=dataset.train.labels[0])
    wrong = from_arrays(({"x": np.zeros((23, 3))}, {"y": np.zeros((23, 5, 4))}))
    x = keras.Input((3,))
    one = keras.Model(x, layers.Dense(3)(x))
    one.compile(loss="mae", metrics=[lambda y, f: y])
    for make, message in (
        (lambda: tasks.get("compiled").bound(two_headed(), dataset), "needs a model"),
        (lambda: tasks.get("compiled").bound(None, dataset), "needs a model that is"),
        (lambda: tasks.get("compiled(mode='up')"), "'min' or 'max'; got 'up'"),
        (
            lambda: tasks.get("compiled").bound(
                model, dataclasses.replace(dataset, train=half)
            ),
            "has 2 outputs and .* 1 arrays of targets",
        ),
        (lambda: tasks.get("compiled").bound(one, wrong), "cannot be computed for tar"),
        (
            lambda: tasks.get("compiled(metric='box_mes')").bound(model, dataset),
            "Did you mean 'box_mse'",
        ),
    ):
        with pytest.raises(InputError, match=message) as caught:
            make()
        in_one_line(caught)
