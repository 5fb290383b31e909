"""Every task from data to files: search, plan, train, prune, export.

Networks and data are as small as they can be; what is held is that every part speaks of
the same task, the same inputs and the same score.
"""

import json

import exports
import keras
import numpy as np
import pytest

import ns_tf
from ns_tf.problem.tasks import TASKS

layers = keras.layers
N = 60


def table(outputs, activation=None):
    """inputs[5] - Dense[7] - Dense[6] - Dense[outputs]."""
    inputs = keras.Input((5,), name="inputs")
    x = layers.Dense(7, activation="relu", name="a")(inputs)
    x = layers.Dense(6, activation="relu", name="b")(x)
    return keras.Model(inputs, layers.Dense(outputs, activation, name="out")(x))


def reader():
    """tokens[8] - Embedding[4] - Conv1D[7] - average - Dense[6] - sigmoid."""
    tokens = keras.Input((8,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 4, name="embedding")(tokens)
    x = layers.Conv1D(7, 3, activation="relu", name="a")(x)
    x = layers.GlobalAveragePooling1D(name="average")(x)
    x = layers.Dense(6, activation="relu", name="b")(x)
    return keras.Model(tokens, layers.Dense(1, "sigmoid", name="out")(x))


def u_net():
    """Two scales of an image [8, 8, 3], concatenated; 3 classes a pixel."""
    image = keras.Input((8, 8, 3), name="image")

    def block(x, width, name):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    fine = block(image, 7, "a")
    x = block(layers.MaxPooling2D(name="pool")(fine), 6, "b")
    x = layers.Concatenate(name="join")([layers.UpSampling2D(name="up")(x), fine])
    return keras.Model(image, layers.Conv2D(3, 1, name="out")(block(x, 5, "c")))


def sums(rng):
    x = rng.normal(20, 5, (N, 5))
    return (x, x.sum(axis=1), rng.uniform(0.5, 1, N))


def found(rng):
    tokens = rng.integers(0, 11, (N, 8))
    return tokens, (tokens == 7).any(axis=1)


def above(rng):
    x = rng.normal(size=(N, 5))
    return x, (x[:, :3] > 0).astype(int)


def largest(rng):
    x = rng.normal(size=(N, 5))
    return x, np.eye(5)[x.argmax(axis=1)]


def spots(rng):
    masks = rng.integers(0, 3, (N, 8, 8))
    images = np.eye(3, dtype=np.uint8)[masks] * 200
    masks[:, 0] = 255
    return ns_tf.from_arrays((images, masks), pad=1, flip=True)


def compiled():
    """A table with a loss that no other task has."""
    model = table(1)
    model.compile(loss="huber", metrics=["mae"])
    return model


CASES = {
    "binary": (reader, found),
    "classification": (lambda: table(5, "softmax"), largest),
    "compiled": (compiled, sums),
    "multilabel": (lambda: table(3), above),
    "regression": (lambda: table(1), sums),
    "segmentation": (u_net, spots),
}
QUICK = ("regression",)  # The others are slow tests.
SEARCH = {
    "iterations": 1,
    "pretrain_epochs": 1,
    "search_batch": 12,
    "steps_per_event": 1,
    "filters_per_event": 1,
    "pretrain_rate": 0.01,
}


def test_every_task_of_the_package_is_here():
    own = {
        n for n in TASKS.names() if type(TASKS.get(n)).__module__.startswith("ns_tf")
    }
    assert own == set(CASES)


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in CASES
    ],
)
def test_from_data_to_files(name, rng, tmp_path, monkeypatch):
    exports.run_here(monkeypatch)
    model, data = CASES[name][0](), CASES[name][1](rng)
    search = ns_tf.search(model, data, run_dir=tmp_path / "run", **SEARCH)
    assert search.problem.task.name == name
    score = search.problem.task.score.name
    plan = search.plan(ratio=0.6)
    made = plan.train(run_dir=tmp_path / "run", epochs=1, batch=12, rate=0.01)
    result = json.loads((made.folder / "result.json").read_text())
    assert result["score"] == score and made.score == result[f"test_{score}"]
    (outcome,) = made.export(tmp_path / "out", ["keras"])
    assert outcome.agreement == 1
    assert outcome.keras_score == pytest.approx(made.score, abs=1e-5)
    small = made.prune(params=0.7, finetune_epochs=1, finetune_batch=12)
    assert small.costs["params"] <= 0.7 * int(plan.costs["params"])
    assert search.problem.task.score.text(small.score) in str(small)


def test_what_learns_classes_alone_is_refused_elsewhere(rng):
    made = ns_tf.trained(table(1), sums(rng))
    with pytest.raises(ns_tf.InputError, match="recipe distil.*the task is regression"):
        made.prune(params=0.7, recipe="distil")


@pytest.mark.slow
def test_a_search_begins_with_weights_of_any_task(rng):
    settings = {**SEARCH, "pretrain_epochs": 0, "steps_per_event": 2}
    search = ns_tf.search(reader(), found(rng), **settings)
    plan = search.plan(ratio=0.8, max_width=list(search.problem.architecture.widths))
    model = plan.build(weights="inherit")
    assert search.problem.task.name == "binary" and model.output_shape == (None, 1)


def test_a_task_may_be_named(rng):
    x, y = above(rng)
    made = ns_tf.trained(table(3), (x, y), task="regression")
    assert made.problem.task.name == "regression"
    with pytest.raises(ns_tf.InputError, match="task 'regresion'. Did you mean"):
        ns_tf.trained(table(3), (x, y), task="regresion")
