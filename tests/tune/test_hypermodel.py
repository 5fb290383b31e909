"""ScaledHyperModel: one knob, and every network that it builds fits."""

import dataclasses
import types
from unittest import mock

import keras
import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_tuner.src.engine import tuner as tuner_module
from searches import made_up

from ns_tf.api import Search
from ns_tf.base import Architecture, InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.descend.record import new_search
from ns_tf.networks.structure import analyse
from ns_tf.problem import tasks
from ns_tf.train.config import TrainConfig
from ns_tf.tune import hypermodel
from ns_tf.tune.hypermodel import SPACE, ScaledHyperModel, _compiled_with


def small(widths, *, input_shape, classes):
    """Two convolutions with batch norms, and logits."""
    x = image = keras.Input(input_shape)
    for i, width in enumerate(widths):
        x = keras.layers.Conv2D(width, 3, strides=2, name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(name=f"bn{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


def searched(widths):
    architecture = Architecture("small", widths, small)
    found = analyse(architecture, (13, 11, 3), 5)
    plain = new_search(found, "made up", widths)
    record = made_up(plain, np.random.default_rng(7))
    return Search(record, architecture)


@pytest.fixture(scope="module")
def search():
    return searched((19, 23))


@pytest.fixture(scope="module")
def models(search):
    """A hypermodel for each of three budgets."""
    ranges = {"params": (900, 9000), "macs": (9e3, 1.2e5), "ratio": (0.4, 1.3)}
    return {
        budget: ScaledHyperModel(search, {budget: ends, "round_to": [1, 3]})
        for budget, ends in ranges.items()
    }


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.sampled_from(["params", "macs", "ratio"]))
def test_no_trial_is_oversized(search, models, seed, budget):
    model = models[budget]
    hp = keras_tuner.HyperParameters()
    model.declare_hyperparameters(hp)
    for one in hp.space:
        hp.values[one.name] = one.random_sample(seed)
    values, plan = model.space.values(hp), model.plan(hp)
    least = values[budget]
    if budget == "ratio":
        budget = "params"
        widths = [max(1, int(round(width * least, 6))) for width in (19, 23)]
        least = float(search.record.costs["params"](np.array(widths)))
    assert plan.costs[budget] <= least
    assert all(width % values["round_to"] == 0 for width in plan.widths)


@pytest.mark.parametrize("params", [947, 2003, 8887])
def test_what_is_built_has_the_parameters_of_the_plan(models, params):
    plan = models["params"].plan_of({"params": params, "round_to": 1})
    weights = plan.build().trainable_weights
    assert sum(np.prod(w.shape) for w in weights) == plan.params <= params


def test_it_offers_all_that_a_tuner_may_want():
    hp = keras_tuner.HyperParameters()
    ScaledHyperModel(searched((67, 83))).declare_hyperparameters(hp)
    assert {one.name for one in hp.space} == set(SPACE)
    assert set(SPACE) == {
        "ratio",
        "round_to",
        "rate",
        "weight_decay",
        "momentum",
        "augmentation",
    }


@pytest.mark.slow
def test_keras_tuners_own_search_trains_and_finds_the_best(
    search, tmp_path, rng, monkeypatch
):
    # It walks over all that tests hold before every network.
    monkeypatch.setattr(tuner_module, "gc", mock.Mock())
    labels = rng.integers(0, 5, 160)
    images = rng.normal(size=(160, 13, 11, 3)).astype("float32")
    images += labels[:, None, None, None]
    model = ScaledHyperModel(
        search, {"params": (1500, 6000), "rate": (0.05, 0.2), "augmentation": ["both"]}
    )
    tuner = keras_tuner.RandomSearch(
        model,
        "val_accuracy",
        max_trials=2,
        seed=3,
        directory=tmp_path,
        project_name="own",
    )
    tuner.search(
        images[:120],
        labels[:120],
        validation_data=(images[120:], labels[120:]),
        epochs=6,
        verbose=0,
    )
    (best,) = tuner.get_best_hyperparameters()
    assert model.plan(best).params <= best.get("params")
    assert tuner.oracle.get_best_trials()[0].score > 0.2


def test_what_is_built_is_compiled_as_the_trial_says(search):
    hp = keras_tuner.HyperParameters()
    model = ScaledHyperModel(
        search,
        {"rate": 0.07, "momentum": [0.3], "weight_decay": 2e-4, "augmentation": "none"},
        params=3000,
    )
    built = model.build(hp)
    assert float(built.optimizer.learning_rate) == pytest.approx(0.07)
    assert built.optimizer.momentum == 0.3 and built.optimizer.weight_decay == 2e-4
    assert built.loss.from_logits
    assert [layer.name for layer in built.layers][1] == "conv0"
    assert built.count_params() == model.plan(hp).build().count_params()


@pytest.mark.parametrize("how", ["crop", "flip", "both"])
def test_augmentation_does_nothing_outside_of_training(search, how, rng):
    hp = keras_tuner.HyperParameters()
    built = ScaledHyperModel(search, {"augmentation": how}, params=3000).build(hp)
    images = rng.normal(size=(7, 13, 11, 3)).astype("float32")
    inner = built.layers[-1]
    plain = inner(images, training=False)
    told = built(images, training=False)
    np.testing.assert_allclose(told, plain, rtol=1e-6, atol=1e-6)
    varied = keras.Model(built.inputs[0], built.layers[-2].output)
    assert np.abs(varied(images, training=True) - images).max() > 0.1


def test_a_recipe_is_shortened_in_proportion():
    train = TrainConfig(epochs=300, rate_drops=(100, 200, 250), warmup_epochs=9)
    short = hypermodel.shortened(train, 30)
    assert (short.epochs, short.rate_drops, short.warmup_epochs) == (
        30,
        (10, 20, 25),
        0,
    )
    assert hypermodel.shortened(train, 300) == train
    assert hypermodel.shortened(train, 2).rate_drops == (1, 2)


@pytest.fixture(scope="module")
def of_rows():
    """A search of a network that takes the rows of a table."""

    def dense(widths, *, input_shape, classes):
        x = row = keras.Input(input_shape)
        for i, width in enumerate(widths):
            x = keras.layers.Dense(width, activation="relu", name=f"dense{i}")(x)
        return keras.Model(row, keras.layers.Dense(classes, name="logits")(x))

    architecture = Architecture("rows", (67, 83), dense)
    plain = new_search(analyse(architecture, (7,), 5), "made up", (67, 83))
    return Search(made_up(plain, np.random.default_rng(7)), architecture)


def test_rows_of_a_table_are_not_varied(of_rows):
    hp = keras_tuner.HyperParameters()
    model = ScaledHyperModel(of_rows)
    model.declare_hyperparameters(hp)
    assert {one.name for one in hp.space} == set(SPACE) - {"augmentation"}
    assert model.build(hp).input_shape == (None, 7)
    told = 'augmentation=flip is of images.*takes none. Give augmentation="none"'
    with pytest.raises(InputError, match=told):
        ScaledHyperModel(of_rows, {"params": 3000, "augmentation": ["none", "flip"]})
    train = TrainConfig(augmentation="flip")
    with pytest.raises(InputError, match=told):
        ScaledHyperModel(of_rows, {"params": 3000}, train=train).build(hp)


BAD = {
    "unknown": ({"param": (1, 2)}, {}, "Did you mean 'params'?"),
    "no budget": ({"rate": 0.1}, {}, "Give a budget"),
    "too small": ({"params": (3, 9000)}, {}, "params=3 cannot be met"),
    "too coarse": ({"params": (900, 9000), "round_to": [1, 64]}, {}, "cannot be met"),
    "too fast": ({"ratio": 1.0, "momentum": (0.5, 1.5)}, {}, "--momentum lies between"),
    "no rate": ({"ratio": 1.0, "rate": (0.0, 0.1)}, {}, "--rate"),
    "twice": ({"params": (900, 9000)}, {"params": 3000}, "give it once"),
    "way": ({"ratio": 1.0, "augmentation": ["cut"]}, {}, "expected one of own"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_space_that_no_trial_can_have_is_refused_at_once(search, case):
    space, fixed, told = BAD[case]
    with pytest.raises(InputError) as refused:
        ScaledHyperModel(search, space, **fixed)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("task", "loss"), [("regression", "FunctionLoss"), ("binary", "FunctionLoss")]
)
def test_the_loss_is_that_of_the_searchs_task(search, task, loss, rng):
    problem = types.SimpleNamespace(task=tasks.get(task))
    known = Search(search.record, search.architecture, problem=problem)
    model = ScaledHyperModel(known, {"params": 1000, "augmentation": "none"})
    network = model.build(keras_tuner.HyperParameters())
    assert type(network.loss).__name__ == loss
    images, targets = rng.normal(size=(7, 13, 11, 3)), rng.uniform(size=(7, 5))
    expected = tasks.get(task).loss(network)(targets, network(images))
    found = network.evaluate(images, targets, verbose=0)
    assert found == pytest.approx(float(np.mean(expected)), rel=1e-5)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", "crossentropy", "mse", None]
)
def test_a_model_that_was_compiled_for_one_hot_targets_gets_them(search, loss):
    """Class numbers are for a model that is compiled for these, or not at all."""
    source = small((5, 7), input_shape=(13, 11, 3), classes=5)
    if loss:
        source.compile(loss=loss)
    own = Architecture("small", (19, 23), small, source=source)
    record = dataclasses.replace(search.record, task="classification")
    model = ScaledHyperModel(Search(record, own), {"params": 1000})
    found = _compiled_with(model.task, source)
    assert found["metrics"] == ["accuracy"]
    assert (found["loss"] == loss) == ("crossentropy" in (loss or ""))


def test_a_loaded_search_has_the_task_of_its_record(search):
    source = small((5, 7), input_shape=(13, 11, 3), classes=5)
    own = Architecture("small", (19, 23), small, source=source)

    def built(task, architecture=own):
        record = dataclasses.replace(search.record, task=task)
        model = ScaledHyperModel(Search(record, architecture), {"params": 1000})
        return _compiled_with(model.task, source)

    assert type(built("regression")["loss"]).__name__ == "FunctionLoss"
    assert built("", search.architecture)["metrics"] == ["accuracy"]
    with pytest.raises(InputError, match="an older one and names no task"):
        built("")
    source.compile(loss="huber", loss_weights=2.0)
    assert built("compiled")["loss"] == "huber"


def test_a_compiled_task_compiles_what_is_built_and_a_loaded_search_is_refused(search):
    source = small((5, 7), input_shape=(13, 11, 3), classes=5)
    source.compile(loss="huber", metrics=["mae"])
    data = from_arrays((np.zeros((7, 13, 11, 3)), np.zeros((7, 5))))
    task = tasks.get("compiled").bound(source, data)
    for own, made in ((task, "huber"), (tasks.get("compiled"), None)):
        problem = types.SimpleNamespace(task=own)
        known = Search(search.record, search.architecture, problem=problem)
        model = ScaledHyperModel(known, {"params": 1000, "augmentation": "none"})
        if made:
            assert model.build(keras_tuner.HyperParameters()).loss == made
            continue
        with pytest.raises(InputError, match="A loaded search does not know"):
            model.build(keras_tuner.HyperParameters())
