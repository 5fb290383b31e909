"""Every piece of work once and in its turn, whoever does it and whoever dies."""

import collections
import os
import signal
import socket
import sys
import textwrap
import time

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import InputError, RunError
from ns_tf.crew import trials
from ns_tf.crew.processes import Crew
from ns_tf.crew.trials import NAME, PAUSE, Chief, InOrder, Worker
from ns_tf.run.folder import InUse

WORKER = textwrap.dedent("""
    import os, pathlib, sys, threading, time
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from ns_tf import cli, crews, trials
    folder = pathlib.Path(sys.argv[1])
    crews.stop_with_parent(lambda: os._exit(3))

    def work(trial):
        name = trial.hyperparameters.get(trials.NAME)
        with open(folder / "begun.txt", "a") as file:
            file.write(f"{trials.tuner_id()} {os.getpid()} {name}\\n")
        if name == "bad":
            raise ValueError("it is bad")
        end = time.monotonic() + float(sys.argv[2])
        while time.monotonic() < end:
            stop.leave()
            time.sleep(0.05)
        with open(folder / "ended.txt", "a") as file:
            file.write(f"{name}\\n")
        return 0.0

    with cli.interruptible(patient=crews.has_parent()) as stop:
        oracle = trials.InOrder({"": ()})
        trials.Worker(oracle, work, folder / "notes", stop=stop).go()
""")


def lines(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.fixture
def crew(tmp_path):
    """Makes a crew of two that writes down what it begins and ends."""
    (tmp_path / "worker.py").write_text(WORKER)

    def crew(after, seconds=0.3):
        command = [sys.executable, str(tmp_path / "worker.py"), str(tmp_path)]
        oracle = InOrder(after)
        return Crew(oracle, [*command, str(seconds)], 2, tmp_path / "crew")

    return crew


def wait(crew, seconds=120, until=lambda: False):
    end = time.monotonic() + seconds
    while crew.working and not until():
        assert time.monotonic() < end, [crew.last_line(name) for name in crew.names]
        time.sleep(0.1)


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
        Worker(oracle, work, folder).go()
    finally:
        trials.PAUSE = before
    assert sorted(seen) == sorted(names)
    assert not list(folder.iterdir()), "keras-tuner's notes are gone"


@pytest.mark.parametrize("kind", [InputError, RunError, KeyError])
def test_an_error_of_the_work_comes_through_as_it_is(tmp_path, kind):
    def work(trial):
        raise kind("no such thing")

    with pytest.raises(kind, match="no such thing"):
        Worker(InOrder({"a": ()}), work, tmp_path).go()


def test_a_piece_that_an_orphan_holds_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "PAUSE", 0)
    held = iter([True, True, False])

    def work(trial):
        if next(held):
            raise InUse("in use by another process")
        return 0.0

    Worker(InOrder({"a": ()}), work, tmp_path).go()
    assert next(held, None) is None
    monkeypatch.setattr(trials, "PATIENCE", 0)
    held = iter([True, True, False])
    with pytest.raises(InUse, match="another process"):
        Worker(InOrder({"a": ()}), work, tmp_path).go()


def test_two_workers_do_each_piece_once_and_both_work(crew, tmp_path):
    names = [f"n{i}" for i in range(8)]
    with crew(dict.fromkeys(names, ())) as working:
        wait(working)
    assert sorted(lines(tmp_path / "ended.txt")) == names
    begun = [line.split() for line in lines(tmp_path / "begun.txt")]
    assert sorted(name for *_, name in begun) == names
    assert {worker for worker, *_ in begun} == {"worker0", "worker1"}
    assert "KERASTUNER_TUNER_ID" not in os.environ


def test_a_signal_to_all_stops_workers_once(crew, tmp_path):
    """Ctrl-C is not for them; and who is told to stop twice still saves."""
    with crew({"a": (), "b": ()}, seconds=60) as working:
        wait(working, until=lambda: len(lines(tmp_path / "begun.txt")) == 2)
        processes = list(working._processes.values())
        assert all(os.getpgid(one.pid) != os.getpgid(0) for one in processes)
        for process in processes:  # As Slurm does; the crew tells them once more.
            process.send_signal(signal.SIGTERM)
    assert all(one.returncode > 0 for one in processes), "ended, not killed"


def test_a_killed_worker_loses_its_piece_alone_and_is_started_again(crew, tmp_path):
    names = [f"n{i}" for i in range(5)]
    with crew(dict.fromkeys(names, ()), seconds=1.0) as working:
        wait(working, until=lambda: lines(tmp_path / "begun.txt"))
        _, pid, victim = lines(tmp_path / "begun.txt")[0].split()
        os.kill(int(pid), signal.SIGKILL)
        wait(working)
    assert sorted(lines(tmp_path / "ended.txt")) == names
    begun = [line.split()[-1] for line in lines(tmp_path / "begun.txt")]
    again = {name for name, times in collections.Counter(begun).items() if times > 1}
    assert again <= {victim}


def test_a_worker_that_fails_ends_the_work_with_what_it_said(crew, tmp_path):
    with (
        pytest.raises(RunError, match="ValueError: it is bad"),
        crew({"bad": (), "good": ()}, seconds=30) as working,
    ):
        wait(working)


def test_a_worker_that_waits_for_another_can_be_stopped(crew, tmp_path):
    """One fails while the other has nothing to do yet: neither may hang."""
    with (
        pytest.raises(RunError, match="it is bad"),
        crew({"bad": (), "child": ("bad",)}) as working,
    ):
        wait(working)
    assert lines(tmp_path / "ended.txt") == []


def test_a_worker_whose_chief_is_gone_ends_when_all_is_done(monkeypatch, tmp_path):
    place(monkeypatch, "box7", free_port())
    answers = iter([False, False, True])
    oracle = InOrder({"a": ()})
    worker = Worker(oracle, pytest.fail, tmp_path, over=lambda: next(answers))
    worker.go()
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


def test_workers_end_with_the_process_that_started_them(crew, tmp_path):
    with crew({"a": (), "b": ()}, seconds=60) as working:
        wait(working, until=lambda: len(lines(tmp_path / "begun.txt")) == 2)
        processes = list(working._processes.values())
        for process in processes:
            process.stdin.close()  # As the system does for one that was killed.
        assert [process.wait(timeout=30) for process in processes] == [3, 3]
        working._processes.clear()


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

    Worker(oracle, work, tmp_path).go()
    assert len(set(seen)) == 5
    assert oracle.get_best_trials(1)[0].score == min(seen)
    assert not list(tmp_path.iterdir())
