"""Rows of supernets: one training a seed, members at every budget."""

import dataclasses
import json
import types

import numpy as np
import pytest
from edits import values_of
from small import Ended, KilledAt
from toys import all_trained, params, toy_comparison

from ns_tf.base import InputError
from ns_tf.compare import outcome
from ns_tf.compare.cells import MEMBER, SUPERNET
from ns_tf.engine.evaluate import evaluator
from ns_tf.networks import from_model
from ns_tf.run.watch import Watch

ASKED = {
    "methods": ("supernet:slimmable", "uniform"),
    "budgets": ("params=2003", "params=900"),
    "seeds": (3,),
}


def done(folder, watch=None):
    """(the comparison, its cells), all trained one after the other."""
    return all_trained(toy_comparison(folder, {"epochs": 2}, **ASKED), watch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison whose cells are all trained; to be read only."""
    return done(tmp_path_factory.mktemp("supernets") / "run")


def of_kind(listed, kind):
    return [cell for cell in listed.values() if cell.kind == kind]


def test_one_supernet_has_the_members_of_all_budgets(finished):
    work, listed = finished
    (net,) = of_kind(listed, SUPERNET)
    members = of_kind(listed, MEMBER)
    assert len(members) == 2 and len({cell.widths for cell in members}) == 2
    whole = values_of(work.jobs.folder_of(net) / "result.json")
    for cell in members:
        result = values_of(work.jobs.folder_of(cell) / "result.json")
        assert result["params"] == params(cell.widths)
        assert result["params"] <= float(cell.budget.partition("=")[2])
        assert result["seconds"] == whole["seconds"] and result["epochs"] == 2


def test_the_accuracy_of_a_cell_is_that_of_its_network(finished):
    work, listed = finished
    problem = work.problem
    for cell in of_kind(listed, MEMBER):
        folder = work.jobs.folder_of(cell)
        model = from_model.loaded(folder / "model.keras")
        task = problem.task
        evaluate = evaluator(model, task.loss(model), task.counter(model))
        _, counts = evaluate(problem.dataset, "test", 7)
        result = values_of(folder / "result.json")
        assert result["test_accuracy"] == task.score_of(counts)
        assert result["best_test_accuracy"] == result["test_accuracy"]


def test_tables_show_members_and_no_supernet(finished):
    work, listed = finished
    text = outcome.write(work, listed)
    rows = json.loads((work.folder / "comparison.json").read_text())["rows"]
    assert [row["method"] for row in rows].count("supernet:slimmable") == 2
    assert len(rows) == 4 and "| supernet |" not in text


@pytest.mark.slow
def test_a_kill_anywhere_changes_no_result(finished, tmp_path):
    work, _ = finished
    for step in (3, 9):  # In the supernet's first epoch, and in its second.
        with pytest.raises(Ended):
            done(tmp_path, Watch(KilledAt(step), seconds=0.0))
    other, listed = done(tmp_path)
    for cell in listed.values():
        for name in ("result", "widths"):
            one, again = (
                values_of(run.jobs.folder_of(cell) / f"{name}.json")
                for run in (work, other)
            )
            assert {**one, "seconds": 0} == {**again, "seconds": 0}
    weights = [
        np.load(run.jobs.folder_of(of_kind(listed, SUPERNET)[0]) / "supernet.npz")
        for run in (work, other)
    ]
    for name in weights[0].files:
        if name.startswith(("now", "best")):
            np.testing.assert_array_equal(*(one[name] for one in weights))
    assert not list(tmp_path.rglob("checkpoint.npz"))


def test_several_workers_are_refused(finished):
    work, listed = finished
    shared = types.SimpleNamespace(workers=types.SimpleNamespace(count=2))
    jobs = dataclasses.replace(work.jobs, execution=shared)
    (net,) = of_kind(listed, SUPERNET)
    with pytest.raises(InputError, match="one process, not in 2.*--workers_at"):
        jobs.check(net)
