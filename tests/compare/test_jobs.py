"""What trains the cells of a comparison: recipes, prunings, widths known late."""

import dataclasses
import json

import numpy as np
import pytest
from edits import values_of
from small import Ended, KilledAt, coloured, residual
from toys import DEFAULT, all_trained, params, toy_comparison
from verbs import contents

from ns_tf.base import Architecture, InputError
from ns_tf.compare.cells import FINETUNE, SCRATCH, TRUNK
from ns_tf.compare.work import Comparison
from ns_tf.engine.config import ExecutionConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig, longer

METHODS = ("li_l1", "pruned:taylor_fg", "scratch:pruned:taylor_fg", "scratch_b")
CELLS = {
    "l1": "li_l1_macs0.5_seed3",
    "pruned": "pruned-taylor_fg_macs0.5_seed3",
    "scratch": "scratch-pruned-taylor_fg_macs0.5_seed3",
    "scratch_b": "scratch_b_macs0.5_seed3",
}
# Of what is written, what a clock has measured or what names a folder.
TIMED = ("seconds", "test_seconds")


def compared(folder, **settings):
    asked = {
        "methods": METHODS,
        "budgets": ("macs=0.5",),
        "seeds": (3,),
        "finetune_epochs": 2,
        "finetune_rate": 0.007,
    }
    return toy_comparison(folder, {"epochs": 2}, **{**asked, **settings})


def done(folder, watch=None, **settings):
    """(the comparison, its cells), all trained one after the other."""
    return all_trained(compared(folder, **settings), watch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison whose cells are all trained; to be read only."""
    return done(tmp_path_factory.mktemp("jobs") / "run")


def told(work, cell, name):
    return values_of(work.jobs.folder_of(cell) / f"{name}.json")


def without_times(value):
    """JSON without what a clock has measured."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMED}
    return value


def test_the_recipe_is_every_cells_but_for_fine_tuning(finished, tmp_path):
    work, listed = finished
    recipe = TrainConfig(epochs=11, batch=7, schedule="cosine", warmup_epochs=2)
    jobs = dataclasses.replace(work.jobs, recipe=recipe)
    for cell in listed.values():
        job = jobs.of(cell)
        if cell.kind == FINETUNE:
            (tuning,) = job.pruner.tunings(jobs.widths(cell), job.tuning)
            tuning = tuning.settings
            assert (tuning.epochs, tuning.rate) == (2, 0.007)
            assert (tuning.schedule, tuning.warmup_epochs) == ("constant", 0)
            assert (tuning.batch, tuning.momentum) == (7, 0.5) and job.test_every_epoch
        else:
            assert job.recipe.schedule == "cosine" and job.start is None
            assert job.recipe.test_every_epoch == (cell.kind != TRUNK)
            assert job.runtime.seed == 3
            more = job.recipe.epochs > 11
            assert more == (cell.start == "scratch_b")


def test_the_budget_of_a_control_of_equal_cost_is_the_whole_trainings(finished):
    work, listed = finished
    cell = listed[CELLS["scratch_b"]]
    macs = [work.jobs.costs(c)["macs"] for c in (listed["trunk_seed3"], cell)]
    assert work.jobs.of(cell).recipe.epochs == round(2 * macs[0] / macs[1])
    drops = longer(TrainConfig(epochs=300), 1.5)
    assert (drops.epochs, drops.rate_drops) == (450, (150, 300, 375))


def test_li_l1_cuts_the_filters_of_least_norm_and_trains_on_from_there(finished):
    work, listed = finished
    cell = listed[CELLS["l1"]]
    trunk, job = work.jobs.of(cell).pruner.model, work.jobs.of(cell)
    keep = job.keep(told(work, cell, "pruned"))
    small, _ = job.pruner.cut_and_repair(keep)
    widths = work.jobs.widths(cell)
    assert widths == cell.widths and small.count_params() == params(widths)
    kernel = trunk.get_layer("a").kernel.numpy()
    best = np.sort(np.argsort(np.abs(kernel).sum((0, 1, 2)))[-widths[0] :])
    np.testing.assert_array_equal(small.get_layer("a").kernel, kernel[..., best])


def test_widths_are_known_once_the_trained_network_is_pruned(finished, tmp_path):
    work, listed = finished
    own = work.jobs.widths(listed[CELLS["pruned"]])
    assert list(own) == told(work, listed[CELLS["pruned"]], "widths")["widths"]
    assert work.jobs.widths(listed[CELLS["scratch"]]) == own != DEFAULT
    l1 = work.jobs.widths(listed[CELLS["l1"]])
    assert work.jobs.widths(listed[CELLS["scratch_b"]]) == l1
    half = work.jobs.costs(listed["trunk_seed3"])["macs"] / 2
    for name in CELLS.values():
        assert work.jobs.costs(listed[name])["macs"] <= half
    other = compared(tmp_path)
    with other:
        fresh = other.prepare()
    assert other.jobs.widths(fresh[CELLS["pruned"]]) is None
    with pytest.raises(InputError, match="trained network .*trunk_seed3/model.keras"):
        other.jobs.of(fresh[CELLS["pruned"]])


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 13, 17, 23])
def test_a_kill_in_any_stage_changes_no_result(finished, tmp_path, step):
    """While the trunk trains, while it is scored, fine-tuned, trained from scratch."""
    work, _ = finished
    with pytest.raises(Ended):
        done(tmp_path, Watch(KilledAt(step), seconds=0.0), methods=METHODS[1:3])
    other, listed = done(tmp_path, methods=METHODS[1:3])
    assert len(listed) == 3
    for cell in listed.values():
        for name in ("result", "pruned", "widths"):
            if (work.jobs.folder_of(cell) / f"{name}.json").exists():
                one, again = (told(run, cell, name) for run in (work, other))
                assert without_times(one) == without_times(again)
        path = work.jobs.folder_of(cell) / "run.flags"
        assert path.read_text() == (other.jobs.folder_of(cell) / path.name).read_text()
    left = [path for path in tmp_path.rglob("*.npz") if path.parent.name != "scores"]
    assert not left


def test_another_budget_needs_no_new_scores(finished, monkeypatch):
    work, listed = finished
    cell = dataclasses.replace(listed[CELLS["pruned"]], name="x", budget="macs=0.3")
    assert work.jobs.of(cell).scores.exists()
    other = dataclasses.replace(cell, seed=5)
    assert not work.jobs.of(other).scores.exists()


def test_identities_stay_identities_where_pruning_finds_the_widths(rng, tmp_path):
    problem = Problem.of(Architecture("residual", (7, 5, 7), residual), coloured(rng))
    base = compared(tmp_path, methods=("uniform",))
    work = Comparison(
        tmp_path,
        ProblemConfig(architecture="residual", dataset="colours"),
        dataclasses.replace(base.compare, methods=("li_l1", "pruned:magnitude")),
        base.solver,
        base.recipe,
        ExecutionConfig(),
        problem=problem,
    )
    with work:
        listed = work.prepare()
    late, known = (listed[f"{n}_macs0.5_seed3"] for n in ("pruned-magnitude", "li_l1"))
    assert work.jobs.problem_of(late).architecture.widths == (7, 5)
    assert work.jobs.problem_of(known) is problem and len(known.widths) == 3
    control = dataclasses.replace(late, kind=SCRATCH, trunk=late.name, start="scratch")
    folder = work.jobs.folder_of(late)
    folder.mkdir(parents=True)
    for names, own in ((("stem", "conv1"), False), (problem.structure.names, True)):
        facts = {"version": 1, "names": names, "widths": [3] * len(names)}
        (folder / "pruned.json").write_text(json.dumps(facts))
        jobs = dataclasses.replace(work.jobs)  # Of a process that has read nothing.
        assert (jobs.problem_of(control) is problem) == own
        assert jobs.build(control).get_layer("stem").filters == 3


def test_layers_that_are_kept_are_kept_by_pruned_rows_too(tmp_path):
    methods = ("li_l1", "pruned:magnitude")
    with compared(tmp_path, methods=methods, solver={"keep": ("a",)}) as work:
        listed = work.prepare()
    late, known = (listed[f"{n}_macs0.5_seed3"] for n in ("pruned-magnitude", "li_l1"))
    assert work.jobs.problem_of(late).structure.names == ("b", "c")
    assert known.widths[0] == DEFAULT[0] > 1


def test_recipes_may_follow_one_another(tmp_path):
    method = "pruned:random+distil+plain"
    with compared(tmp_path, methods=(method,)) as work:
        listed = work.prepare()
    (cell,) = (cell for cell in listed.values() if cell.kind == FINETUNE)
    assert cell.method == method and cell.start == "random+distil+plain"


@pytest.mark.parametrize(
    "methods, told",
    [
        (("pruned",), "needs a criterion"),
        (("pruned:randon",), "Did you mean 'random'"),
        (("pruned:random+distill",), "Did you mean 'distil'"),
        (("pruned:random+scratch",), "a row of its own"),
        (("pruned:random+scratch+refine",), "a row of its own"),
        (("pruned:apoz",), "reads ReLUs"),
        (("pruned:random+law",), "needs a search"),
    ],
)
def test_what_cannot_be_pruned_so_is_refused_before_anything_is_written(
    tmp_path, methods, told
):
    with pytest.raises(InputError, match=told):
        with compared(tmp_path / "run", methods=methods) as work:
            work.prepare()
    assert not contents(tmp_path)
