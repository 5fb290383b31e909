"""What follows from a plan: a network, a training, files."""

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
import types
import zipfile
from pathlib import Path

import exports
import keras
import numpy as np
import pytest
from notebooks import OPTIONS, SHORT, WIDTHS, trainable
from small import chain, problem
from trained import Unregistered
from verbs import contents

import ns_tf
from ns_tf.base import Scaling


@pytest.mark.parametrize("params", [300, 1234, 4227, 20_000])
def test_a_plan_builds_the_model_it_promised(search, digits, params):
    plan = search.plan(params=params)
    built = plan.build()
    assert isinstance(built, keras.Model)
    assert trainable(built) == plan.params <= params
    assert [built.get_layer(name).filters for name in plan.names] == list(plan.widths)
    assert built(digits[0][:3] / 255.0).shape == (3, 10)


def test_a_built_model_is_an_ordinary_one(search, digits):
    built = search.plan(params=1000).build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    built.compile("sgd", loss, metrics=["accuracy"])
    history = built.fit(digits[0] / 255.0, digits[1], epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_every_build_has_fresh_weights(search):
    one, other = (search.plan(params=1000).build() for _ in range(2))
    kernels = [m.get_layer("conv2").kernel.numpy() for m in (one, other)]
    assert not np.array_equal(*kernels)


def test_several_budgets_hold_at_once(search):
    macs = search.plan(params=2000).costs["macs"] // 2
    plan = search.plan(params=2000, macs=macs, round_to=2)
    assert plan.costs["macs"] <= macs
    assert plan.params <= 2000
    assert all(width % 2 == 0 for width in plan.widths)


def test_a_saved_model_names_nothing_of_ns_tf_and_answers_the_same(
    search, digits, tmp_path
):
    images = (digits[0][:5] / 255.0).astype("float32")
    built = search.plan(params=1500).build()
    built.save(tmp_path / "built.keras")
    with zipfile.ZipFile(tmp_path / "built.keras") as file:
        assert b"ns_tf" not in file.read("config.json")
    loaded = keras.saving.load_model(tmp_path / "built.keras")
    np.testing.assert_allclose(loaded(images), built(images), 1e-4, 1e-5)


@pytest.mark.slow  # Another process starts TensorFlow.
def test_a_built_model_is_saved_and_loaded_where_there_is_no_ns_tf(
    search, digits, tmp_path
):
    images = (digits[0][:5] / 255.0).astype("float32")
    plan = search.plan(params=1500)
    built = plan.build()
    built.save(tmp_path / "built.keras")
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "outputs.npy", built(images))
    code = """
        import sys
        import keras
        import numpy as np

        model = keras.saving.load_model("built.keras")
        outputs = model(np.load("images.npy"))
        np.testing.assert_allclose(outputs, np.load("outputs.npy"), 1e-4, 1e-5)
        assert not [name for name in sys.modules if name.startswith("ns_tf")]
        print(sum(int(np.prod(w.shape)) for w in model.trainable_weights))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == plan.params


def test_a_printed_plan_says_widths_costs_distance_and_trust(search):
    plan = search.plan(params=2000)
    lines = str(plan).splitlines()
    layers = {line.split()[0]: line.split()[1:] for line in lines[1:4]}
    for name, old, new in zip(plan.names, WIDTHS, plan.widths, strict=True):
        assert layers[name] == [str(old), str(new), f"{new / old:.2f}"]
    distance = 100 * (plan.params / 2000 - 1)
    assert f"params: {plan.params:,} of 2,000 ({distance:+.3f} %)" in lines
    assert f"macs: {plan.costs['macs']:,}" in lines
    low, high = search.iterations[0].law.tau_range
    assert f"recorded from {low:,.0f} to {high:,.0f} parameters" in str(plan)
    assert f"extrapolated {plan.extrapolation:.2f} times" in str(plan)


def test_a_plan_warns_from_twice_outside_of_what_was_recorded(search):
    low, high = search.iterations[0].law.tau_range
    inside = search.plan(params=(low * high) ** 0.5)
    near, far = search.plan(params=1.5 * high), search.plan(params=8 * high)
    assert inside.extrapolation == 1
    assert 1 < near.extrapolation < 2 < far.extrapolation
    assert inside.warning is None
    assert near.warning is None
    assert "Warning" not in str(near)
    assert f"{far.extrapolation:.1f} times outside" in far.warning
    assert str(far).splitlines()[-1] == f"Warning: {far.warning}"
    assert far.to_json()["warning"] == far.warning


def test_a_uniform_plan_was_not_recorded_and_does_not_extrapolate(search):
    plan = search.plan(params=500, method="uniform")
    assert (plan.extrapolation, plan.warning, plan.iteration) == (1, None, None)
    assert trainable(plan.build()) == plan.params


@pytest.mark.parametrize(
    "asked, told",
    [
        ({"parms": 1000}, "Did you mean 'params'?"),
        ({}, "Give a budget"),
        ({"params": "1000"}, "got '1000'"),
        ({"params": None}, "got None"),
        ({"params": 1}, "the smallest network"),
        ({"params": 1000, "method": "neuralscal"}, "Did you mean 'neuralscale'?"),
        ({"params": 1000, "iteration": 2}, "iterations 1 to 1"),
        ({"params": 1000, "round_to": 1.5}, "got 1.5"),
        ({"ratio": 0}, "got 0"),
        ({"params": 1000, "device": "no.json"}, "device goes with the budget"),
        ({"params": 1000, "device": "no.json", "refine": 2}, "device goes with the"),
        ({"latency_ms": 1, "measure": 5}, "measure is an ns_tf.Measure; got 5"),
        ({"params": 1000, "method": ["uniform"]}, "Unknown method ['uniform']"),
        ({"params": 1000, "max_width": [9, 9]}, "each of the 3 layers; got [9, 9]"),
    ],
)
def test_budgets_that_cannot_be_are_refused(search, asked, told):
    with pytest.raises(ns_tf.InputError) as error:
        search.plan(**asked)
    assert told in str(error.value)


@pytest.mark.parametrize("iteration", ["1", 1.0])
def test_an_iteration_is_a_whole_number(search, iteration):
    with pytest.raises(ns_tf.InputError, match="iteration"):
        search.plan(params=1000, iteration=iteration)


@pytest.fixture(scope="module")
def trained(search, run_dir):
    """A training of a plan, kept in the search's run folder."""
    return search.plan(params=600).train(run_dir=run_dir, name="first", **SHORT)


def weights(trained):
    return np.concatenate([weight.ravel() for weight in trained.model.get_weights()])


def test_a_plan_is_trained_and_kept_by_the_same_call_only_once(
    search, run_dir, trained
):
    plan = search.plan(params=600)
    assert trained.folder == run_dir / "train" / "first"
    assert [epoch.epoch for epoch in trained.history] == [1, 2]
    best = max(epoch.validation_score for epoch in trained.history)
    result = json.loads((trained.folder / "result.json").read_text())
    assert result["validation_accuracy"] == best
    assert result["test_accuracy"] == trained.score
    assert result["widths"] == list(plan.widths)
    before = contents(trained.folder)
    again = plan.train(run_dir=run_dir, name="first", **SHORT)
    assert contents(trained.folder) == before
    assert (again.score, again.history) == (trained.score, trained.history)
    np.testing.assert_array_equal(weights(again), weights(trained))


def test_a_training_that_is_not_kept_is_the_same_training(search, trained, tmp_path):
    other = search.plan(params=600).train(**SHORT)
    assert other.folder is None
    assert other.score == trained.score
    np.testing.assert_array_equal(weights(other), weights(trained))
    assert not list(tmp_path.iterdir())


def test_the_score_is_that_of_the_model_on_test_images(trained):
    dataset = trained.problem.dataset
    pixels = dataset.test.images / 255.0
    images = ((pixels - dataset.mean) / dataset.std).astype("float32")
    answers = trained.model.predict(images, verbose=0).argmax(-1)
    assert (answers == dataset.test.labels).mean() == pytest.approx(trained.score)


def test_a_training_is_named_by_widths_and_seed_and_another_recipe_is_another_one(
    search, run_dir, tmp_path
):
    plan = search.plan(params=600)
    one = plan.train(run_dir=tmp_path, seed=3, **{**SHORT, "epochs": 1})
    widths = "_".join(map(str, plan.widths))
    assert one.folder.name == f"widths_{widths}_seed3"
    with pytest.raises(ns_tf.InputError, match="--epochs: 1 -> 2"):
        plan.train(run_dir=tmp_path, seed=3, **SHORT)


def test_a_loaded_search_trains_with_its_data_given_again(
    search, run_dir, digits, trained
):
    plan = ns_tf.load(run_dir).plan(params=600)
    with pytest.raises(ns_tf.InputError, match=r"plan.train\(data\)") as error:
        plan.train(**SHORT)
    assert "\n" not in str(error.value)
    again = plan.train(digits, run_dir=run_dir, name="first", **SHORT)
    assert again.folder == trained.folder and again.score == trained.score


@pytest.fixture(scope="module")
def named(network, tmp_path_factory):
    """A search of a saved model on data that have a name."""
    folder = tmp_path_factory.mktemp("named") / "run"
    options = {**OPTIONS, "pretrain_epochs": 0, "image_size": 16}
    return ns_tf.search(network.partition("=")[2], "digits", run_dir=folder, **options)


@pytest.mark.slow
def test_a_loaded_search_finds_data_that_have_a_name(named):
    loaded = ns_tf.load(named.run_dir)
    problem, settings = loaded.problem_for()
    assert (problem.dataset.name, settings.image_size) == ("digits", 16)
    assert problem.dataset.image_shape == (16, 16, 1)
    short = {**SHORT, "epochs": 1, "batch": 700}
    trained = [s.plan(params=1500).train(**short) for s in (named, loaded)]
    assert trained[0].score == trained[1].score
    # So a folder of what is pruned from it finds the same splits.
    assert [one.data for one in trained] == 2 * [{"image_size": 16}]


def test_a_network_is_trained_on_other_data_than_the_searchs(named):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (173, 16, 16, 1), dtype=np.uint8)
    labels = np.arange(173) % 10
    short = {**SHORT, "epochs": 1, "batch": 31}
    trained = named.plan(params=1500).train((images, labels), **short)
    assert 0 <= trained.score <= 1 and trained.problem.dataset.name != "digits"
    assert len(trained.problem.dataset.test) < 173
    few = ns_tf.from_arrays((images, labels % 3), class_names=[*"abc"])
    with pytest.raises(ns_tf.InputError, match="classes 10; got 3"):
        named.plan(params=1500).train(few, **short)


@pytest.mark.slow
def test_a_trained_network_is_exported_and_each_file_answers_as_it_does(
    trained, tmp_path, monkeypatch
):
    exports.run_here(monkeypatch)
    formats = ("keras", "litert")
    files = trained.export(tmp_path, formats, name="net", check_images=29)
    assert [file.format for file in files] == list(formats)
    for file in files:
        assert Path(file.path).parent == tmp_path
        assert Path(file.path).stat().st_size == file.bytes
        assert file.largest_difference < 1e-4 and file.agreement == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "net.keras",
        "net.tflite",
        "net.export.json",
    }


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda t, p: t.export(p / "x", ("litrt",)), "Did you mean 'litert'?"),
        (lambda t, p: t.export(p / "x", ("keras", "keras")), "all different"),
        (lambda t, p: t.export(p / "x", ("keras",), nam="net"), "'name'"),
        (lambda t, p: t.export(p / "x", format=("keras",)), "given twice"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_one_line(trained, tmp_path, call, text):
    with pytest.raises(ns_tf.InputError) as error:
        call(trained, tmp_path)
    assert text in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_plan_inherits_the_weights_of_the_model_that_was_searched(
    search, model, run_dir, digits
):
    """In the model's own widths bit for bit; a loaded search has them, too."""
    whole = dataclasses.replace(
        search.plan(params=1000),
        scaling=Scaling(WIDTHS, 1.0, {}, {}),
    ).build("inherit")
    for one, other in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    plan = search.plan(params=1000, max_width=list(WIDTHS))
    small = plan.build("inherit", proxy_images=97, seed=3)
    assert trainable(small) == plan.params <= 1000
    kernel, kernels = small.get_layer("conv1").kernel, model.get_layer("conv1").kernel
    for channel in range(plan.widths[0]):
        same = (np.array(kernels) == np.array(kernel)[..., channel, None]).all(
            (0, 1, 2)
        )
        assert same.sum() == 1
    loaded = ns_tf.load(run_dir).plan(params=1000, max_width=list(WIDTHS))
    again = loaded.build("inherit", data=digits, proxy_images=97, seed=3)
    for one, other in zip(small.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_nobody_has_are_refused(search):
    plan = search.plan(params=20_000)
    with pytest.raises(ns_tf.InputError, match="in the trained network") as error:
        plan.build("inherit")
    assert "\n" not in str(error.value)
    with pytest.raises(ns_tf.InputError, match="'fresh' or 'inherit'; got 'own'"):
        plan.build("own")
    for asked in ({"repair": 5}, {"seed": 0.5}):
        with pytest.raises(ns_tf.InputError, match=f"{next(iter(asked))}: expected"):
            plan.build("inherit", **asked)
    named = dataclasses.replace(search, problem=problem(chain, (7, 5)))
    with pytest.raises(ns_tf.InputError, match="there are none to inherit"):
        dataclasses.replace(plan, search=named).build("inherit")


def test_a_network_that_no_file_gives_is_not_trained_in_a_folder(search, tmp_path):
    x = image = keras.Input((8, 8, 1))
    x = Unregistered()(keras.layers.Conv2D(9, 3, activation="relu", name="a")(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(9, 3, name="b")(x))
    model = keras.Model(image, keras.layers.Dense(10, name="logits")(x))
    own = ns_tf.Problem.of(ns_tf.from_model(model), search.problem.dataset)
    found = types.SimpleNamespace(problem_for=lambda data: (own, search.settings))
    plan = dataclasses.replace(search.plan(params=600), search=found)
    with pytest.raises(ns_tf.InputError, match="'Unregistered'.*Register"):
        plan.train(run_dir=tmp_path / "run", **SHORT)
    assert not list(tmp_path.iterdir())
