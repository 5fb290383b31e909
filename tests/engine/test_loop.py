"""The step loop, by a stepper of plain numbers; losses; seconds."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from small import Ended, KilledAt, Recorder, StopAt, coloured

from ns_tf.base import InputError, RunError
from ns_tf.engine import loop
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.loop import Clock, Losses
from ns_tf.engine.runtime import Runtime
from ns_tf.run.watch import Watch

COUNT = 13


class Sums:
    """Adds up the squares of the step numbers: 0, 1, 5, 14, ..."""

    def __init__(self, count: int = COUNT):
        self.count, self.steps, self.sums = count, 0, [0]

    @property
    def finished(self):
        return self.steps >= self.count

    def batches(self):
        return ((step, step) for step in itertools.count(self.steps))

    def step(self, one, other):
        self.sums.append(self.sums[-1] + one * other)
        self.steps += 1

    def shown(self):
        return {"sum": self.sums[-1]}

    def state(self):
        return {"sums": np.array(self.sums)}, {"steps": self.steps}

    def restore(self, arrays, facts):
        self.sums, self.steps = arrays["sums"].tolist(), facts["steps"]


def ran(stepper, watch) -> None:
    loop.run(
        stepper, COUNT, Runtime(watch=watch), label="sums", checkpoint="a/sums.npz"
    )


EXPECTED = [0, *np.cumsum(np.arange(COUNT) ** 2).tolist()]


def test_it_steps_until_the_work_is_finished_and_shows_each_step():
    stepper, meter = Sums(), Recorder()
    ran(stepper, Watch(meter))
    assert stepper.sums == EXPECTED
    (bar,) = meter.bars
    assert bar == {"total": COUNT, "label": "sums", "unit": "steps", "initial": 0}
    assert meter.updates == [{"n": 1, "sum": total} for total in EXPECTED[1:]]


def test_work_that_is_finished_does_no_step(tmp_path):
    stepper = Sums(0)
    ran(stepper, Watch(folder=tmp_path, seconds=0))
    assert stepper.sums == [0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", range(1, COUNT + 1))
def test_work_killed_at_any_step_continues_as_if_never_killed(tmp_path, k):
    with pytest.raises(Ended):
        ran(Sums(), Watch(KilledAt(k), folder=tmp_path, seconds=0))
    stepper, meter = Sums(), Recorder()
    ran(stepper, Watch(meter, folder=tmp_path, seconds=0))
    assert stepper.sums == EXPECTED
    # The step at which it was killed was not saved yet.
    assert meter.bars[0]["initial"] == k - 1


@pytest.mark.parametrize("k", range(1, COUNT + 1))
def test_work_stopped_at_any_step_has_saved_that_step(tmp_path, k):
    with pytest.raises(Ended):
        ran(Sums(), Watch(stop=StopAt(k), folder=tmp_path, seconds=1000))
    stepper, meter = Sums(), Recorder()
    ran(stepper, Watch(meter, folder=tmp_path))
    assert stepper.sums == EXPECTED
    assert meter.bars[0]["initial"] == k


def test_the_checkpoint_stays_for_whoever_keeps_the_result(tmp_path):
    ran(Sums(), Watch(folder=tmp_path, seconds=0))
    assert (tmp_path / "a" / "sums.npz").exists()


def test_a_checkpoint_of_something_else_is_damaged(tmp_path):
    with pytest.raises(Ended):
        ran(Sums(), Watch(stop=StopAt(3), folder=tmp_path))

    class Other(Sums):
        def restore(self, arrays, facts):
            raise KeyError("products")

    with pytest.raises(InputError, match="sums.npz is damaged .*products"):
        ran(Other(), Watch(folder=tmp_path))


def test_batches_from_a_step_on_are_those_of_a_run_from_the_beginning(rng):
    dataset = coloured(rng, (4, 4, 3), count=23)
    runtime = Runtime(seed=7)
    whole = list(itertools.islice(loop.batches(dataset, 5, runtime, 0), 7))
    late = list(itertools.islice(loop.batches(dataset, 5, runtime, 4), 3))
    for one, other in zip(whole[4:], late, strict=True):
        for array, again in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, again)
    first, *_ = loop.batches(dataset, 5, runtime.seeded(8), 0).take(1)
    assert not np.array_equal(first[0], whole[0][0])


def test_replicas_share_a_batch(rng):
    dataset = coloured(rng, (4, 4, 3), count=23)
    mirrored = Execution(strategy("mirrored"))
    one = next(iter(loop.batches(dataset, 6, Runtime(), 0)))
    two = next(iter(loop.batches(dataset, 6, Runtime(mirrored), 0)))
    for whole, parts in zip(one, two, strict=True):
        parts = mirrored.strategy.experimental_local_results(parts)
        assert [len(part) for part in parts] == [3, 3]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


# Losses.


def test_losses_are_looked_at_every_so_many_steps():
    losses = Losses(every=3)
    shown = []
    for step, loss in enumerate((0.5, 0.25, 0.125, 2.0), 1):
        losses.add(step, tf.constant(loss))
        shown.append(losses.shown())
    assert shown == [{}, {}, {"loss": 0.125}, {"loss": 0.125}]
    assert losses.total() == 2.875
    assert losses.shown() == {"loss": 2.0}


def test_a_sum_starts_anew_or_from_that_of_an_earlier_process():
    losses = Losses()
    losses.add(1, 0.5)
    losses.start()
    losses.add(2, 0.25)
    assert losses.total() == 0.25
    losses.start(3.0)
    losses.add(3, 0.125)
    assert losses.total() == 3.125


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_names_its_step(bad):
    losses = Losses(every=4)
    for step, loss in ((5, 0.5), (6, bad), (7, 0.5)):
        losses.add(step, loss)
    with pytest.raises(RunError, match=f"loss is {bad} at training step 6. Lower the"):
        losses.add(8, 0.5)


# Seconds.


def test_seconds_are_those_of_all_processes(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    clock = Clock(before=7.0)
    now[0] += 3
    assert clock.seconds == 10
    clock.start()  # What it took to get ready is left out.
    now[0] += 5
    assert clock.seconds == 12
