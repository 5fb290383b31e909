"""Trainings of a choice: each in a folder that its settings name, once."""

import pytest
from toys import toy_problem

from ns_tf.base import InputError, RunError
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.short_trainings import ShortTrainings, done, place_of
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.watch import Watch

SETTINGS = ProblemConfig(architecture="toy", dataset="noise")


def trainings(folder, **config):
    config = RefineConfig(refine=3, **{"refine_batch": 7, **config})
    return ShortTrainings(folder, toy_problem(), SETTINGS, config)


def test_a_folder_is_named_by_what_is_trained(tmp_path):
    def name(label="a", widths=(2, 3, 5), epochs=1, seed=0, **config):
        made = trainings(tmp_path, **config).job(label, widths, epochs, seed)
        assert made.folder.parent == tmp_path and made.widths == widths
        assert made.recipe.epochs == epochs
        return made.folder.name

    assert name(epochs=2, seed=3).startswith("a_2epochs_seed3_")
    assert name() == name() == name(checkpoint_seconds=3.0)
    others = [name(widths=(2, 3, 7)), name(refine_rate=0.5), name(refine_batch=9)]
    assert len({name(), *others}) == 4


def test_what_failed_is_not_tried_again(tmp_path, monkeypatch):
    job = trainings(tmp_path).job("a", (2, 3, 5), 1)
    tries = []

    def fails(self, watch):
        tries.append(1)
        raise RunError("The loss is not finite.")

    monkeypatch.setattr(type(job), "run", fails)
    assert not done(job, Watch()) and not done(job, Watch())
    assert len(tries) == 1


def test_budgets_name_the_place_of_a_choice(tmp_path):
    found = place_of(tmp_path, {"macs": 9880832.0, "latency_ms": 2.5})
    assert found == tmp_path / "refine" / "macs9880832_latency_ms2.5"


def test_a_batch_that_is_too_large_is_refused(tmp_path):
    with pytest.raises(InputError, match="a batch of 99 is too large"):
        trainings(tmp_path, refine_batch=99).job("a", (2, 3, 5), 1).check()
