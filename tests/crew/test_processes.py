"""Workers on this machine: who dies, who fails, who is told to stop."""

import collections
import os
import signal
import sys
import textwrap
import threading
import time

import pytest
from places import ROOT

from ns_tf.base import RunError
from ns_tf.crew import processes
from ns_tf.crew.processes import RESTARTS, Crew
from ns_tf.crew.trials import InOrder

WORKER = textwrap.dedent("""
    import os, pathlib, sys, threading, time
    sys.path.append(sys.argv[3])
    import hollow
    from ns_tf.crew import processes, trials
    from ns_tf.run.stop import interruptible
    folder = pathlib.Path(sys.argv[1])
    processes.stop_with_parent(lambda: os._exit(3))

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

    with interruptible(patient=processes.has_parent()) as stop:
        oracle = trials.InOrder({"": ()})
        trials.Worker(oracle, work, folder / "notes", stop=stop).run()
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
        command += [str(seconds), str(ROOT / "tests")]
        return Crew(oracle, command, 2, tmp_path / "crew")

    return crew


def wait(crew, seconds=120, until=lambda: False):
    end = time.monotonic() + seconds
    while crew.working and not until():
        assert time.monotonic() < end, [crew.last_line(name) for name in crew.names]
        time.sleep(0.1)


# Workers that ask the oracle; each of them imports keras-tuner.


@pytest.mark.slow
def test_a_killed_worker_loses_its_piece_alone_and_is_started_again(crew, tmp_path):
    """And of two that live, each does a part."""
    names = [f"n{i}" for i in range(6)]
    with crew(dict.fromkeys(names, ()), seconds=0.6) as working:
        begun = tmp_path / "begun.txt"
        wait(working, until=lambda: len({x.split()[0] for x in lines(begun)}) == 2)
        # The last one has just begun; the first may be at its next piece.
        _, pid, victim = lines(begun)[-1].split()
        os.kill(int(pid), signal.SIGKILL)
        wait(working)
    assert sorted(lines(tmp_path / "ended.txt")) == names
    turns = [line.split() for line in lines(begun)]
    times = collections.Counter(name for *_, name in turns)
    assert {name for name, count in times.items() if count > 1} <= {victim}
    assert sorted(times) == names
    assert {worker for worker, *_ in turns} == {"worker0", "worker1"}
    assert "KERASTUNER_TUNER_ID" not in os.environ


@pytest.mark.slow
def test_a_worker_that_fails_ends_the_work_while_another_waits(crew, tmp_path):
    """One fails while the other has nothing to do yet: neither may hang."""
    with (
        pytest.raises(RunError, match="ValueError: it is bad"),
        crew({"bad": (), "child": ("bad",)}) as working,
    ):
        wait(working)
    assert lines(tmp_path / "ended.txt") == []


def test_workers_stop_by_a_signal_or_when_the_process_that_started_them_is_gone(
    crew, tmp_path
):
    """Ctrl-C is not for them; and who is told to stop twice still saves."""
    with crew({"a": (), "b": ()}, seconds=60) as working:
        wait(working, until=lambda: len(lines(tmp_path / "begun.txt")) == 2)
        told, orphan = working._processes.values()
        assert all(os.getpgid(one.pid) != os.getpgid(0) for one in (told, orphan))
        orphan.stdin.close()  # As the system does for one that was killed.
        assert orphan.wait(timeout=30) == 3
        told.send_signal(signal.SIGTERM)  # As Slurm does; the crew does it once more.
    assert told.returncode > 0, "ended, not killed"


# Workers that do something else, at once.


@pytest.fixture
def idle_crew(tmp_path):
    """Makes a crew whose workers run a line of Python, without keras-tuner."""

    def idle_crew(line, count=1):
        command = [sys.executable, "-S", "-c", line]
        return Crew(InOrder({"a": ()}), command, count, tmp_path / "crew")

    return idle_crew


def test_workers_find_their_part_in_the_environment(idle_crew):
    """Names of their own, one address, and that somebody started them."""
    line = "import os; print([v for k, v in sorted(os.environ.items()) if 'KERAST' in k"
    with idle_crew(line + " or k == 'NS_TF_STOP_WITH_STDIN'])", 3) as working:
        wait(working)
        parts = [eval(working.last_line(name)) for name in working.names]
    assert [part[2] for part in parts] == ["worker0", "worker1", "worker2"]
    assert {part[0] for part in parts} == {"127.0.0.1"}
    assert len({part[1] for part in parts}) == 1 and parts[0][1].isdecimal()
    assert {part[3] for part in parts} == {"1"}
    assert not processes.has_parent()


def test_a_worker_that_exits_with_an_error_is_told_by_its_last_line(idle_crew):
    with idle_crew("print('first'); raise SystemExit('no memory')") as working:
        with pytest.raises(RunError, match="worker0 failed: no memory"):
            wait(working)
        assert working.last_line("worker0") == "no memory"
        assert working.logs["worker0"].read_text().count("first") == 1


def test_a_worker_that_is_killed_again_and_again_is_given_up(idle_crew):
    line = "import os; print('x', flush=True); os.kill(os.getpid(), 9)"
    with idle_crew(line) as working:
        with pytest.raises(RunError, match=f"killed {RESTARTS + 1} times.* signal 9"):
            wait(working)
        assert working.logs["worker0"].read_text().count("x") == RESTARTS + 1


def test_logs_of_an_earlier_crew_are_not_taken_for_this_ones(idle_crew, tmp_path):
    (tmp_path / "crew").mkdir()
    (tmp_path / "crew" / "worker0.log").write_text("of yesterday")
    with idle_crew("pass") as working:
        wait(working)
        assert working.last_line("worker0") == ""


def test_nobody_stops_with_a_parent_that_there_is_not(monkeypatch):
    monkeypatch.delenv("NS_TF_STOP_WITH_STDIN", raising=False)
    threads = threading.enumerate()
    processes.stop_with_parent(pytest.fail)
    assert threading.enumerate() == threads, "one waits for a parent"


def test_variables_are_set_for_a_while(monkeypatch):
    monkeypatch.setenv("A_7", "before")
    monkeypatch.delenv("B_7", raising=False)
    with processes._set(A_7="now", B_7="now"):
        assert (os.environ["A_7"], os.environ["B_7"]) == ("now", "now")
    assert os.environ["A_7"] == "before" and "B_7" not in os.environ
