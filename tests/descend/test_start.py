"""A search from a model's own weights: exact, kept, continued, refused."""

import keras
import numpy as np
import pytest
from notebooks import OPTIONS
from small import Ended, KilledAt
from trained import digits, learned
from verbs import contents

import ns_tf
from ns_tf.base import Architecture, InputError
from ns_tf.descend import start, work
from ns_tf.descend.config import SearchConfig
from ns_tf.networks.from_model import from_model
from ns_tf.prune.config import PruneConfig

OWN = {**OPTIONS, "pretrain_epochs": 0, "filters_per_event": 4}


@pytest.fixture(scope="module")
def model():
    return learned()[0]


@pytest.fixture(scope="module")
def found(model, tmp_path_factory):
    """A search from the weights of the model that has learned the digits."""
    run_dir = tmp_path_factory.mktemp("own") / "run"
    return ns_tf.search(model, digits(), run_dir=run_dir, **OWN)


def same(one, other):
    """Whether two searches left the same widths and scores."""
    pairs = zip(one.iterations, other.iterations, strict=True)
    return all(
        np.array_equal(a.trace.history, b.trace.history)
        and np.array_equal(a.trace.scores.lowest, b.trace.scores.lowest)
        and np.array_equal(a.law.alpha, b.law.alpha)
        for a, b in pairs
    )


def test_its_first_loss_is_that_of_the_model(found, model):
    """Not that of a network that guesses: ln 10 = 2.3."""
    losses = found.iterations[0].trace.scores.loss
    fresh = ns_tf.search(model, digits(), **{**OWN, "weights": "fresh"})
    guessed = fresh.iterations[0].trace.scores.loss
    assert losses[0] < 1 and guessed[0] > 2
    assert not same(found, fresh)


@pytest.mark.slow
def test_it_leaves_the_model_as_it_was_and_gives_the_same_bits_again(found, model):
    before = [w.copy() for w in model.get_weights()]
    again = ns_tf.search(model, digits(), **OWN)
    assert same(found, again)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_killed_search_of_a_file_goes_on_with_its_weights_alone(
    found, model, tmp_path
):
    path, run_dir = tmp_path / "mine.keras", tmp_path / "run"

    def attempt(kill=1000):
        return ns_tf.search(
            f"keras:{path}",
            digits(),
            run_dir=run_dir,
            progress=KilledAt(kill),
            checkpoint_seconds=0,
            **OWN,
        )

    model.save(path)
    with pytest.raises(Ended):
        attempt(kill=3)
    keras.models.clone_model(model).save(path)
    with pytest.raises(InputError, match="began with other weights"):
        attempt()
    model.save(path)
    assert same(found, attempt())


def test_other_weights_are_another_search(found, model):
    other = keras.models.clone_model(model)
    before = contents(found.run_dir)
    with pytest.raises(InputError, match="began with other weights than"):
        ns_tf.search(other, digits(), run_dir=found.run_dir, **OWN)
    assert contents(found.run_dir) == before
    assert same(ns_tf.search(model, digits(), run_dir=found.run_dir, **OWN), found)


def made(model, **options):
    """The search of a model, not done yet."""
    named = {"architecture": "mine"}
    configs = work.configure(work.SEARCH_CONFIGS, named, {**OWN, **options})
    return work.SearchRun(configs, architecture=from_model(model), dataset=digits())


def scaling(model):
    """The model behind a layer that makes unit pixels of bytes."""
    image = keras.Input(model.input_shape[1:])
    x = keras.layers.Rescaling(1 / 255)(image)
    for layer in model.layers[1:]:
        x = layer(x)
    return keras.Model(image, x)


def test_pixels_are_scaled_as_the_model_was_trained(model):
    run = made(model)
    assert run.start.pixels == "normalised"
    assert run.start.problem.structure is run.problem.structure
    assert made(scaling(keras.models.clone_model(model))).start.pixels == "given"


def test_of_the_lengths_of_the_data_widths_are_those_of_the_layers_within(tmp_path):
    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 1)), layers.Flatten(), layers.Dense(7)])
    rows = keras.Input((None, 8, 1))
    x = layers.TimeDistributed(inner)(rows)
    x = layers.GlobalAveragePooling1D()(layers.Dense(6)(x))
    model = keras.Model(rows, layers.Dense(10)(x))
    assert from_model(model).widths == (6,)
    run = made(model, filters_per_event=1)
    assert run.widths == run.problem.architecture.widths == (7, 6)
    start.check_same(model, run.start.model, tmp_path)


def test_models_within_the_model_are_seen_through(model, tmp_path):
    image = keras.Input(model.input_shape[1:])
    outer = keras.Model(image, keras.layers.Dense(10, name="more")(model(image)))
    begun = made(outer).start
    assert {"conv1", "more"} <= {layer.name for layer in begun.model.layers}
    start.check_same(outer, begun.model, tmp_path)
    outer.get_layer("more").bias.assign(np.ones(10))
    with pytest.raises(InputError, match="other weights"):
        start.check_same(outer, begun.model, tmp_path)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"iterations": 2}, "has one iteration; got --iterations=2"),
        ({"ratio": 0.5}, "leave --ratio and --widths out, or give --weights=fresh"),
        ({"widths": (11, 16, 16)}, "begins at its own widths"),
        ({"weights": "kept"}, "one of own, fresh; got 'kept'"),
    ],
)
def test_what_own_weights_cannot_do_is_refused(model, options, told):
    with pytest.raises(InputError, match=told) as error:
        made(model, **options)
    assert "\n" not in str(error.value)


def test_own_weights_of_a_network_by_name_are_refused(tmp_path):
    asked = {"run_dir": tmp_path / "run", "weights": "own", **OWN}
    with pytest.raises(InputError, match="vgg11 is built with fresh ones"):
        ns_tf.search("vgg11", "digits", **asked)
    assert not list(tmp_path.iterdir())


def test_pretraining_goes_on_from_own_weights_where_they_are_asked_for(model):
    run = made(model, pretrain_epochs=2, weights="own")
    assert run.start.model is run.problem.architecture.source
    assert made(model, pretrain_epochs=2).start is None
    asked = {"ratio": 0.5, "filters_per_event": 2, "weights": "fresh"}
    assert made(model, **asked).start is None


@pytest.mark.parametrize(
    "weights, epochs, source, expected",
    [
        (None, 0, "model", True),
        (None, 0, None, False),
        (None, 3, "model", False),
        ("own", 3, "model", True),
        ("fresh", 0, "model", False),
    ],
)
def test_who_begins_with_own_weights(weights, epochs, source, expected):
    config = SearchConfig(weights=weights)
    architecture = Architecture("any", (7, 5), None, source=source)
    prune = PruneConfig(pretrain_epochs=epochs)
    assert start.owns(config, prune, architecture) is expected
