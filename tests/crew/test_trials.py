"""Every piece of work once and in its turn, whoever does it and whoever dies."""

import socket

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import InputError, RunError
from ns_tf.crew import trials
from ns_tf.crew.trials import NAME, PAUSE, Chief, InOrder, Worker
from ns_tf.run.folder import InUse


@settings(max_examples=20)
@given(st.data())
def test_each_name_comes_once_and_after_what_it_waits_for(tmp_path_factory, data):
    count = data.draw(st.integers(1, 9))
    names = [f"n{i}" for i in range(count)]
    after = {
        name: tuple(data.draw(st.sets(st.sampled_from(names[:i]))) if i else ())
        for i, name in enumerate(names)
    }
    order = data.draw(st.permutations(names))
    seen = []

    def work(trial):
        name = trial.hyperparameters.get(NAME)
        assert set(after[name]) <= set(seen)
        seen.append(name)
        return 0.0

    oracle = InOrder({name: after[name] for name in order})
    folder = tmp_path_factory.mktemp("notes")
    trials.PAUSE, before = 0, PAUSE
    try:
        Worker(oracle, work, folder).run()
    finally:
        trials.PAUSE = before
    assert sorted(seen) == sorted(names)
    assert not list(folder.iterdir()), "keras-tuner's notes are gone"


@pytest.mark.parametrize("kind", [InputError, RunError, KeyError])
def test_an_error_of_the_work_comes_through_as_it_is(tmp_path, kind):
    def work(trial):
        raise kind("no such thing")

    with pytest.raises(kind, match="no such thing"):
        Worker(InOrder({"a": ()}), work, tmp_path).run()


def test_a_piece_that_an_orphan_holds_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "PAUSE", 0)
    held = iter([True, True, False])

    def work(trial):
        if next(held):
            raise InUse("in use by another process")
        return 0.0

    Worker(InOrder({"a": ()}), work, tmp_path).run()
    assert next(held, None) is None
    monkeypatch.setattr(trials, "PATIENCE", 0)
    held = iter([True, True, False])
    with pytest.raises(InUse, match="another process"):
        Worker(InOrder({"a": ()}), work, tmp_path).run()


def test_a_worker_whose_chief_is_gone_ends_when_all_is_done(monkeypatch, tmp_path):
    place(monkeypatch, "box7", free_port())
    answers = iter([False, False, True])
    oracle = InOrder({"a": ()})
    worker = Worker(oracle, pytest.fail, tmp_path, over=lambda: next(answers))
    worker.run()
    assert next(answers, None) is None


def test_an_address_that_is_taken_is_told(monkeypatch, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place(monkeypatch, "chief", other.getsockname()[1])
        with pytest.raises(RunError, match="is the port taken"):
            Chief(InOrder({"a": ()}), tmp_path)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def place(monkeypatch, name, port):
    """Sets keras-tuner's environment."""
    given = {"TUNER_ID": name, "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": str(port)}
    for variable, value in given.items():
        monkeypatch.setenv(f"KERASTUNER_{variable}", value)


@pytest.mark.parametrize(
    "ip, port, told",
    [
        ("127.0.0.1", "abc", "KERASTUNER_ORACLE_PORT=abc"),
        ("127.0.0.1", "65536", "KERASTUNER_ORACLE_PORT=65536"),
        ("203.0.113.7", "8000", "cannot be served at 203.0.113.7:8000"),
    ],
)
def test_an_address_that_cannot_be_served_is_refused(monkeypatch, ip, port, told):
    place(monkeypatch, "chief", port)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", ip)
    with pytest.raises(InputError, match=told):
        trials.check_chief()


def test_a_half_set_environment_is_refused(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(InputError, match="KERASTUNER_TUNER_ID"):
        trials.role()


@pytest.mark.parametrize("name, role", [("chief", "chief"), ("box7", "worker")])
def test_the_environment_of_keras_tuner_says_who_one_is(monkeypatch, name, role):
    assert trials.role() == "alone"
    for variable, value in (
        ("TUNER_ID", name),
        ("ORACLE_IP", "x"),
        ("ORACLE_PORT", "1"),
    ):
        monkeypatch.setenv(f"KERASTUNER_{variable}", value)
    assert trials.role() == role


def test_other_oracles_of_keras_tuner_are_served_as_well(tmp_path):
    space = keras_tuner.HyperParameters()
    space.Float("x", 0, 1)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("default_objective", "min"),
        max_trials=5,
        hyperparameters=space,
        seed=3,
    )
    seen = []

    def work(trial):
        seen.append(trial.hyperparameters.get("x"))
        return seen[-1]

    Worker(oracle, work, tmp_path).run()
    assert len(set(seen)) == 5
    assert oracle.get_best_trials(1)[0].score == min(seen)
    assert not list(tmp_path.iterdir())
