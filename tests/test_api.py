"""The three lines: search, plan, build."""

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

import ns_tf
from ns_tf.data import sources
from ns_tf.data.tf_data import in_order
from ns_tf.run.progress import Quiet

ROOT = Path(__file__).parents[1]
WIDTHS = (11, 17, 13)
OPTIONS = {
    "search_batch": 64,
    "pretrain_epochs": 1,
    "pretrain_rate": 0.05,
    "filters_per_event": 2,
    "steps_per_event": 1,
    "stop_fraction": 0.25,
}


def network(widths=WIDTHS, name="mine", image=(8, 8, 1), classes=10):
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
    return network()


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
    model = network()
    before = model.get_weights()
    ns_tf.search(model, digits, **OPTIONS)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_search_of_a_tf_data_set_is_that_of_its_arrays(search, model, digits):
    elements = tf.data.Dataset.from_tensor_slices(digits).shuffle(400).batch(37)
    found = ns_tf.search(model, elements, **OPTIONS)
    for state, expected in zip(found.states, search.states, strict=True):
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
    low, high = search.states[0].law.tau_range
    assert f"recorded from {low:,.0f} to {high:,.0f} parameters" in str(plan)
    assert f"extrapolated {plan.extrapolation:.2f} times" in str(plan)


def test_a_plan_warns_from_twice_outside_of_what_was_recorded(search):
    low, high = search.states[0].law.tau_range
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

        def __enter__(self):
            Counted.made += 1
            return self

    asked = {"run_dir": run_dir, "progress": Counted, **OPTIONS}
    again = ns_tf.search(model, digits, **asked)
    shuffled = tf.data.Dataset.from_tensor_slices(digits).shuffle(400)
    for _ in range(2):
        ns_tf.search(model, shuffled, **asked)
    assert Counted.made == 0
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
    model = network()
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
    "data that is none": (lambda x, y: (network(), object()), "got object"),
    "no data": (lambda x, y: (network(), None), "got NoneType"),
    "three arrays": (lambda x, y: (network(), (x, y, y)), "pair (images, labels)"),
    "labels below 0": (lambda x, y: (network(), (x, y - 1)), "is -1"),
    "labels beyond the model": (lambda x, y: (network(), (x, y + 1)), "classes 10"),
    "labels of floats": (lambda x, y: (network(), (x, y / 2)), "whole numbers"),
    "one-hot labels": (lambda x, y: (network(), (x, np.eye(10)[y])), "argmax"),
    "a label less": (lambda x, y: (network(), (x, y[1:])), "shape [400]; got [399]"),
    "pixels of nan": (lambda x, y: (network(), (x * np.nan, y)), "NaN"),
    "gray images of rank 3": (lambda x, y: (network(), (x[..., 0], y)), "channel axis"),
    "images of another size": (lambda x, y: (network(), (x[:, :6], y)), "input_shape"),
    "an endless tf.data": (
        lambda x, y: (network(), tf.data.Dataset.from_tensors((x, y)).repeat()),
        "endless",
    ),
    "an empty tf.data": (
        lambda x, y: (network(), tf.data.Dataset.from_tensors((x, y)).take(0)),
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
        model = network((16, 16, 16), name=model.name)
    else:
        images = 255 - images
    with pytest.raises(ns_tf.InputError, match="run_dir"):
        ns_tf.search(model, (images, labels), run_dir=search.run_dir, **OPTIONS)


def test_a_model_made_again_by_the_same_lines_continues_its_search(digits, tmp_path):
    for _ in range(2):  # A notebook's cell, run twice.
        ns_tf.search(network(name=None), digits, run_dir=tmp_path / "run", **OPTIONS)
    assert len(ns_tf.load(tmp_path / "run").states) == 1


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


def test_public_names_are_there_and_cost_nothing_until_used():
    code = (
        "import sys, ns_tf; print(sorted({'tensorflow', 'keras', 'numpy'} & "
        "set(sys.modules)), all(hasattr(ns_tf, n) for n in ns_tf.__all__))"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[] True\n", done.stderr
