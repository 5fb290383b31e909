"""Widths by the scores of a network that is trained for them: once, and in a folder."""

import dataclasses

import numpy as np
import pytest
from small import Ended, KilledAt
from toys import macs, params, scored, toy_architecture, toy_problem, toy_search

import ns_tf
from ns_tf.base import Cost, InputError, RunError
from ns_tf.budgets import BUDGETS
from ns_tf.plan import by_scores, refine, short_trainings
from ns_tf.plan.by_scores import Trunk
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import BY_SCORES, Family
from ns_tf.plan.short_trainings import ShortTrainings
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.folder import WAY_DOWN
from ns_tf.run.watch import Watch

SETTINGS = ProblemConfig(architecture="toy", dataset="noise")
CONFIG = RefineConfig(
    refine=2, refine_epochs=1, refine_seeds=1, refine_batch=7, refine_rate=0.01
)
TARGET = {"macs": 90_103}


def trunk_of(folder, targets=None, **options):
    family = Family.of(
        scored(toy_search()), targets or TARGET, builder=toy_architecture(), **options
    )
    trainings = ShortTrainings(folder, toy_problem(), SETTINGS, CONFIG)
    return Trunk.of(family, trainings, 1), family


def test_the_network_that_is_trained_costs_twice_the_budgets(tmp_path):
    trunk, family = trunk_of(tmp_path, {"macs": 90_103, "params": 3_001})
    widths = trunk.job.widths
    assert widths == family.uniform(2.0).widths != family.uniform().widths
    assert macs(widths) <= 180_206 and params(widths) <= 6_002
    assert trunk.targets == {"macs": 90_103, "params": 3_001}
    assert trunk.job.recipe.epochs == 1 and not any(tmp_path.iterdir())


def test_where_widths_have_a_limit_it_is_as_large_as_they_may_be(tmp_path):
    limit = {"max_width": 3}  # Of at most 7,548 multiply-adds.
    trunk, _ = trunk_of(tmp_path, {"macs": 5_003}, **limit)
    assert 5_003 < macs(trunk.job.widths) <= 1.5 * 5_003
    assert trunk_of(tmp_path, {"macs": 7_001}, **limit)[0] is None


def test_multiply_adds_stand_for_a_budget_that_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(BUDGETS, "_members", dict(BUDGETS._members))

    @ns_tf.budget("noise", unit="ms", help="Milliseconds, at most.", measured=True)
    def noise(structure, measure):
        return Cost(lambda widths: float(np.sum(widths)), measured=True)

    trunk, family = trunk_of(tmp_path, {"noise": 23.0, "params": 99_991})
    uniform = family.uniform().widths
    assert trunk.targets == {"params": 99_991, "macs": macs(uniform)}
    assert 23 < sum(trunk.job.widths) <= 46


def test_sizes_alone_stand_for_no_price():
    """The scores of a ranking for a size are not divided by multiply-adds."""
    costs, widths = {"macs": macs, "params": params}, (5, 7, 3)
    found = by_scores._exact({"litert_bytes": 9_001.0}, costs, widths)
    assert found == {"params": params(widths)}
    both = {"litert_bytes": 9_001.0, "params": 11.0}
    assert by_scores._exact(both, costs, widths) == {"params": 11.0}
    both = {"litert_bytes": 9_001.0, "macs": 1e9}
    assert by_scores._exact(both, costs, widths) == {"macs": macs(widths)}


def chosen(folder, watch=None):
    family = Family.of(scored(toy_search()), TARGET, builder=toy_architecture())
    return refine.refined(
        family, toy_problem(), SETTINGS, folder, CONFIG, watch or Watch()
    )


def test_a_choice_trains_it_once(tmp_path, monkeypatch):
    plan = chosen(tmp_path)
    assert [row.label for row in plan.refinement.rows] == ["uniform", BY_SCORES]
    assert macs(plan.widths) <= TARGET["macs"]
    (path,) = tmp_path.glob(f"refine/*/trunk_1epochs_seed0_*/{WAY_DOWN}")
    monkeypatch.setattr(by_scores, "way_down", None)  # Is read from its file.
    assert chosen(tmp_path) == plan
    rows = files.read_arrays(path)[0]["widths"]
    for name, damaged in (
        ("other", rows),
        ("widths", rows[:, :2]),
        ("widths", rows[0]),
        ("widths", rows[:0]),
        ("widths", rows + 0.5),
        ("widths", rows[::-1]),
    ):
        files.write_arrays(path, {name: damaged}, {})
        with pytest.raises(InputError, match="way_down.npz is damaged"):
            chosen(tmp_path)


@pytest.mark.slow
def test_a_choice_goes_on_after_a_kill(tmp_path):
    for k in (2, 5):
        with pytest.raises(Ended):
            chosen(tmp_path / "killed", Watch(KilledAt(k)))
    assert chosen(tmp_path / "killed") == chosen(tmp_path / "whole")


def test_a_choice_without_scores_where_the_training_fails(tmp_path, monkeypatch):
    trunk, _ = trunk_of(tmp_path)

    def fails(self, watch=None):
        raise RunError("The loss is not finite.")

    monkeypatch.setattr(short_trainings.Job, "run", fails)
    assert trunk.way_down(Watch()) is None
    assert dataclasses.replace(trunk).way_down(Watch()) is None
