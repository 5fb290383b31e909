"""Pruning in a run folder: scores are kept, kills change nothing, folders are one's."""

import json
import shutil

import keras
import numpy as np
import pytest
from small import Ended, KilledAt, StopAt
from trained import Unregistered, digits

import ns_tf
from ns_tf.prune.pruner import Pruner
from ns_tf.run import files
from ns_tf.run.watch import Watch

ASKED = {
    "method": "taylor_fg",
    "macs": 0.5,
    "finetune_epochs": 2,
    "finetune_batch": 100,
    "proxy_images": 64,
    "proxy_batch": 16,
    "checkpoint_seconds": 0.0,
}


def with_layer(between):
    """A network of a few filters with a layer between."""
    x = image = keras.Input((8, 8, 1))
    x = between(keras.layers.Conv2D(7, 3, activation="relu", name="a")(x))
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu", name="b")(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, keras.layers.Dense(10, name="logits")(x))


@pytest.fixture(scope="module")
def mine():
    """Its weights are fresh: what is left of them is to be the same, not good."""
    return ns_tf.trained(with_layer(keras.layers.ReLU()), digits(), pixels="unit")


@pytest.fixture(scope="module")
def done(mine, tmp_path_factory):
    """(a finished run, its folder); to be read only."""
    folder = tmp_path_factory.mktemp("pruned") / "run"
    return mine.prune(run_dir=folder, **ASKED), folder


def test_a_folder_gives_what_memory_gives(mine, done):
    kept, folder = done
    plain = mine.prune(**ASKED)
    for one, other in zip(kept.model.weights, plain.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert kept.accuracies == plain.accuracies and kept.score == plain.score
    assert kept.costs == plain.costs and len(kept.history) == 2
    assert kept.folder == folder / "train" / "taylor_fg_macs0.5_seed0"
    told = json.loads((kept.folder / "pruned.json").read_text())
    assert told["widths"] == list(kept.widths) and told["whole"] == [7, 5]


def test_the_same_call_reads_what_is_there(mine, done, monkeypatch):
    kept, folder = done
    monkeypatch.setattr(Pruner, "scored", None)
    monkeypatch.setattr(Pruner, "cut_and_repair", None)
    again = mine.prune(run_dir=folder, **ASKED)
    assert again.accuracies == kept.accuracies and str(again) == str(kept)


def test_another_budget_needs_no_new_scores(mine, done, tmp_path, monkeypatch):
    folder = shutil.copytree(done[1], tmp_path / "run")
    monkeypatch.setattr(Pruner, "scored", None)
    other = {**ASKED, "macs": 0.25, "params": 0.5, "finetune_epochs": 0}
    small = mine.prune(run_dir=folder, **other)
    assert small.costs["macs"] <= small.targets["macs"]
    assert (
        small.history == ()
        and small.accuracies["tuned"] == small.accuracies["repaired"]
    )
    assert ns_tf.trained(small.folder, digits()).score == small.score


@pytest.mark.parametrize(
    "kills", [(3, 6), *(pytest.param((n,), marks=pytest.mark.slow) for n in (3, 9))]
)
def test_a_run_that_is_killed_in_any_stage_ends_as_one_that_is_not(
    mine, done, tmp_path, kills
):
    """4 steps of scoring, then 10 of training; the second kill is of a training."""
    kept, folder = done
    for number, step in enumerate(kills):
        with pytest.raises(Ended):
            mine.prune(run_dir=tmp_path, progress=KilledAt(step), **ASKED)
        trains = number == 1 or step == 9
        assert bool(list(tmp_path.rglob("checkpoint.npz"))) == trains
    small = mine.prune(run_dir=tmp_path, **ASKED)
    for one, other in zip(small.model.weights, kept.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert small.accuracies == kept.accuracies
    found, expected = (
        files.read_arrays(next((run / "scores").iterdir()))[0]["scores"]
        for run in (tmp_path, folder)
    )
    np.testing.assert_array_equal(found, expected)
    assert not list(tmp_path.rglob("*.part.npz"))
    assert not list(tmp_path.rglob("checkpoint.npz"))


TWO = {**ASKED, "method": "magnitude", "finetune_epochs": 1}
TWO |= {"recipe": "distil+plain(rate=0.001)"}


def test_recipes_are_done_one_after_another_and_go_on_when_killed(
    mine, tmp_path, monkeypatch
):
    """5 steps of the first training, 5 of the second."""
    plain = mine.prune(**TWO)
    with pytest.raises(Ended):
        mine.prune(run_dir=tmp_path, progress=KilledAt(8), **TWO)
    (begun,) = tmp_path.rglob("checkpoint.npz")
    first = begun.parent / "earlier" / "1_distil" / "result.json"
    seconds = json.loads(first.read_text())["seconds"]
    with monkeypatch.context() as patch:  # What the first began with is not needed.
        patch.setattr(Pruner, "cut_and_repair", None)
        kept = mine.prune(run_dir=tmp_path, **TWO)
    assert kept.folder == begun.parent and kept.seconds["tune"] > seconds
    assert [epoch.rate for epoch in kept.history] == [0.001]
    for one, other in zip(kept.model.weights, plain.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert kept.accuracies == plain.accuracies and kept.score == plain.score


def test_a_run_stops_when_it_is_asked(mine, tmp_path):
    with pytest.raises(Ended):
        mine.prune(run_dir=tmp_path, stop=StopAt(2), **ASKED)
    assert not list(tmp_path.rglob("result.json"))
    assert Watch  # Stops are asked for by way of a watch.


def test_a_folder_of_another_network_or_of_other_choices_is_refused(mine, done):
    other, folder = done
    with pytest.raises(ns_tf.InputError, match="other flags.*--model"):
        other.prune(run_dir=folder, **ASKED)
    with pytest.raises(ns_tf.InputError, match="other flags.*finetune_rate"):
        mine.prune(run_dir=folder, **ASKED, finetune_rate=0.5)


def test_the_whole_network_is_kept_as_it_is(mine, tmp_path):
    small = mine.prune(run_dir=tmp_path, macs=1.0, method="magnitude")
    for one, other in zip(small.model.weights, mine.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


SLOW = {**ASKED, "allocation": "greedy(step=1)", "rounds": 2, "finetune_epochs": 0}


@pytest.mark.parametrize(
    "step, others",
    [
        (2, {"method": "magnitude", "rounds": 1}),
        pytest.param(6, {}, marks=pytest.mark.slow),
        pytest.param(12, {}, marks=pytest.mark.slow),
    ],
)
def test_rounds_and_a_path_that_are_killed_end_as_those_that_are_not(
    mine, tmp_path, step, others
):
    """Two rounds of 4 steps and one each, then a step a removal; or removals alone."""
    asked = {**SLOW, **others}
    plain = mine.prune(**asked)
    with pytest.raises(Ended):
        mine.prune(run_dir=tmp_path, progress=KilledAt(step), **asked)
    assert list(tmp_path.rglob("scoring.*.npz" if step == 6 else "allocating.npz"))
    small = mine.prune(run_dir=tmp_path, **asked)
    for one, other in zip(small.model.weights, plain.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not list(tmp_path.rglob("scoring*"))
    assert not list(tmp_path.rglob("allocating.npz"))


def test_scores_in_rounds_are_those_of_their_budget(mine, tmp_path):
    asked = {**SLOW, "method": "magnitude", "allocation": "uniform"}
    for macs in (0.5, 0.4):
        mine.prune(run_dir=tmp_path, **{**asked, "macs": macs})
    assert len(list((tmp_path / "scores").iterdir())) == 2


def never_registered(targets, outputs):
    return keras.losses.sparse_categorical_crossentropy(targets, outputs, True)


FEW = {"method": "magnitude", "macs": 0.5, "finetune_epochs": 0, "proxy_images": 16}


def test_a_network_that_no_file_gives_is_refused_before_anything_is_done(tmp_path):
    given = ns_tf.trained(with_layer(Unregistered()), digits(), pixels="unit")
    with pytest.raises(ns_tf.InputError, match="'Unregistered'.*Register"):
        given.prune(run_dir=tmp_path, **FEW)
    assert not list(tmp_path.iterdir())


def test_another_loss_of_the_same_weights_has_scores_of_its_own(tmp_path):
    """And one that no file gives is that of the model all the same."""
    model = with_layer(keras.layers.ReLU())
    usual = "sparse_categorical_crossentropy"
    for name, loss in (("usual", usual), ("own", never_registered)):
        model.compile(loss=loss)
        given = ns_tf.trained(model, digits(), pixels="unit", task="compiled")
        small = given.prune(run_dir=tmp_path, name=name, **FEW)
        assert small.model.compiled and small.model.loss == loss
    assert len(list((tmp_path / "scores").iterdir())) == 2
    model.compile(loss=usual)
    given = ns_tf.trained(model, digits(), pixels="unit", task="compiled")
    with pytest.raises(ns_tf.InputError, match="other flags.*--architecture"):
        given.prune(run_dir=tmp_path, name=name, **FEW)
