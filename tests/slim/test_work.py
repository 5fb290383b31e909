"""A supernet in a run folder."""

import dataclasses
import json
import math

import pytest
from small import Ended, KilledAt, chain, problem, residual
from supernets import RECIPE, TWO

import ns_tf
from ns_tf.base import InputError, RunError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.folder import SHARES, SUPERNET
from ns_tf.run.watch import Watch
from ns_tf.slim.work import SupernetRun, joined

SETTINGS = ProblemConfig(architecture="chain", dataset="coloured")


def made(folder, config=TWO):
    work = problem(chain, (8, 7))
    runtime = RuntimeConfig(seed=3, checkpoint_seconds=0)
    return SupernetRun(work, SETTINGS, config, RECIPE, runtime, run_dir=folder)


def test_additions_join_channels_so_that_all_widths_have_the_same_layers():
    found = joined(problem(residual, (8, 7, 8)))
    assert found.architecture.widths == (8, 7)
    assert joined(found) is found


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    """The folder of a run that was killed and went on, and what that found."""
    folder = tmp_path_factory.mktemp("slim") / "run"
    with pytest.raises(Ended):
        made(folder).run(Watch(KilledAt(4)))
    assert (folder / SUPERNET).exists() and not (folder / SHARES).exists()
    return folder, made(folder).run()


def test_a_share_of_no_finite_score_leaves_the_others_their_results(
    continued, tmp_path, monkeypatch
):
    _, found = continued
    small, whole = found.rows
    small = dataclasses.replace(small, test=(0.3, -math.inf))
    found = dataclasses.replace(found, rows=(small, whole))
    monkeypatch.setattr(SupernetRun, "_fitted", lambda *_: found)
    with pytest.raises(RunError, match="test_accuracy is -inf, .*share0.5/model.keras"):
        made(tmp_path / "run").run()
    results = [path.name for path in tmp_path.glob("run/train/share1/*")]
    assert "result.json" in results and "model.keras" in results
    assert not (tmp_path / "run" / SHARES).exists()


def test_a_run_that_was_killed_goes_on_and_the_same_again_changes_nothing(continued):
    folder, first = continued
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
