"""A comparison in a folder: what it lists, deals out, trains, and refuses."""

import json

import pytest
from toys import DEFAULT, params, toy_comparison, toy_problem, trained
from verbs import contents

from ns_tf.base import InputError, RunError
from ns_tf.compare import cells
from ns_tf.compare.cells import FINETUNE, TRUNK
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


def test_a_cell_has_the_costs_and_the_network_of_its_widths(prepared):
    work, listed = prepared
    cell = listed["uniform_params2003_seed3"]
    assert work.costs(cell)["params"] == params(cell.widths) <= 2003
    assert work.build(cell).count_params() == params(cell.widths)


def test_the_recipe_is_every_cells_but_for_fine_tuning(tmp_path):
    work = toy_comparison(
        tmp_path,
        {"epochs": 11, "schedule": "cosine", "warmup_epochs": 2},
        methods=("uniform", "li_l1"),
        seeds=(3,),
        finetune_epochs=5,
        finetune_rate=0.007,
    )
    with work:
        listed = work.prepare()
    jobs = {cell.kind: work.job(cell) for cell in listed.values()}
    tuned = jobs.pop(FINETUNE)
    assert (tuned.recipe.epochs, tuned.recipe.rate) == (5, 0.007)
    assert (tuned.recipe.schedule, tuned.recipe.warmup_epochs) == ("constant", 0)
    assert tuned.start is not None
    for kind, job in jobs.items():
        assert (job.recipe.epochs, job.recipe.schedule) == (11, "cosine")
        assert job.start is None and job.runtime.seed == 3
        assert job.recipe.test_every_epoch == (kind != TRUNK)


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
    failures = {n: read_failure(work.cell_folder(c)) for n, c in listed.items()}
    assert "loss is nan" in failures["uniform_params2003_seed3"]
    assert failures["li_l1_params2003_seed5"].startswith("trunk_seed5, which it starts")
    assert len(begun) == 4, "two of uniform, two trunks"


def test_fine_tuning_starts_from_the_trunks_network_cut_to_the_cells_widths(prepared):
    work, listed = prepared
    trunk, cell = listed["trunk_seed3"], listed["li_l1_params2003_seed3"]
    with pytest.raises(InputError, match="trained network .*trunk_seed3/model.keras"):
        work.job(cell).start()
    folder = work.cell_folder(trunk)
    folder.mkdir(parents=True)
    toy_problem().build(DEFAULT).save(folder / "model.keras")
    model = work.job(cell).start()
    assert model.count_params() == params(cell.widths)


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
