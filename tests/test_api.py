"""What users type: search, plan, build, train, export, compare, report."""

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from verbs import contents

import ns_tf
from ns_tf.data import sources
from ns_tf.data.tf_data import in_order
from ns_tf.run.progress import Quiet

WIDTHS = (11, 17, 13)
OPTIONS = {
    "search_batch": 64,
    "pretrain_epochs": 1,
    "pretrain_rate": 0.05,
    "filters_per_event": 2,
    "steps_per_event": 1,
    "stop_fraction": 0.25,
}


def mine(widths=WIDTHS, name="mine", image=(8, 8, 1), classes=10):
    """What a user has: a small Keras model."""
    x = inputs = keras.Input(image)
    for i, width in enumerate(widths, 1):
        x = layers.Conv2D(width, 3, padding="same", name=f"conv{i}")(x)
        x = layers.BatchNormalization(name=f"bn{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(classes, name="out")(x), name=name)


@pytest.fixture(scope="module")
def digits():
    """400 digits of 8 x 8, in the order that a `tf.data.Dataset` of them gets."""
    whole = sources.load("digits", image_size=8).train
    return in_order(whole.images[:400], whole.labels[:400])


@pytest.fixture(scope="module")
def model():
    return mine()


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "run"


@pytest.fixture(scope="module")
def search(model, digits, run_dir):
    """The search of the user's model on arrays."""
    return ns_tf.search(model, digits, run_dir=run_dir, **OPTIONS)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_a_search_leaves_the_model_as_it_was(digits):
    model = mine()
    before = model.get_weights()
    ns_tf.search(model, digits, **OPTIONS)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_search_of_a_tf_data_set_is_that_of_its_arrays(search, model, digits):
    elements = tf.data.Dataset.from_tensor_slices(digits).shuffle(400).batch(37)
    found = ns_tf.search(model, elements, **OPTIONS)
    for state, expected in zip(found.iterations, search.iterations, strict=True):
        np.testing.assert_array_equal(state.trace.widths, expected.trace.widths)
        np.testing.assert_array_equal(state.law.beta, expected.law.beta)
    assert found.plan(params=2000).widths == search.plan(params=2000).widths


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


def test_the_same_call_continues_and_a_loaded_search_plans_the_same(
    search, model, digits, run_dir
):
    class Counted(Quiet):
        made = 0

        def bar(self, total, **options):
            self.made += 1
            return super().bar(total, **options)

    counted = Counted()
    asked = {"run_dir": run_dir, "progress": counted, **OPTIONS}
    again = ns_tf.search(model, digits, **asked)
    shuffled = tf.data.Dataset.from_tensor_slices(digits).shuffle(400)
    for _ in range(2):
        ns_tf.search(model, shuffled, **asked)
    assert counted.made == 0
    loaded = ns_tf.load(run_dir)
    for found in (again, loaded):
        assert found.plan(params=777).widths == search.plan(params=777).widths
    assert str(loaded.plan(params=777)) == str(search.plan(params=777))


class Subclassed(keras.Model):
    def call(self, x):
        return x


class Unregistered(layers.Layer):
    def call(self, x):
        return x


def unregistered(x):
    return x


def with_last(layer):
    """The network, and this layer after its end."""
    model = mine()
    return keras.Model(model.inputs, layer(model.outputs[0]))


BAD_MODEL_OR_DATA = {
    "a subclassed model": (lambda x, y: (Subclassed(), (x, y)), "sequential model"),
    "a layer": (lambda x, y: (layers.ReLU(), (x, y)), "sequential model"),
    "a lambda": (
        lambda x, y: (with_last(layers.Lambda(lambda x: x, name="own")), (x, y)),
        "Layer 'own' cannot be made again",
    ),
    "a function": (
        lambda x, y: (with_last(layers.Activation(unregistered, name="own")), (x, y)),
        "Could not locate function 'unregistered'. Register your",
    ),
    "a class": (
        lambda x, y: (with_last(Unregistered(name="own")), (x, y)),
        "Could not locate class 'Unregistered'. Register your",
    ),
    "data that is none": (lambda x, y: (mine(), object()), "got object"),
    "no data": (lambda x, y: (mine(), None), "got NoneType"),
    "three arrays": (lambda x, y: (mine(), (x, y, y)), "pair (images, labels)"),
    "labels below 0": (lambda x, y: (mine(), (x, y - 1)), "is -1"),
    "labels beyond the model": (lambda x, y: (mine(), (x, y + 1)), "classes 10"),
    "labels of floats": (lambda x, y: (mine(), (x, y / 2)), "whole numbers"),
    "one-hot labels": (lambda x, y: (mine(), (x, np.eye(10)[y])), "argmax"),
    "a label less": (lambda x, y: (mine(), (x, y[1:])), "shape [400]; got [399]"),
    "pixels of nan": (lambda x, y: (mine(), (x * np.nan, y)), "NaN"),
    "gray images of rank 3": (lambda x, y: (mine(), (x[..., 0], y)), "channel axis"),
    "images of another size": (lambda x, y: (mine(), (x[:, :6], y)), "input_shape"),
    "an endless tf.data": (
        lambda x, y: (mine(), tf.data.Dataset.from_tensors((x, y)).repeat()),
        "endless",
    ),
    "an empty tf.data": (
        lambda x, y: (mine(), tf.data.Dataset.from_tensors((x, y)).take(0)),
        "empty",
    ),
}


@pytest.mark.parametrize("what", BAD_MODEL_OR_DATA)
def test_a_model_or_data_that_cannot_be_searched_is_refused(digits, tmp_path, what):
    make, told = BAD_MODEL_OR_DATA[what]
    with pytest.raises(ns_tf.InputError) as error:
        ns_tf.search(*make(*digits), run_dir=tmp_path / "run", **OPTIONS)
    assert told in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [5, (1, 2)])
def test_what_is_no_model_is_refused(digits, wrong):
    with pytest.raises(ns_tf.InputError, match="[Ee]xpected"):
        ns_tf.search(wrong, digits, **OPTIONS)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"pretrain_epoch": 3}, "Did you mean 'pretrain_epochs'?"),
        ({"lr": 3}, "Unknown option 'lr'"),
        ({"criterion": "tayler"}, "Did you mean 'taylor_fo'?"),
        ({"strategy": "mirored"}, "mirrored"),
        ({"iterations": 0}, "at least 1; got 0"),
        ({"iterations": 1.5}, "1.5"),
        ({"ratio": float("nan")}, "above 0; got nan"),
        ({"widths": (3, 4)}, "got 2: 3,4"),
        ({"search_batch": 401}, "401 is too large"),
    ],
)
def test_options_that_cannot_be_are_refused(model, digits, tmp_path, options, told):
    with pytest.raises(ns_tf.InputError) as error:
        ns_tf.search(model, digits, run_dir=tmp_path / "run", **{**OPTIONS, **options})
    assert told in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options", [{"iterations": "2"}, {"iterations": 1.5}, {"filters_per_event": 1.5}]
)
def test_options_of_another_type_are_refused_without_a_run_folder(
    model, digits, options
):
    value = str(*options.values())
    with pytest.raises(ns_tf.InputError, match=f"got .?{value}"):
        ns_tf.search(model, digits, **{**OPTIONS, **options})


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


def test_a_loss_that_is_not_finite_names_the_step(model, digits):
    with pytest.raises(ns_tf.RunError, match=r"at training step \d+"):
        ns_tf.search(model, digits, **{**OPTIONS, "pretrain_rate": 1e30})


def test_a_search_is_continued_by_its_own_run_folder_only(search, model, digits):
    with pytest.raises(ns_tf.InputError, match="--seed: 0 -> 1"):
        ns_tf.search(model, digits, run_dir=search.run_dir, **OPTIONS, seed=1)


@pytest.mark.parametrize("what", ["model", "data"])
def test_a_run_folder_of_another_model_or_other_data_is_refused(
    search, model, digits, what
):
    images, labels = digits
    if what == "model":
        model = mine((16, 16, 16), name=model.name)
    else:
        images = 255 - images
    with pytest.raises(ns_tf.InputError, match="run_dir"):
        ns_tf.search(model, (images, labels), run_dir=search.run_dir, **OPTIONS)


def test_a_model_made_again_by_the_same_lines_continues_its_search(digits, tmp_path):
    for _ in range(2):  # A notebook's cell, run twice.
        ns_tf.search(mine(name=None), digits, run_dir=tmp_path / "run", **OPTIONS)
    assert len(ns_tf.load(tmp_path / "run").iterations) == 1


def test_a_loaded_search_of_a_python_model_builds_or_says_how_to(search, run_dir):
    plan = ns_tf.load(run_dir).plan(params=1000)
    try:
        built = plan.build()
    except ns_tf.InputError as error:
        assert "from_model" in str(error) or "ns_tf.search" in str(error)
    else:
        assert trainable(built) == plan.params


def test_a_search_without_a_run_folder_can_be_stopped_too(model, digits):
    class Stop:
        requested = True

        def leave(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns_tf.search(model, digits, stop=Stop(), **OPTIONS)


# What follows from a plan: a training, files, a comparison, a report.

SHORT = {"epochs": 2, "batch": 97, "rate": 0.05}


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


def test_a_loaded_search_finds_data_that_have_a_name(named):
    loaded = ns_tf.load(named.run_dir)
    problem, settings = loaded.problem_for()
    assert (problem.dataset.name, settings.image_size) == ("digits", 16)
    assert problem.dataset.image_shape == (16, 16, 1)
    short = {**SHORT, "epochs": 1, "batch": 700}
    trained = [s.plan(params=1500).train(**short) for s in (named, loaded)]
    assert trained[0].score == trained[1].score


def test_a_network_is_trained_on_other_data_than_the_searchs(named):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (173, 16, 16, 1), dtype=np.uint8)
    labels = np.arange(173) % 10
    short = {**SHORT, "epochs": 1, "batch": 31}
    trained = named.plan(params=1500).train((images, labels), **short)
    assert 0 <= trained.score <= 1 and trained.problem.dataset.name != "digits"
    assert len(trained.problem.dataset.test) < 173
    with pytest.raises(ns_tf.InputError, match="classes 10; got 3"):
        named.plan(params=1500).train((images, labels % 3), **short)


def test_a_trained_network_is_exported_and_each_file_answers_as_it_does(
    trained, tmp_path
):
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


def test_two_methods_are_compared_and_the_report_shows_it(search, run_dir, tmp_path):
    asked = {"run_dir": tmp_path / "comparison", "seeds": 1, "params": 600}
    asked |= {"epochs": 1, "batch": 97, "latency_repeats": 1, "latency_warmup": 0}
    outcome = search.compare(("uniform", "neuralscale"), **asked)
    assert outcome.folder == tmp_path / "comparison"
    for method in ("uniform", "neuralscale"):
        assert f"| {method}" in str(outcome)
    results = [
        json.loads(path.read_text())
        for path in sorted(outcome.folder.glob("cells/*/result.json"))
    ]
    assert len(results) == 2 and all(r["params"] <= 600 for r in results)
    plan = search.plan(params=600)
    assert list(plan.widths) in [result["widths"] for result in results]
    before = contents(outcome.folder / "cells")
    assert str(search.compare(("uniform", "neuralscale"), **asked)) == str(outcome)
    assert contents(outcome.folder / "cells") == before
    page = search.report(tmp_path / "page.html", outcome)
    assert page == tmp_path / "page.html"
    text = page.read_text()
    assert "uniform" in text and all(name in text for name in plan.names)


def test_a_report_of_a_search_alone_lies_in_its_run_folder(search, run_dir):
    path = search.report()
    assert path == run_dir / "report.html"
    assert "conv2" in path.read_text()


def test_a_search_says_what_it_found(search):
    (law,), (state,) = search.laws(), search.iterations
    assert law is state.law
    widths = np.array(search.plan(params=600).widths)
    assert search.costs["params"](widths) <= 600 < search.costs["macs"](widths)


BAD_CALLS = {
    "an unknown recipe": (lambda s: s.plan(params=600).train(epoch=3), "'epochs'"),
    "an impossible recipe": (
        lambda s: s.plan(params=600).train(**{**SHORT, "batch": 5000}),
        "5000 is too large",
    ),
    "data that are none": (
        lambda s: s.plan(params=600).train(object(), **SHORT),
        "got object",
    ),
    "an unknown data set": (
        lambda s: s.plan(params=600).train("digts", **SHORT),
        "Did you mean 'digits'?",
    ),
    "a bad folder name": (
        lambda s: s.plan(params=600).train(run_dir="/tmp", name="a/b", **SHORT),
        "--name",
    ),
    "a comparison without a budget": (
        lambda s: s.compare(run_dir="never", params="600"),
        "600",
    ),
    "an unknown method": (
        lambda s: s.compare(("unifrm",), run_dir="never", params=600),
        "Did you mean 'uniform'?",
    ),
    "an unknown option of a comparison": (
        lambda s: s.compare(run_dir="never", params=600, epoch=1),
        "'epochs'",
    ),
}


@pytest.mark.parametrize("what", BAD_CALLS)
def test_a_call_that_cannot_be_done_is_refused_in_one_line(
    search, tmp_path, monkeypatch, what
):
    monkeypatch.chdir(tmp_path)
    call, text = BAD_CALLS[what]
    with pytest.raises(ns_tf.InputError) as error:
        call(search)
    assert text in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


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


def test_what_reads_a_run_folder_says_that_there_is_none(search):
    unkept = dataclasses.replace(search, run_dir=None)
    for call in (unkept.report, lambda: unkept.compare(run_dir="never", params=600)):
        with pytest.raises(ns_tf.InputError, match="this search has none"):
            call()
