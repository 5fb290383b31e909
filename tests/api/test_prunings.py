"""A trained network in, a smaller trained network out."""

import dataclasses
import json

import exports
import keras
import numpy as np
import pytest
from trained import digits, learned

import ns_tf
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS

QUICK = {"finetune_epochs": 1, "finetune_batch": 50, "proxy_images": 64}


def in_a_row():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(7, 3, activation="relu", name="a"),
            layers.Flatten(),
            layers.Dense(10, name="logits"),
        ]
    )


def of_lists():
    model = in_a_row()
    return keras.Model([model.inputs[0]], [model.outputs[0]])


def of_dictionaries():
    model = in_a_row()
    return keras.Model({"image": model.inputs[0]}, {"logits": model.outputs[0]})


@pytest.fixture(scope="module")
def mine():
    model, _ = learned()
    return ns_tf.trained(model, digits())


def test_it_is_tested_and_not_trained(mine):
    model, _ = learned()
    assert mine.model is model and mine.history == () and mine.score > 0.5
    assert mine.pixels == "normalised"


def test_a_smaller_one_is_an_ordinary_model_that_says_how_it_came_about(mine):
    small = mine.prune(macs=0.5, params=0.6, keep="conv1", round_to=2, **QUICK)
    assert isinstance(small.model, keras.Model) and isinstance(small, ns_tf.Trained)
    assert small.widths == tuple(
        small.model.get_layer(f"conv{i}").filters for i in (2, 3)
    )
    assert small.model.get_layer("conv1").filters == 12
    assert all(width % 2 == 0 for width in small.widths)
    for name, target in small.targets.items():
        assert small.costs[name] <= target
    assert list(small.accuracies) == ["trained", "cut", "repaired", "tuned"]
    assert len(small.history) == 1 and 0 <= small.score <= 1
    assert "macs" in str(small) and "tuned" in str(small)
    small.model.compile("sgd", "mse")  # As any model.


def test_a_smaller_one_can_be_pruned_again(mine):
    quick = {"method": "magnitude", "finetune_epochs": 0}
    small = mine.prune(macs=0.6, **quick)
    smaller = small.prune(macs=0.5, **quick)
    assert smaller.costs["macs"] <= small.costs["macs"] / 2
    whole = smaller.prune(macs=1.0)
    for one, other in zip(whole.model.weights, smaller.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_strength_may_be_a_number(mine):
    asked = {"method": "gradual", "level": "weight", "nonzero": 0.5}
    for given, told in (
        (0.5, "has a schedule and no pull: leave --strength=0.5 away"),
        (np.float32(2), "leave --strength=2.0 away"),
        (-1.0, "auto or a number of at least 0"),
        (float("nan"), "auto or a number of at least 0"),
        (True, "expected text or a number"),
    ):
        with pytest.raises(InputError, match=told):
            mine.prune(strength=given, **asked)


@pytest.mark.slow
def test_what_a_plan_trained_can_be_pruned(search):
    trained = search.plan(params=3000).train(epochs=1, batch=97)
    small = trained.prune(params=0.5, finetune_epochs=0, method="magnitude")
    assert small.costs["params"] <= small.targets["params"] <= 1500
    assert small.accuracies["tuned"] == small.accuracies["repaired"]


def test_a_training_in_a_folder_brings_its_data(status, network, tmp_path):
    folder = tmp_path / "run"
    asked = (network, "--dataset=digits", "--image_size=16", "--widths=5,7")
    where = f"--run_dir={folder}"
    assert status("train", where, *asked, "--epochs=1", "--batch=700") == 0
    mine = ns_tf.trained(folder)
    (result,) = folder.glob("train/*/result.json")
    assert mine.score == json.loads(result.read_text())["test_accuracy"]
    assert mine.folder == result.parent


@pytest.mark.parametrize(
    "options, told",
    [
        ({}, "Give a budget"),
        ({"mac": 0.5}, "Did you mean 'macs'"),
        ({"macs": 0.5, "tie": [("conv1", "conv2")]}, "conv1 12, conv2 16 filters"),
        ({"macs": 0.5, "multiple_of": {"conv1": 13}}, "No number of filters"),
        ({"macs": 1e15}, "more than the trained network has"),
        ({"macs": 2}, "cannot be met"),
        ({"macs": 0.5, "method": "taylor"}, "Did you mean 'taylor_fo'"),
        ({"macs": 0.5, "keep": 5}, "keep is the names of layers; got 5"),
        ({"macs": 0.5, "keep": "conv9"}, "Did you mean 'conv"),
        ({"macs": 0.5, "repair": "statistic"}, "Did you mean 'statistics'"),
        ({"macs": 0.5, "allocation": "rankin"}, "Did you mean 'ranking'"),
        ({"macs": 0.5, "finetune_rate": 0}, "--finetune_rate"),
        ({"macs": 0.5, "max_width": 0}, "--max_width"),
        ({"macs": 0.5, "search": 5}, "search is a search or its run folder; got 5"),
        ({"macs": 0.5, "keep": None, "method": "magnitude", "weigh": 3.0}, "--weigh"),
        ({"macs": 0.5, "closed": "reopen"}, "--closed .* give --rounds=8"),
        ({"macs": 0.5, "allocation": "law", "search": "nowhere"}, "nowhere"),
        ({"macs": 0.5, "run_dir": "nowhere/run", "name": "../x"}, "--name is a folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(mine, options, told):
    with pytest.raises(ns_tf.InputError, match=told) as error:
        mine.prune(**options)
    assert "\n" not in str(error.value)


def test_an_option_that_is_none_of_the_data_is_refused():
    with pytest.raises(ns_tf.InputError, match="Did you mean 'data_dir'"):
        ns_tf.trained(learned()[0], digits(), data_dirs="x")


@pytest.mark.slow
def test_the_law_of_a_search_gives_the_widths(search, digits, tmp_path):
    """NeuralScale's widths with inherited weights."""
    trained = search.plan(params=5000).train(epochs=1, batch=97)
    options = {"allocation": "law", "method": "magnitude", "finetune_epochs": 0}
    small = trained.prune(params=0.5, search=search, **options)
    other = trained.prune(params=0.5, search=search.run_dir, **options)
    assert small.widths == other.widths
    assert small.costs["params"] <= small.targets["params"]
    with pytest.raises(ns_tf.InputError, match="needs a search"):
        trained.prune(params=0.5, **options)


@pytest.fixture
def kernels(monkeypatch):
    """A budget that a program registered after everything was imported."""
    monkeypatch.setattr(BUDGETS, "_members", dict(BUDGETS._members))

    @ns_tf.budget("kernel_entries", unit="entries", help="Entries of all kernels.")
    def entries(structure):
        sizes = [weight for weight in structure.weights if weight.name == "kernel"]
        terms = ((*term, size.differ) for size in sizes for term in size.terms)
        return ns_tf.CostPolynomial.collect("entries", terms)


@pytest.mark.slow
def test_a_budget_of_the_program_is_met_as_any_other(mine, kernels, tmp_path):
    small = mine.prune(
        kernel_entries=0.5, method="magnitude", run_dir=tmp_path, **QUICK
    )
    kernels = [w for w in small.model.weights if w.name == "kernel"]
    assert sum(int(np.prod(w.shape)) for w in kernels) == small.costs["kernel_entries"]
    assert small.costs["kernel_entries"] <= small.targets["kernel_entries"]
    flags = (small.folder / "run.flags").read_text()
    assert "--kernel_entries=0.5\n" in flags and "kernel_entries" in str(small)
    with pytest.raises(ns_tf.InputError, match="more than the trained network"):
        mine.prune(kernel_entries=1e9)


@pytest.mark.slow
def test_few_images_are_part_of_what_a_run_is(mine, tmp_path):
    model = learned()[0]
    quick = {"macs": 0.5, "method": "magnitude", "finetune_epochs": 0}
    few, more = (
        ns_tf.trained(model, "digits", image_size=8, train_images=n) for n in (100, 200)
    )
    assert [len(one.problem.dataset.train) for one in (few, more)] == [100, 200]
    few.prune(run_dir=tmp_path, **quick)
    assert "--train_images=100\n" in (tmp_path / "run.flags").read_text()
    with pytest.raises(ns_tf.InputError, match="other flags.*--train_images"):
        more.prune(run_dir=tmp_path, **quick)


def test_an_export_does_not_replace_the_model_of_its_folder(mine, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"the trained one")
    kept = dataclasses.replace(mine, folder=tmp_path)
    with pytest.raises(ns_tf.InputError, match="is the model itself"):
        kept.export(tmp_path, ["keras"], name="model", check_images=20)
    assert (tmp_path / "model.keras").read_bytes() == b"the trained one"


@pytest.mark.parametrize(
    "make", [in_a_row, pytest.param(of_lists, marks=pytest.mark.slow), of_dictionaries]
)
def test_models_of_every_form_become_smaller_ones_and_files(
    make, tmp_path, monkeypatch
):
    """Sequential ones, and those with one input and output in a list or a dict."""
    exports.run_here(monkeypatch)
    model = make()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    mine = ns_tf.trained(model, digits(), pixels="unit")
    small = mine.prune(macs=0.5, method="magnitude", repair="none", finetune_epochs=0)
    assert small.costs["macs"] <= small.targets["macs"]
    logits = small.model.predict(np.zeros((2, 8, 8, 1)), verbose=0)
    assert logits.shape == (2, 10)
    (file,) = small.export(tmp_path, ["keras"], check_images=20)
    assert file.agreement == 1
