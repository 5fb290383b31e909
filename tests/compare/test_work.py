"""A comparison in a folder: what it lists, deals out, trains, and refuses."""

import json
import types
from contextlib import nullcontext

import pytest
from crowd import in_threads
from toys import params, toy_comparison, trained
from verbs import contents

from ns_tf.base import InputError, RunError
from ns_tf.compare import cells, outcome
from ns_tf.compare.cells import TRUNK
from ns_tf.compare.work import Comparison
from ns_tf.engine.workers import WorkerError
from ns_tf.plan.methods import Entry
from ns_tf.run.folder import InUse
from ns_tf.train.job import Job
from ns_tf.train.results import read_failure


@pytest.fixture
def prepared(tmp_path):
    """A comparison of two methods and two seeds, its cells listed and none trained."""
    work = toy_comparison(tmp_path / "run", methods=("uniform", "li_l1"), seeds=(3, 5))
    with work:
        yield work, work.prepare()


def test_cells_are_listed_on_disk_with_flags_that_repeat_them(prepared):
    work, listed = prepared
    assert cells.read(work.folder) == listed and work.listed()
    assert [cell.kind for cell in listed.values()].count(TRUNK) == 2
    data = json.loads((work.folder / "cells.json").read_text())
    assert data["wanted"] == {
        "methods": ["uniform", "li_l1"],
        "budgets": ["params=2003"],
        "seeds": [3, 5],
    }
    text = (work.folder / "run.flags").read_text()
    assert "--methods=uniform,li_l1\n" in text and "--architecture=toy\n" in text


def test_the_folder_is_held_until_the_comparison_is_left(tmp_path):
    with toy_comparison(tmp_path) as first:
        first.prepare()
        with toy_comparison(tmp_path) as second, pytest.raises(InUse):
            second.prepare()
    with toy_comparison(tmp_path, seeds=(7,)) as third:
        assert list(third.prepare()) == ["uniform_params2003_seed7"]
        assert not first.listed(), "the list is of other seeds now"


def test_what_is_not_done_is_dealt_out_and_waits_for_its_trunk(prepared):
    work, listed = prepared
    oracle = work.oracle()
    assert oracle.waiting == list(listed) and work.counts() == (0, 6)
    for name, cell in listed.items():
        assert oracle.after[name] == ((cell.trunk,) if cell.trunk else ())
    trained(work, listed["trunk_seed3"], 0.5)
    after = work.oracle().after
    assert "trunk_seed3" not in after
    assert after["li_l1_params2003_seed3"] == ()
    assert after["li_l1_params2003_seed5"] == ("trunk_seed5",)
    for cell in listed.values():
        trained(work, cell, 0.5)
    assert work.oracle() is None and work.counts() == (6, 6)


def test_a_search_to_come_has_to_keep_the_scores_that_a_ranking_reads(prepared):
    work, _ = prepared
    for criterion, told in (("magnitude", "--criterion=magnitude"), ("random", None)):
        run = types.SimpleNamespace(
            problem=work.problem,
            config=types.SimpleNamespace(iterations=1),
            prune=types.SimpleNamespace(criterion=criterion),
        )
        refused = pytest.raises(InputError, match=told) if told else nullcontext()
        with refused:
            work._check_pending(Entry("ranking"), "a.flags", run)
        work._check_pending(Entry("neuralscale"), "a.flags", run)


def test_a_cell_has_the_costs_and_the_network_of_its_widths(prepared):
    work, listed = prepared
    cell = listed["uniform_params2003_seed3"]
    assert work.jobs.costs(cell)["params"] == params(cell.widths) <= 2003
    assert work.jobs.build(cell).count_params() == params(cell.widths)


def test_a_training_that_fails_is_a_result_and_its_trunks_failure_too(
    prepared, monkeypatch
):
    work, listed = prepared
    begun = []

    def fail(job, watch=None):
        begun.append(job.folder.name)
        raise RunError("The loss is nan at training step 3.")

    monkeypatch.setattr(Job, "run", fail)
    for cell in listed.values():
        work.train_cell(cell)
        work.train_cell(cell)  # Which is not tried again.
        assert work.done(cell)
    failures = {n: read_failure(work.jobs.folder_of(c)) for n, c in listed.items()}
    assert "loss is nan" in failures["uniform_params2003_seed3"]
    assert failures["li_l1_params2003_seed5"].startswith("trunk_seed5, which it starts")
    assert len(begun) == 4, "two of uniform, two trunks"


def test_a_disk_that_fails_the_chief_before_a_cell_ends_all_workers():
    def act(workers):
        work = types.SimpleNamespace(workers=workers, done=lambda cell: 1 / 0)
        if workers.chief:
            work.done = lambda cell: open("/nowhere/result.json")
        Comparison.train_cell(work, None)

    chief, other = in_threads(2, act)
    assert isinstance(chief, OSError) and isinstance(other, WorkerError)


def test_what_waits_for_widths_that_never_come_fails_with_what_it_waits_for(
    tmp_path, monkeypatch
):
    def fail(job, watch=None):
        raise RunError("The loss is nan at training step 3.")

    monkeypatch.setattr(Job, "run", fail)
    methods = ("pruned:random", "scratch")
    with toy_comparison(tmp_path, methods=methods, seeds=(3,)) as work:
        listed = work.prepare()
    for cell in listed.values():
        work.train_cell(cell)
    pruned, control = (
        read_failure(work.jobs.folder_of(listed[name]))
        for name in ("pruned-random_params2003_seed3", "scratch_params2003_seed3")
    )
    assert pruned.startswith("trunk_seed3, which it starts from, failed")
    assert control.startswith("pruned-random_params2003_seed3, which it starts")
    text = outcome.write(work, listed)
    dashes = " - |" * 7  # Costs and scores.
    assert f"| pruned:random | params=2003 |{dashes} 0 (1 failed) |" in text


def test_a_trunk_that_lost_its_network_is_to_be_trained_again(prepared):
    """A copy of the records alone has results and no networks."""
    work, listed = prepared
    trained(work, listed["trunk_seed3"], 0.5)
    before = contents(work.folder)
    with pytest.raises(InputError, match="Delete .*trunk_seed3: it is trained again"):
        work.prepare()
    assert contents(work.folder) == before


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"methods": ("neuralscale",)}, "needs a search"),
        ({"methods": ("unifrom",)}, "Did you mean 'uniform'"),
        ({"budgets": ("param=3",)}, "Did you mean 'params'"),
        ({"budgets": ("params=3",)}, "cannot be met"),
        ({"budgets": ("params=1e7",), "methods": ("li_l1",)}, "No method can do any"),
        ({"recipe": {"batch": 41}}, "41 is too large"),
        ({"solver": {"round_to": 0}}, "round_to"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(
    tmp_path, settings, told
):
    with pytest.raises(InputError, match=told):
        with toy_comparison(tmp_path / "run", **settings) as work:
            work.prepare()
    assert not list(tmp_path.iterdir())


def test_another_recipe_is_another_comparison(tmp_path):
    with toy_comparison(tmp_path) as work:
        work.prepare()
    before = contents(tmp_path)
    with toy_comparison(tmp_path, {"epochs": 5}) as work:
        with pytest.raises(InputError, match="comparison of other flags.*--epochs"):
            work.prepare()
    assert contents(tmp_path) == before
