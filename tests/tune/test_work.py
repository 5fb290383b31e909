"""A tuning: what it keeps of trials, and what it makes of one that failed."""

import json
import types

import pytest
import tunings
from crowd import in_threads

from ns_tf import load
from ns_tf.base import InputError, RunError
from ns_tf.crew import work as crew
from ns_tf.engine.workers import WorkerError
from ns_tf.run.watch import Watch
from ns_tf.train.job import Job
from ns_tf.tune import work as tune_work
from ns_tf.tune.work import PARENT, WORST, Tuning

pytestmark = pytest.mark.usefixtures("hasty")


def tuning(folder, source, **options):
    return Tuning(*tunings.arguments(folder, source, **options))


def tuned(folder, source, **options):
    """The names of the trials of a tuning, all done in this process."""
    with tuning(folder, source, **options) as work:
        work.prepare()
        crew.run(work, Watch())
        assert work.oracle() is None
        return work.done()


def trial(number, **values):
    """A trial as keras-tuner deals it out."""
    parameters = types.SimpleNamespace(values=values)
    return types.SimpleNamespace(trial_id=f"{number}", hyperparameters=parameters)


VALUES = {"params": 1709.0, "rate": 0.1, "augmentation": "none"}


def test_every_trial_is_trained_once_by_its_values(source, tmp_path, jobs):
    names = tuned(tmp_path, source, max_trials=5)
    assert names == [f"trial_{i:04d}" for i in range(5)]
    assert [job.folder for job in jobs] == [tmp_path / "train" / n for n in names]
    work, search = tuning(tmp_path, source, max_trials=5), load(source)
    assert work.counts() == (5, 5)
    for name, job in zip(names, jobs, strict=True):
        values = work.read(name)["values"]
        assert job.widths == search.plan(params=values["params"]).widths
        assert job.recipe.rate == values["rate"]
        assert job.recipe.augmentation == values["augmentation"]
        assert job.recipe.epochs == tunings.RECIPE.epochs
    assert tuned(tmp_path, source, max_trials=7)[:5] == names
    assert len(jobs) == 7, "what was done is not done again"


def test_nothing_is_written_before_it_is_prepared(source, tmp_path):
    work = tuning(tmp_path / "run", source)
    assert not work.listed() and not (tmp_path / "run").exists()
    with work:
        work.prepare()
        assert work.listed() and work.counts() == (0, 20)
        assert work.oracle().left


def test_the_objective_is_the_share_of_validation_images_that_are_missed(
    source, tmp_path, jobs
):
    work = tuning(tmp_path, source)
    missed = work.do(trial(3, **VALUES))
    (job,) = jobs
    assert missed == pytest.approx(1000 / job.costs["params"])
    assert work.do(trial(3, **VALUES)) == missed and len(jobs) == 1


def test_a_trial_that_fails_is_the_worst_and_not_tried_again(
    source, tmp_path, monkeypatch
):
    tries = []

    def fails(job, watch):
        tries.append(job)
        raise RunError("The loss is nan.")

    monkeypatch.setattr(Job, "run", fails)
    work = tuning(tmp_path, source)
    assert work.do(trial(0, **VALUES)) == work.do(trial(0, **VALUES)) == WORST
    assert len(tries) == 1 and work.done() == ["trial_0000"]


def test_a_disk_that_fails_the_chief_before_a_trial_ends_all_workers(monkeypatch):
    monkeypatch.setattr(tune_work, "has_ended", lambda folder: open(folder))

    def act(workers):
        work = types.SimpleNamespace(
            workers=workers, training=lambda name: "/nowhere/x"
        )
        Tuning.do(work, trial(0))

    chief, other = in_threads(2, act)
    assert isinstance(chief, OSError) and isinstance(other, WorkerError)


def test_a_network_is_found_once_though_the_training_is_stopped(
    source, tmp_path, jobs, monkeypatch
):
    """No two measurements of a latency agree."""
    work, found = tuning(tmp_path, source), []
    find = work.mode.find

    def counted(*args):
        found.append(args)
        return find(*args)

    monkeypatch.setattr(work.mode, "find", counted)
    ends = Job.run
    monkeypatch.setattr(Job, "run", lambda job, watch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work.do(trial(0, **VALUES))
    monkeypatch.setattr(Job, "run", ends)
    work.do(trial(0, **VALUES))
    assert len(found) == len(jobs) == 1


def test_a_trial_that_goes_on_has_the_network_that_it_had(source, tmp_path, jobs):
    work = tuning(tmp_path, source, tuner="hyperband")
    work.do(trial(0, **VALUES, **{"tuner/epochs": 3}))
    work.do(trial(1, **{**VALUES, PARENT: "0000", "tuner/epochs": 9}))
    first, longer = jobs
    assert first.widths == longer.widths
    assert (first.recipe.epochs, longer.recipe.epochs) == (3, 9)


def test_a_trial_that_goes_on_from_a_failed_one_fails(source, tmp_path, jobs):
    work = tuning(tmp_path, source, tuner="hyperband")
    path = tmp_path / "trials" / "trial_0000" / "trial.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "values": VALUES}))
    assert work.do(trial(1, **{**VALUES, PARENT: "0000"})) == WORST
    assert not jobs


def test_drawn_values_are_kept_in_few_digits(source, tmp_path, jobs):
    work = tuning(tmp_path, source)
    work.do(trial(0, **{**VALUES, "params": 1709.123456, "rate": 0.1234567}))
    values = work.read("trial_0000")["values"]
    assert (values["params"], values["rate"]) == (1709.0, 0.1235)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1, "values": 3}'])
def test_a_damaged_trial_is_named(source, tmp_path, text):
    work = tuning(tmp_path, source)
    path = tmp_path / "trials" / "trial_0000" / "trial.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(InputError, match="trial.json"):
        work.read("trial_0000")


def test_a_search_that_changed_is_refused(network, tmp_path, jobs):
    place, folder = tmp_path / "law", tmp_path / "run"
    record = tunings.law(place, network)
    tuned(folder, place, max_trials=1)
    (state,) = record.states
    law = tunings.with_fields(state.law, beta=state.law.beta + 0.125)
    state = tunings.with_fields(state, law=law)
    tunings.write_search(place, tunings.with_fields(record, states=(state,)))
    with pytest.raises(InputError, match="changed since the tuning"):
        tuned(folder, place, max_trials=2)


def test_hyperband_alone_decides_on_epochs(source, tmp_path):
    space = (*tunings.SPACE, "epochs=1|2")
    with pytest.raises(InputError, match="leave epochs out of --space"):
        tuning(tmp_path, source, tuner="hyperband", space=space)


def test_fewer_trials_are_counted_where_the_space_has_no_more(source, tmp_path, jobs):
    space = ("params=1709|2003", "augmentation=none|flip")
    assert len(tuned(tmp_path, source, space=space)) == 4
    assert len(jobs) == 4
