"""A search from Python: continued, refused, compared, shown."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from notebooks import OPTIONS, SHORT, WIDTHS, mine, trainable
from verbs import contents

import ns_tf
from ns_tf.data import python_data
from ns_tf.run.progress import Quiet


def test_a_search_leaves_the_model_as_it_was(digits):
    model = mine()
    before = model.get_weights()
    ns_tf.search(model, digits, **OPTIONS)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_search_of_a_tf_data_set_is_that_of_its_arrays(search, model, digits):
    elements = tf.data.Dataset.from_tensor_slices(digits).shuffle(400).batch(37)
    found = ns_tf.search(model, elements, **OPTIONS)
    for state, expected in zip(found.iterations, search.iterations, strict=True):
        np.testing.assert_array_equal(state.trace.widths, expected.trace.widths)
        np.testing.assert_array_equal(state.law.beta, expected.law.beta)
    assert found.plan(params=2000).widths == search.plan(params=2000).widths


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


@pytest.mark.slow
def test_plans_inherit_the_weights_that_are_given_now(digits, tmp_path):
    """And frozen ones, which were searched with, have to be the same."""
    keras.utils.set_random_seed(3)
    models = [mine() for _ in range(2)]
    for frozen in (False, True):
        for model in models:
            model.get_layer("conv1").trainable = not frozen
        asked = {"run_dir": tmp_path / f"{frozen}", **OPTIONS}
        ns_tf.search(models[0], digits, **asked)
        if frozen:
            with pytest.raises(ns_tf.InputError, match="began with other weights"):
                ns_tf.search(models[1], digits, **asked)
            continue
        again = ns_tf.search(models[1], digits, **asked)
        small = again.plan(params=trainable(models[1]), max_width=list(WIDTHS))
        now = small.build("inherit", proxy_images=16).get_weights()
        for one, other in zip(now, models[1].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def drawn(x):
    return x + keras.random.normal((1, 10))  # What is drawn is not followed.


class Unregistered(layers.Layer):
    def call(self, x):
        return drawn(x)


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
        lambda x, y: (with_last(layers.Lambda(drawn, name="own")), (x, y)),
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
    "four arrays": (lambda x, y: (mine(), (x, y, y, y)), "(inputs, targets, weights)"),
    "labels below 0": (lambda x, y: (mine(), (x, y - 1)), "got -1 to 8"),
    "labels beyond the model": (lambda x, y: (mine(), (x, y + 1)), "of 10 outputs"),
    "labels of floats": (lambda x, y: (mine(), (x, y / 2)), "whole numbers"),
    "a label less": (lambda x, y: (mine(), (x, y[1:])), "need 400 targets"),
    "pixels of nan": (lambda x, y: (mine(), (x * np.nan, y)), "NaN"),
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
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


def test_data_given_again_have_the_options_of_the_search(search, digits):
    own = python_data.dataset(digits, train_images=90, validation_fraction=0.3)
    settings = dataclasses.replace(
        search.settings, dataset=own.name, train_images=90, validation_fraction=0.3
    )
    loaded = dataclasses.replace(search, problem=None, settings=settings)
    problem, told = loaded.problem_for(digits)
    assert (problem.dataset.name, told) == (own.name, settings)
    problem, told = loaded.problem_for((digits[0][:100], digits[1][:100]))
    assert (len(problem.dataset.train), told.train_images) == (80, None)


def test_data_with_a_name_of_their_own_are_asked_for(search, digits):
    settings = dataclasses.replace(search.settings, dataset="mine")
    loaded = dataclasses.replace(search, problem=None, settings=settings)
    told = "Unknown data set 'mine'.* If 'mine' was a Dataset in Python.*as data"
    with pytest.raises(ns_tf.InputError, match=told):
        loaded.problem_for()
    problem, own = loaded.problem_for(ns_tf.from_arrays(digits, name="mine"))
    assert (problem.dataset.name, own) == ("mine", settings)


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
    "an unknown method as text": (
        lambda s: s.compare("unifrm", run_dir="never", params=600),
        "Did you mean 'uniform'?",
    ),
    "seeds that are no whole number": (
        lambda s: s.compare(run_dir="never", params=600, seeds=2.0),
        "seeds is how many trainings",
    ),
    "a report of what is no outcome": (
        lambda s: s.report(outcome=5),
        "outcome is what compare returns; got 5",
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


def test_what_reads_a_run_folder_says_that_there_is_none(search):
    unkept = dataclasses.replace(search, run_dir=None)
    for call in (unkept.report, lambda: unkept.compare(run_dir="never", params=600)):
        with pytest.raises(ns_tf.InputError, match="this search has none"):
            call()
