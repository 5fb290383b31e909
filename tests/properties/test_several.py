"""Models with several inputs and outputs: exact, repeatable, from data to file."""

import exports
import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from small import Ended, KilledAt

import ns_tf
from ns_tf import budgets
from ns_tf.api.prunings import Trained
from ns_tf.budgets import Measure
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import augmented
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.gated import GatedNetwork
from ns_tf.networks.from_model import from_model
from ns_tf.problem.problem import Problem
from ns_tf.prune.trained import cut
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import train

layers = keras.layers
RECIPE = TrainConfig(epochs=2, batch=12, rate=0.01)


def network(compiled=True):
    """An image, tokens and a table in, by name; a class and two numbers out."""
    image = keras.Input((6, 7, 1), name="image")
    tokens = keras.Input((3,), dtype="int32", name="tokens")
    table = keras.Input((2,), name="table")
    x = layers.Conv2D(5, 3, activation="relu", name="conv")(image)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    y = layers.Flatten(name="flat")(layers.Embedding(11, 3, name="words")(tokens))
    y = layers.Dense(7, activation="relu", name="side")(y)
    x = layers.Concatenate(name="all")([x, y, table])
    x = layers.Dense(13, activation="relu", name="body")(x)
    outputs = {
        "kind": layers.Dense(3, activation="softmax", name="kind")(x),
        "box": layers.Dense(2, name="box")(x),
    }
    inputs = {"image": image, "tokens": tokens, "table": table}
    model = keras.Model(inputs, outputs, name="several")
    if compiled:
        losses = {"kind": "sparse_categorical_crossentropy", "box": "mae"}
        model.compile(loss=losses, metrics={"kind": ["accuracy"]})
    return model


@pytest.fixture(scope="module")
def data():
    """Inputs and targets by name, 48 of each."""
    rng = np.random.default_rng(5)
    inputs = {
        "table": rng.normal(size=(48, 2)).astype("float32"),
        "tokens": rng.integers(0, 11, (48, 3)),
        "image": rng.integers(0, 256, (48, 6, 7, 1), dtype=np.uint8),
    }
    box = rng.normal(size=(48, 2)).astype("float32")
    return inputs, {"kind": np.arange(48) % 3, "box": box}


def problem_of(model, data):
    return Problem.of(from_model(model), from_arrays(data, test=data))


def test_shuffles_and_crops_move_all_parts_of_an_example_together():
    count = np.arange(1, 24)
    rows = np.tile(count[:, None, None, None], (5, 7, 1))
    masks = np.tile(count[:, None, None], (5, 7)).astype(np.int32)
    images = rows.astype(np.uint8)
    large = np.tile(images, (1, 2, 2, 1))
    inputs = {"a": images, "b": count[:, None] / 1.0, "c": images + 100, "d": large}
    dataset = augmented(from_arrays((inputs, (masks, count))), "both")
    for inputs, (mask, label) in train_batches(dataset, 7, seed=3).take(4):
        a, b, c, d = (
            x * std * scale + mean * scale
            for x, mean, std, scale in zip(
                inputs, dataset.mean, dataset.std, (255, 1, 255, 255), strict=True
            )
        )
        np.testing.assert_allclose(b[:, 0], label, atol=1e-4)
        np.testing.assert_array_equal(mask[:, 2, 3], label)
        np.testing.assert_allclose(a[:, 2, 3, 0], label, atol=1e-3)
        np.testing.assert_allclose(d[:, 4, 6, 0], label, atol=1e-3)
        border = np.array(mask) == -1  # Black in both images of this size.
        np.testing.assert_allclose(np.array(a)[..., 0][border], 0, atol=1e-3)
        np.testing.assert_allclose(np.array(c)[..., 0][border], 0, atol=1e-3)
        inside = np.array(c - a)[..., 0][~border]
        np.testing.assert_allclose(inside, 100, atol=1e-3)


def test_what_is_left_computes_what_closed_gates_do(rng, data, float64):
    problem = problem_of(network(), data)
    model = problem.architecture.source
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    graph = problem.structure.graph(model)
    keep = np.ones(len(graph.owner), bool)
    for group in graph.groups:
        if group.frozen is None:
            keep[group.channels[1::2]] = False
    assert keep.sum() < len(keep) - 10
    inputs = [np.asarray(x[:7], float) for x in problem.dataset.train.images]
    gated = GatedNetwork(model, graph)
    masked = gated.model([tuple(inputs), gated.rows(7, keep)])
    small = cut(model, problem.structure, keep)(inputs)
    for name, values in masked.items():
        np.testing.assert_allclose(small[name], values, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_two_replicas_train_as_one_does(data, float64):
    results = []
    for name in ("one_device", "mirrored"):
        runtime = Runtime(Execution(strategy(name)), seed=3)
        problem = problem_of(network(), data)
        results.append(train(problem, problem.build, RECIPE, runtime))
    one, two = results
    assert one.test_loss == pytest.approx(two.test_loss, rel=1e-9)
    for a, b in zip(one.model.weights, two.model.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_a_killed_training_ends_as_one_that_was_not(data, tmp_path):
    def run(folder, **watch):
        problem = problem_of(network(), data)
        made = Runtime(watch=Watch(folder=folder, seconds=0.0, **watch))
        return train(problem, problem.build, RECIPE, made)

    whole = run(tmp_path / "whole")
    with pytest.raises(Ended):
        run(tmp_path / "killed", progress=KilledAt(5))
    again = run(tmp_path / "killed")
    assert again.history == whole.history and again.test_loss == whole.test_loss
    for a, b in zip(again.model.weights, whole.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def signatures(litert):
    """Names of the inputs and outputs of a LiteRT file."""
    reader = Interpreter(litert.path)
    (found,) = reader.get_signature_list().values()
    return set(found["inputs"]), set(found["outputs"])


@pytest.mark.slow
def test_from_a_compiled_model_to_files_and_back(data, tmp_path, monkeypatch):
    exports.run_here(monkeypatch)
    inputs, targets = data
    mine = ns_tf.trained(network(), data, pixels="given")
    assert mine.problem.task.name == "compiled"
    small = mine.prune(params=0.6, finetune_epochs=0)
    assert small.costs["params"] <= small.targets["params"]
    assert "kind_accuracy" in small.problem.task.score.name
    litert, onnx = small.export(tmp_path, ("litert", "onnx"), name="net")
    assert litert.agreement == onnx.agreement == 1
    assert signatures(litert) == (set(inputs), set(targets))
    session = onnxruntime.InferenceSession(onnx.path)
    assert {one.name for one in session.get_inputs()} == set(inputs)
    assert {one.name for one in session.get_outputs()} == set(targets)
    small.model.save(tmp_path / "small.keras")
    arrays = {f"x_{name}_train": array for name, array in inputs.items()}
    arrays |= {f"y_{name}_train": array for name, array in targets.items()}
    np.savez(tmp_path / "data.npz", **arrays)
    path = f"npz:{tmp_path / 'data.npz'}"
    back = ns_tf.trained(str(tmp_path / "small.keras"), path, pixels="given")
    assert isinstance(back, Trained) and back.score == small.score
    given = {n: x.astype("float32") for n, x in inputs.items()}
    found = small.model.evaluate(given, targets, verbose=0, return_dict=True)
    assert {"kind_accuracy", "kind_loss", "box_loss", "loss"} == set(found)


@pytest.mark.slow
def test_litert_files_have_the_size_of_the_budget_and_int8_is_near(
    data, tmp_path, monkeypatch, rng
):
    exports.run_here(monkeypatch)
    model = network()
    for weight in model.weights:  # The converter leaves out what is zero or equal.
        weight.assign(0.3 * rng.normal(size=weight.shape))
    kernel = model.get_layer(
        "conv"
    ).kernel  # One scale has to serve all that is joined.
    kernel.assign(kernel / 255)
    mine = ns_tf.trained(model, data, pixels="normalised")
    size = budgets.get("litert_bytes").cost(mine.problem.structure, Measure())
    whole = mine.prune(params=1.0)
    names = ("litert", "litert_int8")
    exact, near = whole.export(tmp_path, names, name="net", int8_points=20)
    assert exact.bytes == size(np.array(mine.problem.architecture.widths))
    assert signatures(near) == signatures(exact)
    assert near.largest_difference < 0.1


def test_several_outputs_that_nothing_compares_are_told_to_be_compiled(data):
    for given in (ns_tf.search, ns_tf.trained):
        with pytest.raises(ns_tf.InputError, match="compile it with a loss") as caught:
            given(network(compiled=False), data)
        assert "\n" not in str(caught.value)
