"""Who does a set of pieces: one process, a worker, a chief, or nobody."""

import sys
import types

import pytest
from crowd import in_threads

from ns_tf.base import InputError, RunError
from ns_tf.crew import trials, work
from ns_tf.crew.trials import InOrder
from ns_tf.engine import workers
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.workers import ALONE
from ns_tf.run.stop import Interrupted, Stop
from ns_tf.run.watch import Watch


class Pieces:
    """Pieces that are written down as they are done."""

    label, unit = "pieces", "pieces"

    def __init__(self, folder, after, done=(), workers=ALONE):
        self.workers = workers
        self.folder, self.after = folder, after
        self.ended = list(done)
        self.ready = iter([True])

    def listed(self):
        return next(self.ready)

    def oracle(self):
        names = [name for name in self.after if name not in self.ended]
        return (
            InOrder({n: tuple(set(self.after[n]) & set(names)) for n in names})
            if names
            else None
        )

    def counts(self):
        return len(self.ended), len(self.after)

    def do(self, trial, watch):
        name = trial.hyperparameters.get(trials.NAME)
        if name == "bad":
            raise RunError("it is bad")
        self.ended.append(name)
        return 0.0


class Recorder:
    """A meter that keeps what its bars were told."""

    def __init__(self):
        self.bars = []

    def bar(self, total, *, label, unit, initial=0):
        told = types.SimpleNamespace(
            total=total, label=label, unit=unit, done=initial, values=[]
        )
        self.bars.append(told)
        return _Bar(told)


class _Bar:
    def __init__(self, told):
        self.told = told

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def update(self, count=1, **values):
        self.told.done += count
        self.told.values.append(values)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits for others."""
    monkeypatch.setattr(trials, "PAUSE", 0)
    monkeypatch.setattr(work, "PAUSE", 0)


def test_one_process_does_all_pieces_that_are_not_done_in_their_order(tmp_path):
    pieces = Pieces(tmp_path, {"a": ("b",), "b": (), "c": (), "d": ()}, done=["c"])
    meter, progress = Recorder(), []
    work.run(
        pieces, Watch(meter), on_progress=lambda: progress.append(len(pieces.ended))
    )
    assert sorted(pieces.ended) == ["a", "b", "c", "d"]
    assert pieces.ended.index("b") < pieces.ended.index("a")
    assert progress == [2, 3, 4], "as each of them ends"
    (bar,) = meter.bars
    assert (bar.label, bar.unit, bar.total, bar.done) == ("pieces", "pieces", 4, 4)


def test_where_all_is_done_nothing_is_started(tmp_path):
    pieces = Pieces(tmp_path, {"a": ()}, done=["a"])
    meter = Recorder()
    work.run(pieces, Watch(meter), count=3, command="nowhere", on_progress=pytest.fail)
    assert meter.bars == [] and not list(tmp_path.iterdir())


def test_an_error_of_a_piece_ends_the_work(tmp_path):
    pieces = Pieces(tmp_path, {"a": (), "bad": (), "z": ()})
    with pytest.raises(RunError, match="it is bad"):
        work.run(pieces, Watch())
    assert pieces.ended == ["a"]


def test_a_request_to_stop_is_asked_before_every_piece(tmp_path):
    pieces, stop = Pieces(tmp_path, {"a": (), "b": ()}), Stop()
    watch = Watch(stop=stop)

    def stop_now():
        stop.signum = 15

    with pytest.raises(Interrupted):
        work.run(pieces, watch, on_progress=stop_now)
    assert pieces.ended == ["a"]


# Several workers, which do every piece together.


def together(tmp_path, after, do=lambda pieces, name: None):
    """What two workers do: the names by worker, or the error; what was told of them."""
    told = []

    def act(worker):
        class Together(Pieces):
            def do(self, trial, watch):
                do(self, trial.hyperparameters.get(trials.NAME))
                return super().do(trial, watch)

        pieces = Together(tmp_path, after, workers=worker)
        meter = Recorder()
        stop = Stop()
        pieces.stop = stop
        work.run(
            pieces,
            Watch(meter, stop),
            on_progress=lambda: told.append((worker.index, len(pieces.ended))),
        )
        return pieces.ended, len(meter.bars)

    return in_threads(2, act), told


def test_all_workers_do_the_same_pieces_and_the_chief_tells_of_them(tmp_path):
    after = {"a": ("b",), "b": (), "c": ()}
    (chief, other), told = together(tmp_path, after)
    assert chief == (["b", "a", "c"], 1) and other == (["b", "a", "c"], 0)
    assert told == [(0, 1), (0, 2), (0, 3)]
    assert not list(tmp_path.iterdir())
    ended, told = together(tmp_path, {})
    assert ended == [([], 1), ([], 0)] and told == []


def test_what_the_chief_reads_and_writes_between_pieces_may_fail(tmp_path):
    for failing in range(1, 5):  # The first to the last time that pieces are counted.
        looks = iter(range(1, 99))

        def act(worker, looks=looks, failing=failing):
            class Damaged(Pieces):
                def counts(self):
                    assert worker.chief
                    if next(looks) == failing:
                        raise InputError("it is damaged")
                    return super().counts()

            after = {"a": (), "b": (), "c": ()}
            work.run(Damaged(tmp_path, after, workers=worker), Watch())

        ended = in_threads(2, act)
        assert [str(error) for error in ended] == ["it is damaged"] * 2, failing
        assert next(looks) == failing + 1


def test_what_a_piece_raises_in_all_workers_ends_all(tmp_path):
    ended, told = together(tmp_path, {"a": (), "bad": (), "z": ()})
    assert [str(error) for error in ended] == ["it is bad"] * 2 and told == [(0, 1)]


def test_a_signal_to_one_worker_ends_all_after_the_same_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_PACE", 0)  # They vote after every piece.

    def do(pieces, name):
        if name == "b" and pieces.workers.index == 1:
            pieces.stop.signum = 15

    ended, told = together(tmp_path, {"a": (), "b": (), "c": ()}, do)
    assert all(isinstance(error, Interrupted) for error in ended)
    assert told == [(0, 1), (0, 2)]


def test_pieces_are_shared_out_or_done_together_not_both(monkeypatch):
    at = {"workers_at": ("one:2222", "two:2222"), "worker": 0}
    with pytest.raises(InputError, match="--workers=3 does one piece a process, and"):
        work.execution_of(ExecutionConfig(**at), 3)
    monkeypatch.setattr(trials, "role", lambda: "worker")
    with pytest.raises(InputError, match="KERASTUNER_TUNER_ID is of a process"):
        work.execution_of(ExecutionConfig(**at), 1)
    assert work.execution_of(ExecutionConfig(), 3).workers == ALONE


# Several processes.


class FakeCrew:
    """Stands for worker processes: all pieces are done at the third look."""

    made = []

    def __init__(self, oracle, command, count, folder):
        self.command, self.count, self.folder = command, count, folder
        self.names = [f"worker{i}" for i in range(count)]
        self.looks = 0
        FakeCrew.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.left = True

    @property
    def working(self):
        self.looks += 1
        if self.looks == 2:
            self.pieces.ended += ["a", "b"]
        return self.looks < 3

    def last_line(self, name):
        return "train: 40/160 steps (25%), loss=0.7" if name == "worker0" else ""


@pytest.fixture
def fake_crew(monkeypatch):
    FakeCrew.made.clear()
    monkeypatch.setattr(work, "Crew", FakeCrew)
    return FakeCrew


def test_several_processes_are_started_by_flagfile_and_shown(tmp_path, fake_crew):
    from ns_tf.compare.config import CompareConfig

    pieces, meter = Pieces(tmp_path, {"a": (), "b": ()}), Recorder()
    fake_crew.pieces = pieces
    progress = []
    work.run(
        pieces,
        Watch(meter),
        count=5,
        command="ns_tf.compare",
        configs=[CompareConfig(workers=5)],
        on_progress=lambda: progress.append(list(pieces.ended)),
    )
    (crew,) = fake_crew.made
    flagfile = tmp_path / "worker.flags"
    assert crew.command[1:] == ["-m", "ns_tf.compare", f"--flagfile={flagfile}"]
    assert crew.command[0] == sys.executable
    assert "--workers=5" in flagfile.read_text()
    assert crew.count == 2, "no more than there are pieces"
    assert crew.folder == tmp_path / "workers" and crew.left
    assert progress == [["a", "b"]]
    (bar,) = meter.bars
    assert bar.done == 2
    assert {"worker0": "[train: 40/160 steps (25%)]"} in bar.values


def test_workers_that_are_told_to_stop_have_not_failed(tmp_path, fake_crew):
    """The stop is asked before their exit codes are."""
    fake_crew.pieces = pieces = Pieces(tmp_path, {"a": (), "b": ()})
    stop = Stop()
    stop.signum = 15
    with pytest.raises(Interrupted):
        work.run(pieces, Watch(stop=stop), count=2, command="ns_tf.compare")
    (crew,) = fake_crew.made
    assert crew.looks == 0 and crew.left


@pytest.mark.parametrize(
    "count, done, total, enough",
    [(5, 0, 3, 3), (2, 0, 3, 2), (4, 2, 3, 1), (3, 1, None, 3)],
)
def test_no_more_processes_than_pieces(count, done, total, enough):
    pieces = types.SimpleNamespace(counts=lambda: (done, total))
    assert work._enough(pieces, count) == enough


# Roles by the environment.


def test_a_worker_waits_until_the_pieces_are_listed_and_shows_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(trials, "role", lambda: "worker")
    pieces = Pieces(tmp_path, {"a": ()}, done=["a"])
    pieces.ready = iter([False, False, True])
    work.run(pieces, Watch())
    assert next(pieces.ready, None) is None


def test_a_chief_deals_out_and_ends_when_nobody_needs_it(tmp_path, monkeypatch):
    pieces = Pieces(tmp_path, {"a": (), "b": ()})

    class Chief:
        looks, closed = 0, False

        def __init__(self, oracle, folder):
            assert oracle.waiting == ["a", "b"] and folder == tmp_path / "workers"

        @property
        def serving(self):
            self.looks += 1
            pieces.ended[:] = ["a", "b"][: self.looks]
            return self.looks < 4

        def close(self):
            Chief.closed = True

    monkeypatch.setattr(trials, "role", lambda: "chief")
    monkeypatch.setattr(work, "Chief", Chief)
    progress = []
    work.run(pieces, Watch(), on_progress=lambda: progress.append(len(pieces.ended)))
    assert progress == [1, 2] and Chief.closed


@pytest.mark.parametrize(
    "line, brief",
    {
        "train: 4/16 steps (25%), loss=0.7, 0:00:05": "train: 4/16 steps (25%)",
        "Traceback": "Traceback",
        "": "",
        "x" * 300: "x" * 100,
    }.items(),
)
def test_a_worker_is_shown_by_the_beginning_of_its_last_line(line, brief):
    assert work._brief(line) == brief
