"""Rows of MorphNet's regulariser: a network shrinks, expands, and is trained."""

import dataclasses
import json
import types

import numpy as np
import pytest
from edits import values_of
from notebooks import mine
from small import Ended, KilledAt
from toys import all_trained, toy_comparison
from trained import digits

from ns_tf.base import InputError
from ns_tf.compare import outcome
from ns_tf.compare.cells import MORPHNET, SCRATCH, TRUNK
from ns_tf.compare.config import CompareConfig
from ns_tf.compare.morphing import MorphJob
from ns_tf.compare.work import Comparison
from ns_tf.engine.config import ExecutionConfig
from ns_tf.networks.from_model import from_model
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig

ROW = "morphnet_gamma:2"


def problem():
    """Of a network with norms, on 500 digits."""
    return Problem.of(from_model(mine((12, 16, 16)), "mine"), digits())


def compared(folder):
    return Comparison(
        folder,
        ProblemConfig(architecture="mine", dataset="digits"),
        CompareConfig(methods=(ROW, "uniform"), budgets=("macs=0.5",), seeds=(3,)),
        SolverConfig(),
        TrainConfig(epochs=1, batch=100, rate=0.05),
        ExecutionConfig(),
        problem=problem(),
    )


def done(folder, watch=None):
    """(the comparison, its cells), all trained one after the other."""
    return all_trained(compared(folder), watch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison whose cells are all trained; to be read only."""
    return done(tmp_path_factory.mktemp("morphing") / "run")


def cell_of(listed, kind):
    return next(cell for cell in listed.values() if cell.kind == kind)


@pytest.mark.slow
def test_widths_come_of_the_trunk_by_way_of_a_cell_that_no_table_shows(finished):
    work, listed = finished
    finder = cell_of(listed, MORPHNET)
    row = next(cell for cell in listed.values() if cell.method == ROW)
    assert (row.kind, row.trunk, row.widths) == (SCRATCH, finder.name, None)
    assert listed[finder.trunk].kind == TRUNK and not finder.shown
    assert [c.name for c in listed.values()].index(finder.trunk) < 1
    text = outcome.write(work, listed)
    rows = json.loads((work.folder / "comparison.json").read_text())["rows"]
    assert [one["method"] for one in rows] == [ROW, "uniform"] and ROW in text


@pytest.mark.slow
def test_every_round_shrinks_to_half_and_expands_to_the_budget(finished):
    work, listed = finished
    finder, whole = cell_of(listed, MORPHNET), work.problem.architecture.widths
    cost = work.jobs.plain.costs["macs"]
    budget = 0.5 * cost(np.array(whole))
    told = values_of(work.jobs.folder_of(finder) / "pruned.json")
    assert len(told["rounds"]) == 2
    for one in told["rounds"]:
        most = min(budget, cost(np.array(whole)))
        assert cost(np.array(one["shrunk"])) <= most / 2
        assert 0.9 * budget < cost(np.array(one["widths"])) <= budget
        whole = one["widths"]
    row = next(cell for cell in listed.values() if cell.method == ROW)
    assert list(work.jobs.widths(row)) == told["widths"] == list(whole)


@pytest.mark.slow
def test_a_kill_anywhere_changes_no_result(finished, tmp_path):
    work, _ = finished
    for step in (8, 16, 30):
        with pytest.raises(Ended):
            done(tmp_path, Watch(KilledAt(step), seconds=0.0))
    other, listed = done(tmp_path)
    for cell in listed.values():
        one, again = (
            values_of(run.jobs.folder_of(cell) / "result.json") for run in (work, other)
        )
        assert {**one, "seconds": 0} == {**again, "seconds": 0}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A comparison of which no cell is trained."""
    with compared(tmp_path_factory.mktemp("prepared") / "run") as work:
        return work, work.prepare()


def test_a_round_begins_with_the_widths_of_the_round_before(prepared, monkeypatch):
    """Nothing is trained: what the penalty leaves is given."""
    work, listed = prepared
    finder, row, *_ = (cell for cell in listed.values() if cell.kind != TRUNK)
    assert (row.trunk, work.jobs.widths(row)) == (finder.name, None)
    begun, left = [], [(6, 8, 8), (3, 9, 8)]

    def trained(job, number, widths, watch):
        begun.append(widths)
        return number, 3.0

    def shrinking(job, number, model):
        assert model == number
        told = {"widths": left[number - 1], "seconds": {"score": 2.0}}
        return types.SimpleNamespace(run=lambda watch: told)

    monkeypatch.setattr(MorphJob, "_trained", trained)
    monkeypatch.setattr(MorphJob, "_shrinking", shrinking)
    assert work.jobs.of(finder).run()["seconds"] == 10.0
    told = values_of(work.jobs.folder_of(finder) / "pruned.json")
    rounds = told["rounds"]
    assert begun == [None, tuple(rounds[0]["widths"])]
    cost = work.jobs.plain.costs["macs"]
    budget = 0.5 * cost(np.array(work.problem.architecture.widths))
    for one, shrunk in zip(rounds, left, strict=True):
        assert tuple(one["shrunk"]) == shrunk
        assert 0.9 * budget < cost(np.array(one["widths"])) <= budget
        assert np.ptp(np.array(one["widths"]) / shrunk) < 0.5
    assert list(work.jobs.widths(row)) == told["widths"] == rounds[1]["widths"]
    assert work.jobs.of(finder).run()["seconds"] == 10.0 and len(begun) == 2


def test_several_workers_and_networks_without_norms_are_refused(prepared, tmp_path):
    work, listed = prepared
    finder, row, *_ = (cell for cell in listed.values() if cell.kind != TRUNK)
    assert (row.trunk, row.widths) == (finder.name, None)
    shared = types.SimpleNamespace(workers=types.SimpleNamespace(count=2))
    jobs = dataclasses.replace(work.jobs, execution=shared)
    with pytest.raises(InputError, match="one process, not in 2.*--workers_at"):
        jobs.check(finder)
    with pytest.raises(InputError, match="morphnet_gamma: The method reads"):
        with toy_comparison(tmp_path / "run", methods=(ROW,)) as other:
            other.prepare()
    assert not (tmp_path / "run").exists()
