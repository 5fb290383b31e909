"""One set of weights, a network of any width."""

import copy
import dataclasses

import keras
import numpy as np
import pytest
from small import coloured, residual
from supernets import ANY

import ns_tf

QUICK = {"epochs": 1, "batch": 16, "rate": 0.05, "seed": 3}


@pytest.fixture(scope="module")
def data():
    return coloured(np.random.default_rng(31))


@pytest.fixture(scope="module")
def mine(data):
    model = residual((8, 7, 8), input_shape=(5, 5, 3), classes=5)
    options = {"rule": "all", "calibration_images": ANY.calibration_images}
    made = ns_tf.supernet(model, data, shares=ANY.shares, norms="shared", **options)
    assert made.fit(**QUICK) is made
    return made


@pytest.fixture(scope="module")
def switches(data):
    model = residual((8, 7, 8), input_shape=(5, 5, 3), classes=5)
    return ns_tf.supernet(model, data, shares=(0.5, 1.0)).fit(**QUICK)


def filters(model):
    return [model.get_layer(name).filters for name in ("stem", "conv1", "conv2")]


def test_a_share_some_widths_and_budgets_give_ordinary_models(mine):
    assert filters(mine.at(0.5)) == [4, 3, 4]
    for widths in ((5, 7), np.array([5, 7])):
        assert filters(mine.at(widths=widths)) == [5, 7, 5]
    whole = {row.share: row.costs["macs"] for row in mine.shares}[1.0]
    model = mine.at(macs=0.6)
    structure = ns_tf.Problem.of(
        ns_tf.from_model(model), mine.problem.dataset
    ).structure
    macs = ns_tf.budgets.exact_costs(structure)["macs"]
    assert 0.3 * whole < macs(structure.architecture.widths) <= 0.6 * whole
    model.compile("sgd", "mse")  # As any model.
    assert isinstance(model, keras.Model)


def test_printed_it_is_a_table_of_its_shares(mine):
    assert [line.split()[0] for line in str(mine).splitlines()] == ["share", "0.5", "1"]
    assert len(mine.history) == 1


def test_of_switches_the_largest_within_the_budgets_is_taken(switches):
    assert filters(switches.at(params=0.99)) == [4, 3, 4]
    assert filters(switches.at(macs=1.0)) == [8, 7, 8]
    with pytest.raises(ns_tf.InputError, match="smallest, 0.5, has macs="):
        switches.at(params=0.01)


@pytest.mark.parametrize(
    "share, options, told",
    [
        (None, {}, "Give a share, widths or budgets"),
        (0.5, {"macs": 0.5}, "Give a share, widths or budgets"),
        (1.5, {}, "at most 1; got 1.5"),
        (None, {"widths": (9, 7)}, "at most 8,7"),
        (None, {"widths": (4,)}, "2 widths; got 1"),
        (None, {"mac": 0.5}, "Did you mean 'macs'"),
        (None, {"widths": []}, "2 widths; got 0"),
        (None, {"widths": np.array([4.5, 7])}, "whole numbers"),
        ("0.5", {}, "at most 1; got '0.5'"),
        (None, {"share": "0.5"}, "at most 1; got '0.5'"),
        (None, {"macs": "0.5"}, "positive, finite number; got '0.5'"),
    ],
)
def test_what_it_does_not_have_is_told_in_one_line(mine, share, options, told):
    given = () if share is None else (share,)
    with pytest.raises(ns_tf.InputError, match=told):
        mine.at(*given, **options)


@pytest.mark.parametrize("shares", [0.5, "0.5,1", ("0.5", "1"), None])
def test_shares_that_are_no_numbers_are_told_in_one_line(data, shares):
    model = residual((8, 7, 8), input_shape=(5, 5, 3), classes=5)
    with pytest.raises(ns_tf.InputError, match="shares: expected"):
        ns_tf.supernet(model, data, shares=shares)


def test_before_it_is_trained_there_is_nothing_to_give(data):
    model = residual((8, 7, 8), input_shape=(5, 5, 3), classes=5)
    made = ns_tf.supernet(model, data)
    with pytest.raises(ns_tf.InputError, match="call fit"):
        made.at(0.5)


def test_its_whole_network_is_pruned_from_its_last_filters_on(mine):
    small = mine.trained().prune(
        method="last", macs=0.7, finetune_epochs=0, proxy_images=48
    )
    assert small.costs["macs"] <= small.targets["macs"]
    kernel = mine.trained().model.get_layer("stem").kernel
    own = small.model.get_layer("stem").kernel
    assert (kernel[..., : own.shape[-1]] == own).numpy().all()


def test_its_whole_network_knows_the_options_of_data_from_python(mine):
    known = copy.copy(mine)
    known.settings = dataclasses.replace(
        mine.settings, dataset="python:0", split_seed=3
    )
    assert known.trained().data == {"split_seed": 3}
