"""What several workers of a run tell each other, and what they compute together."""

import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from crowd import addresses, in_threads, results, started
from places import ROOT

from ns_tf.base import InputError, RunError
from ns_tf.engine import workers as module
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.workers import ALONE, WorkerError, Workers
from ns_tf.run.stop import Interrupted, Stop

# In threads: what goes between them.


def test_a_process_alone_tells_itself():
    assert Workers.of(strategy("mirrored")) == ALONE and ALONE.chief
    np.testing.assert_array_equal(ALONE.total([2, 3]), [2, 3])
    np.testing.assert_array_equal(ALONE.gathered([2, 3]), [[2, 3]])
    assert ALONE.texts("é") == ["é"] and ALONE.led(lambda: 7) == 7
    stop = Stop()
    assert ALONE.stop(stop) is stop


def test_all_workers_see_all_arrays_and_texts():
    def act(workers):
        own = 2.0**52 + workers.index, workers.index
        text = "ü" * workers.index
        workers.barrier()
        return workers.gathered(own), workers.of_chief(own), workers.texts(text)

    for rows, chief, texts in in_threads(3, act):
        np.testing.assert_array_equal(rows, [(2.0**52 + i, i) for i in range(3)])
        np.testing.assert_array_equal(chief, rows[0])
        assert texts == ["", "ü", "üü"]


def test_the_chief_acts_alone_and_all_know_what_came_of_it():
    done = []
    assert in_threads(3, lambda w: w.led(lambda: done.append(w.index) or 7)) == [
        7,
        None,
        None,
    ]
    assert done == [0]


@pytest.mark.parametrize("text", ["", "zwölf"])
def test_a_text_that_the_chief_makes_is_told_to_all(text):
    made = []

    def make():
        made.append(text)
        return text

    assert in_threads(3, lambda workers: workers.told(make)) == [text] * 3
    assert ALONE.told(make) == text and len(made) == 2


@pytest.mark.parametrize(
    "error",
    [InputError("näme"), RunError("x" * 3000), Interrupted(signal.SIGTERM)],
    ids=lambda error: type(error).__name__,
)
def test_all_raise_what_the_chief_raises(error):
    def fail():
        raise error

    for raised in in_threads(2, lambda workers: workers.led(fail)):
        assert type(raised) is type(error)
        assert str(error).startswith(str(raised)) and str(raised)
    assert getattr(raised, "signum", signal.SIGTERM) == signal.SIGTERM


def test_a_disk_that_fails_the_chief_ends_all():
    def act(workers):
        return workers.led(lambda: Path("/nowhere/file").read_bytes())

    chief, other = in_threads(2, act)
    assert isinstance(chief, FileNotFoundError)
    assert isinstance(other, WorkerError), "and it is no failure of a training"
    assert str(other).startswith("The chief failed: ") and "/nowhere/file" in str(other)


@pytest.mark.parametrize("found", [True, False])
def test_all_agree_with_what_the_chief_finds(found):
    asked = []

    def act(workers):
        return workers.agree(lambda: asked.append(workers.index) or found)

    assert in_threads(3, act) == [found] * 3 and asked == [0]


def test_all_get_the_chiefs_weights(rng):
    shapes = (3, 5), (7,)
    arrays = [[rng.normal(size=s).astype("float32") for s in shapes] for _ in range(2)]

    def act(workers):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
        kernel, bias = arrays[workers.index][0], np.full(5, workers.index)
        model.set_weights([kernel, bias])
        workers.share(model)
        return model.get_weights()

    for kernel, bias in in_threads(2, act):
        np.testing.assert_array_equal(kernel, arrays[0][0])
        np.testing.assert_array_equal(bias, np.zeros(5))


def test_another_network_than_the_chiefs_is_refused():
    def act(workers):
        layers = [keras.Input((3,)), keras.layers.Dense(5 + 2 * workers.index)]
        workers.share(keras.Sequential(layers))

    for error in in_threads(2, act):
        assert isinstance(error, WorkerError)
        assert str(error).startswith("Worker 1 made a network of 28 weights, and the")


def test_a_signal_to_one_worker_stops_all_between_the_same_steps(monkeypatch):
    now = iter(range(10**6))  # Every look at the clock is a second later.
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))

    def act(workers):
        own = Stop()
        stop = workers.stop(own)
        for step in range(1, 99):
            if step == 5 and workers.index == 1:
                own.signum = signal.SIGINT
            stop.ask()
            if stop.requested:
                return step, stop.signum

    assert in_threads(2, act) == [(5, signal.SIGINT)] * 2


def test_quick_steps_vote_rarely(monkeypatch):
    monkeypatch.setattr(module.time, "monotonic", lambda: 7.0)

    class Counted(Workers):
        """One of two, the other of which is silent; it keeps when they voted."""

        def total(self, array):
            votes.append(step)
            return array

    votes, stop = [], Counted(count=2).stop(Stop())
    for step in range(2500):  # noqa: B007 - `total` reads it.
        stop.ask()
    assert votes == [0, 1000, 2000]


def test_a_lost_worker_is_named_in_one_line():
    told = "Collective ops is aborted by: {} /job:worker/replica:0/task:1 ..."
    for text in ("while calling", "unhealthy (stopped sending heartbeats):\n"):
        for index, name in ((0, "Worker 1"), (1, "Another worker")):
            with pytest.raises(WorkerError, match=f"^{name} ended, or does not answer"):
                with Workers(index=index, count=2).attended():
                    raise tf.errors.UnavailableError(None, None, told.format(text))
    chief = Workers(count=2)
    with pytest.raises(WorkerError, match="^Worker 1 ended"), chief.attended():
        try:
            raise tf.errors.UnavailableError(None, None, told)
        except tf.errors.OpError as error:  # As what builds a network does.
            raise InputError("It cannot be built.") from error
    for workers, text in ((ALONE, told), (Workers(count=2), "out of memory")):
        with pytest.raises(tf.errors.OpError), workers.attended():
            raise tf.errors.ResourceExhaustedError(None, None, text)


# In processes.


def in_processes(tmp_path, devices, *, whole):
    """What each of two worker processes comes to."""
    at = ",".join(addresses(2))
    outs = [tmp_path / f"{index}.npz" for index in range(2)]
    program = str(ROOT / "tests" / "crowd.py")
    running = started([program, at, str(devices), str(int(whole)), *map(str, outs)])
    errors = running.communicate(timeout=300)[1]
    assert running.returncode == 0, errors
    return [dict(np.load(out)) for out in outs]


def check_same(found, expected):
    """Checks that results are the same but for the order of sums in float64."""
    assert set(found) == set(expected)
    for name, value in found.items():
        np.testing.assert_allclose(
            value, expected[name], rtol=1e-12, atol=1e-13, err_msg=name
        )


@pytest.mark.slow  # `tests/properties/test_replicas.py` has two replicas.
def test_two_workers_find_the_trace_of_one_process_of_two_replicas(float64, tmp_path):
    """Of uneven batches."""
    expected = results(Execution(strategy("mirrored")), whole=False)
    one, other = in_processes(tmp_path, devices=1, whole=False)
    check_same(one, expected)
    for name, value in one.items():  # Of one another to the bit.
        np.testing.assert_array_equal(other[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_workers_come_to_what_one_process_does(float64, tmp_path, devices):
    """A search with rebuilds, and trained weights; of one and of two devices each."""
    way = strategy("mirrored") if devices == 1 else strategy("one_device")
    expected = results(Execution(way))
    for found in in_processes(tmp_path, devices, whole=True):
        check_same(found, expected)
