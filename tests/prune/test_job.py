"""A pruning in a folder of its own: widths that are known, files, what it tells."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from trained import TUNING, digits, fresh, pruner

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.prune.job import PruneJob, scores_name
from ns_tf.prune.results import told_in
from ns_tf.run import files


def job_of(folder, **others):
    one = pruner(fresh()[0], digits(), method="magnitude", macs=0.5)
    scores = folder / "scores" / "one.npz"
    flags = (one.config, TUNING)
    return PruneJob(folder / "own", scores, one, TUNING, Runtime(), flags, **others)


def test_widths_that_are_known_are_those_of_what_is_left(tmp_path):
    job = job_of(tmp_path, widths=(5, 7), test_every_epoch=True)
    told = job.run()
    assert told["widths"] == [5, 7] and told == told_in(job.folder)
    assert told["costs"]["macs"] < told["targets"]["macs"]
    assert list(told["accuracies"]) == ["trained", "cut", "repaired", "tuned"]
    assert list(told["seconds"]) == ["score", "solve", "cut", "tune"]
    result = json.loads((job.folder / "result.json").read_text())
    assert result["best_test_accuracy"] == result["test_accuracy"] == told["test"]
    assert job.keep(told).sum() == len(told["channels"])
    for changed in ({"widths": [5, 6]}, {"channels": [10**6]}):  # By hand.
        with pytest.raises(InputError, match=r"pruned\.json is damaged"):
            job.keep({**told, **changed})
    assert job_of(tmp_path, widths=(5, 7)).run() == told


def test_jobs_share_their_scores(tmp_path, monkeypatch):
    job = job_of(tmp_path)
    job.scores.parent.mkdir()
    n = len(job.pruner.graph.owner)
    files.write_arrays(
        job.scores, {"scores": np.arange(n, dtype=float)}, {"seconds": 3}
    )
    monkeypatch.setattr(type(job.pruner), "scored", None)
    told = job.run()
    assert told["seconds"]["score"] == 3
    assert max(told["channels"]) == n - 1, "the highest scores stay"


def test_the_name_of_scores_says_what_they_depend_on():
    model, data = fresh()[0], digits()
    one = pruner(model, data, method="random", macs=0.5)
    names = {
        scores_name(one, "net", "data"),
        scores_name(one, "other", "data"),
        scores_name(one, "net", "others"),
        scores_name(pruner(model, data, method="gamma", macs=0.5), "net", "data"),
        scores_name(
            pruner(model, data, method="random", macs=0.5, proxy_images=7),
            "net",
            "data",
        ),
    }
    assert len(names) == 5
    cheap = pruner(model, data, method="random", macs=0.25)
    assert scores_name(cheap, "net", "data") in names, "no budget is part of it"


@pytest.mark.slow
def test_weights_that_are_left_are_kept_as_bits_and_scores_by_layer(
    tmp_path, monkeypatch
):
    """In one run folder: another budget reads the scores, other layers do not."""

    def job(name, nonzero, epochs=0, keep=()):
        asked = {"method": "magnitude", "level": "weight", "nonzero": nonzero}
        one = pruner(fresh()[0], digits(), keep=keep, **asked)
        scores = tmp_path / "scores" / scores_name(one, "net", "data")
        tuning = dataclasses.replace(TUNING, finetune_epochs=epochs, finetune_batch=100)
        flags = (one.config, tuning)
        return PruneJob(tmp_path / name, scores, one, tuning, Runtime(), flags)

    first = job("first", 0.2, epochs=1)
    with monkeypatch.context() as killed, pytest.raises(ZeroDivisionError):
        killed.setattr(PruneJob, "_tune", lambda *_: 1 / 0)
        first.run()
    told = job("first", 0.2, epochs=1).run()
    assert "channels" not in told and first.keep(told).sum() == sum(told["widths"])
    left = weights.values(keras.saving.load_model(first.folder / "model.keras"))
    kernels = first.pruner.kernels.flat(left)
    np.testing.assert_array_equal(kernels != 0, first.keep(told))
    kept = job("kept", 0.3, keep=("conv1",))
    assert job("second", 0.3).scores == first.scores != kept.scores
    assert len(kept.run()["widths"]) == len(told["widths"]) - 1


@pytest.mark.slow
def test_gates_that_learn_are_kept_with_the_weights_that_they_came_to(tmp_path):
    """A process that goes on cuts the same; another budget learns nothing new."""
    asked = {"strength": 0.01, "gate_epochs": 1, "gate_batch": 100}
    tuning = dataclasses.replace(TUNING, finetune_epochs=0)

    def job(folder, macs):
        one = pruner(fresh()[0], digits(), method="slimming", macs=macs, **asked)
        scores = tmp_path / "scores" / scores_name(one, "net", "data")
        flags = (one.config, tuning)
        return PruneJob(tmp_path / folder, scores, one, tuning, Runtime(), flags)

    told = job("half", 0.5).run()
    header, rows = files.read_csv(tmp_path / "half" / "gates.csv")
    assert header[:4] == ["step", "loss", "strength", "closed"]
    assert [row[2] for row in rows] == [0.01] * len(rows)
    path = tmp_path / "half" / "model.keras"
    before = keras.saving.load_model(path).get_weights()
    (tmp_path / "half" / "result.json").unlink()
    assert job("half", 0.5).run() == told
    now = keras.saving.load_model(path).get_weights()
    for one, other in zip(before, now, strict=True):
        np.testing.assert_array_equal(one, other)
    assert job("third", 0.3).scores == job("half", 0.5).scores
