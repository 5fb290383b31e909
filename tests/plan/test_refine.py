"""Short trainings choose: round by round, uniform in each, resumed after kills."""

import json

import numpy as np
import pytest
from edits import values_of
from small import Ended, KilledAt, Recorder
from toys import scored, toy_problem, toy_search

from ns_tf.base import InputError, RunError
from ns_tf.plan import short_trainings
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import UNIFORM, Family
from ns_tf.plan.refine import Refining, check, rounds
from ns_tf.plan.short_trainings import ShortTrainings, place_of
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.folder import REFINE, REFINEMENT, RESULT
from ns_tf.run.watch import Watch

TARGETS = {"params": 30_011, "macs": 901_003}
SETTINGS = ProblemConfig(architecture="toy", dataset="noise")
SHORT = {"refine_epochs": 3, "refine_batch": 7, "refine_rate": 0.01}


def family():
    return Family.of(scored(toy_search()), TARGETS)


def refining(folder, count=7, **config):
    config = RefineConfig(refine=count, **{**SHORT, **config})
    candidates = family().candidates(count)
    return Refining(trainings(folder, config), candidates, config)


def trainings(folder, config):
    return ShortTrainings(place_of(folder, TARGETS), toy_problem(), SETTINGS, config)


class FakeJob:
    """A training whose validation accuracy a function of label, epochs, seed gives."""

    accuracy, trained = staticmethod(lambda label, epochs, seed: 0.5), []

    def __init__(self, folder, problem, widths, recipe, runtime, flags):
        self.folder, self.epochs, self.seed = folder, recipe.epochs, runtime.seed
        self.label = folder.name.partition(f"_{recipe.epochs}epochs")[0]

    def check(self):
        pass

    def run(self, watch=None):
        if not (self.folder / RESULT).exists():
            self.trained.append((self.label, self.epochs, self.seed))
            score = self.accuracy(self.label, self.epochs, self.seed)
            if score is None:
                raise RunError("The loss is not finite.")
            self.folder.mkdir(parents=True)
            record = {"version": 1, "score": "accuracy", "validation_accuracy": score}
            (self.folder / RESULT).write_text(json.dumps(record))
        return json.loads((self.folder / RESULT).read_text())


@pytest.fixture
def fake(monkeypatch):
    def set_to(accuracy):
        monkeypatch.setattr(FakeJob, "accuracy", staticmethod(accuracy))
        monkeypatch.setattr(FakeJob, "trained", [])
        monkeypatch.setattr(short_trainings, "Job", FakeJob)
        monkeypatch.setattr(short_trainings, "forget_kernels", lambda: None)

    return set_to


@pytest.mark.parametrize("count", [2, 3, 5, 7, 12, 13, 29])
@pytest.mark.parametrize("epochs", [1, 2, 6, 100])
def test_rounds_become_smaller_and_longer(count, epochs):
    found = rounds(count, RefineConfig(refine=count, refine_epochs=epochs))
    counts = [this.candidates for this in found]
    lengths = [this.epochs for this in found]
    assert counts[0] == count and counts[-1] == 2
    assert counts == sorted(counts, reverse=True)
    assert lengths == sorted(lengths) and lengths[-1] == epochs and lengths[0] >= 1
    assert [this.seeds for this in found] == [1] * (len(found) - 1) + [2]


def test_the_best_candidate_is_chosen_and_uniform_is_in_every_round(tmp_path, fake):
    quality = {"priced": 0.8, "neuralscale": 0.7, UNIFORM: 0.1}
    fake(lambda label, epochs, seed: quality.get(label, 0.5) + epochs / 99)
    chosen, found = refining(tmp_path).run(Watch())
    assert chosen.label == found.chosen == "priced"
    of = {row.label: row for row in found.rows}
    assert len(of["priced"].scores) == len(of[UNIFORM].scores) == len(found.rounds)
    assert all(
        len(row.scores) < len(found.rounds)
        for label, row in of.items()
        if label not in ("priced", UNIFORM)
    )
    last = [(label, seed) for label, epochs, seed in FakeJob.trained if epochs == 3]
    assert sorted(last) == [("priced", 0), ("priced", 1), (UNIFORM, 0), (UNIFORM, 1)]
    plan = family().plan(chosen, found)
    assert plan.method == "refined" and plan.widths == chosen.scaling.widths
    assert "chosen by accuracy on validation images: priced" in str(plan)
    kept = values_of(next(tmp_path.glob(f"{REFINE}/*/{REFINEMENT}")))
    assert kept["chosen"] == "priced"
    assert kept == {
        "version": 1,
        **json.loads(json.dumps(plan.to_json()["refinement"])),
    }


def test_uniform_stays_where_nothing_is_better(tmp_path, fake):
    fake(lambda label, epochs, seed: 0.5)
    assert refining(tmp_path).run(Watch())[0].label == UNIFORM


def test_the_last_round_is_a_mean_over_seeds(tmp_path, fake):
    """The other is better with one seed, and worse on the whole."""
    fake(lambda label, epochs, seed: 0.5 if label == UNIFORM else 0.6 - 0.3 * seed)
    chosen, found = refining(tmp_path).run(Watch())
    assert chosen.label == UNIFORM
    last = [row.scores[-1] for row in found.rows if len(row.scores) == 3]
    assert last == pytest.approx([0.5, 0.45])


def test_a_candidate_that_fails_is_not_chosen(tmp_path, fake):
    fake(lambda label, epochs, seed: None if "to" in label else 0.5)
    chosen, found = refining(tmp_path).run(Watch())
    assert chosen.label == UNIFORM
    assert "failed" in "\n".join(found.lines())
    trained = len(FakeJob.trained)
    assert refining(tmp_path).run(Watch()) == (chosen, found)
    assert len(FakeJob.trained) == trained  # Failures are not tried again.


def test_all_that_fail_end_in_one_line(tmp_path, fake):
    fake(lambda label, epochs, seed: None)
    with pytest.raises(RunError, match="No candidate could be trained"):
        refining(tmp_path).run(Watch())


def test_more_candidates_train_only_what_is_new(tmp_path, fake):
    fake(lambda label, epochs, seed: 0.5)
    refining(tmp_path, 4).run(Watch())
    before = list(FakeJob.trained)
    refining(tmp_path, 4, checkpoint_seconds=3.0).run(Watch())
    assert FakeJob.trained == before
    refining(tmp_path, 6).run(Watch())
    assert len(set(FakeJob.trained)) == len(FakeJob.trained) > len(before)
    refining(tmp_path, 4, refine_rate=0.5).run(Watch())
    assert set(before) <= set(FakeJob.trained[-len(before) :])


@pytest.mark.slow
def test_a_killed_choice_goes_on_and_ends_the_same(tmp_path):
    """With real trainings: killed at several places, the same scores to the bit."""
    recorder = Recorder()
    short = {"refine_seeds": 1, "refine_epochs": 1}
    whole = refining(tmp_path / "whole", 3, **short).run(Watch(recorder))
    assert recorder.bars[0] == {
        "total": 5,
        "label": "refine",
        "unit": "trainings",
        "initial": 0,
    }
    for k in (3, 9):
        with pytest.raises(Ended):
            refining(tmp_path / "killed", 3, **short).run(Watch(KilledAt(k)))
    again = refining(tmp_path / "killed", 3, **short).run(Watch())
    assert again == whole
    assert all(np.isfinite(row.scores[0]) for row in whole[1].rows)


def test_what_cannot_be_chosen_from_is_refused(tmp_path):
    candidates, config = family().candidates(1), RefineConfig(refine=2)
    with pytest.raises(InputError, match="at least two networks"):
        Refining(trainings(tmp_path, config), candidates, config)
    with pytest.raises(InputError, match="a batch of 99 is too large"):
        refining(tmp_path, refine_batch=99)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [("uniform", None), (None, 2.0)])
def test_a_method_beside_the_choice_is_refused(asked):
    with pytest.raises(InputError, match="--refine chooses among the methods"):
        check(RefineConfig(refine=3), *asked)
    check(RefineConfig(), *asked)


@pytest.mark.parametrize(
    "settings",
    [
        {"refine": 1},
        {"refine": -3},
        {"refine_epochs": 0},
        {"refine_rate": 0.0},
        {"refine_epochs": 9},  # Of no training.
        {"refine_rate": 0.2},
    ],
)
def test_numbers_that_make_no_sense_are_refused(settings):
    with pytest.raises(InputError, match="--refine"):
        RefineConfig(**settings)
