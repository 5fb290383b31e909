"""A supernet in a run folder."""

import json

import pytest
from small import Ended, KilledAt, problem, residual
from supernets import RECIPE, TWO

import ns_tf
from ns_tf.base import InputError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.folder import SHARES, SUPERNET
from ns_tf.run.watch import Watch
from ns_tf.slim.work import SupernetRun, joined

SETTINGS = ProblemConfig(architecture="residual", dataset="coloured")


def made(folder, config=TWO):
    work = problem(residual, (8, 7, 8))
    runtime = RuntimeConfig(seed=3, checkpoint_seconds=0)
    return SupernetRun(work, SETTINGS, config, RECIPE, runtime, run_dir=folder)


def test_additions_join_channels_so_that_all_widths_have_the_same_layers():
    found = joined(problem(residual, (8, 7, 8)))
    assert found.architecture.widths == (8, 7)
    assert joined(found) is found


def test_a_run_that_was_killed_goes_on_and_the_same_again_changes_nothing(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Ended):
        made(folder).run(Watch(KilledAt(4)))
    assert (folder / SUPERNET).exists() and not (folder / SHARES).exists()
    first = made(folder).run()
    told = (folder / SHARES).read_bytes()
    again = made(folder).run()
    assert (folder / SHARES).read_bytes() == told
    assert again.rows == first.rows and again.history == first.history
    rows = json.loads(told)["rows"]
    assert [row["share"] for row in rows] == [0.5, 1.0]
    for row in rows:
        path = folder / "train" / f"share{row['share']:g}"
        result = json.loads((path / "result.json").read_text())
        assert result["test_accuracy"] == row["test"][1]
        assert result["params"] == row["costs"]["params"]
        model = ns_tf.from_model(ns_tf.networks.from_model.loaded(path / "model.keras"))
        assert model.widths == tuple(row["widths"])
    with pytest.raises(InputError, match="supernet of other flags"):
        made(folder, ns_tf.slim.config.SupernetConfig(shares=(0.25, 1.0)))
    (folder / SUPERNET).unlink()
    with pytest.raises(InputError, match=f"has lost its {SUPERNET}"):
        made(folder)
