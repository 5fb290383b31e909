"""When the network is built anew without its closed channels."""

import os
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT
from small import QUICK, chain, problem, replaced, residual

from ns_tf.engine import padding
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import rebuilding
from ns_tf.prune.iterative import Pruning, prune_trace
from ns_tf.prune.rebuilding import Due


def test_a_rebuild_keeps_closed_channels_up_to_a_fast_width():
    widths = (43, 37, 43)
    run = Pruning(problem(residual, widths), widths, QUICK, Runtime())
    pruned, channels = run.network, run.prunable.widths
    pruned.close(np.concatenate([channels[0][:1], channels[1][:6], channels[2][:2]]))
    keep = pruned.fast()
    assert keep[pruned.alive].all()
    # 42 -> 43, as there are no more; 31 -> 32, a multiple of 4; 41 -> 43.
    assert run.prunable.count(keep) == (43, 32, 43)
    pruned.compact(keep)
    pruned.close(channels[0][20:29])
    assert run.prunable.count(pruned.fast()) == (40, 32, 43)  # 33, of 8.
    pruned.close(channels[0][5:14])
    assert run.prunable.count(pruned.fast()) == (24, 32, 43)  # 24.
    pruned.close(channels[0][14:20])
    assert run.prunable.count(pruned.fast()) == (20, 32, 43)  # 18, of 4.
    pruned.close(channels[0][30:41])
    assert run.prunable.count(pruned.fast()) == (7, 32, 43)  # Too few to matter.


@pytest.mark.parametrize(
    ("rebuild", "seconds", "count"),
    [
        pytest.param("never", 0, 0, marks=pytest.mark.slow),
        pytest.param("always", 1, 3, marks=pytest.mark.slow),
        ("pays", 1, 0),
        pytest.param("pays", 0, 3, marks=pytest.mark.slow),
    ],
)
def test_rebuilds_are_as_many_as_asked_for(
    rebuilds, monkeypatch, rebuild, seconds, count
):
    monkeypatch.setattr(rebuilding, "REBUILD_SECONDS", seconds)
    monkeypatch.setattr(padding, "MULTIPLES", ())
    config = replaced(QUICK, rebuild=rebuild, stop_fraction=0.2, filters_per_event=8)
    trace = prune_trace(problem(chain, (13, 11, 17)), (13, 11, 17), config)
    assert len(trace.history) == 4
    # The last removal is followed by no training.
    assert len(rebuilds) == count
    assert rebuilds == sorted(rebuilds, reverse=True)


def test_rebuilding_when_it_pays_costs_little_more_than_the_best_schedule(rng):
    """Against the best of all schedules, in plain NumPy, of a network that shrinks."""
    events, cost = 60, 7.0
    size = np.sort(rng.uniform(0, 5, events))[::-1]

    def price(rebuilt):
        total, built = 0.0, size[0]
        for now, here in zip(size, rebuilt, strict=True):
            if here:
                total, built = total + cost, now
            total += built
        return total

    best = np.full(events + 1, np.inf)  # [i]: cheapest with a rebuild at event i.
    best[0] = 0.0
    for i in range(1, events + 1):
        best[i] = min(best[j] + size[j] * (i - j) + cost for j in range(i))
    due, built, rebuilt = Due("pays", cost), size[0], []
    for i, now in enumerate(size):
        rebuilt.append(due(built - now, events - i))
        built = now if rebuilt[-1] else built
    assert price(rebuilt) <= 1.1 * (best[events] - cost)
    assert price(rebuilt) < price([False] * events)


@pytest.mark.slow
def test_rebuilds_leave_no_memory_behind():
    """Keras's optimizer and TensorFlow's kernels would keep some MiB each time.

    What oneDNN compiles for every shape stays; so this is in a process without it.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        cwd=ROOT / "tests",
        env={
            **os.environ,
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    memory = [float(line) for line in done.stdout.splitlines()]
    assert len(memory) >= 35
    late = memory[5:]  # What is made once, was made.
    assert (late[-1] - late[0]) / len(late) <= 0.5


MEMORY = """
import os, pathlib
from small import QUICK, problem, replaced, residual
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.iterative import Pruning

config = replaced(QUICK, rebuild="always", stop_fraction=0.05)
run = Pruning(problem(residual, (41, 43, 41)), (41, 43, 41), config, Runtime())
events = 0
for batch in run.batches():
    if run.finished:
        break
    run.step(*batch)
    if run.events > events:
        events = run.events
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        print(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
"""


def test_a_rebuild_is_due_by_nominal_seconds_alone():
    due = Due("pays", cost=7.0)
    answers = [due(excess=3.0, events=left) for left in (5, 4, 3, 2, 1)]
    # 9 seconds were lost before the fourth event, and 6 more would not be.
    assert answers == [False, False, False, False, False]
    due = Due("pays", cost=7.0)
    assert [due(3.0, left) for left in (9, 8, 7, 6)] == [False, False, False, True]
    assert due.waste == 0.0


def test_always_and_never_ask_no_seconds():
    for when in ("always", "never"):
        due = Due(when, cost=0.0)
        assert [due(5.0, 9) for _ in range(3)] == [when == "always"] * 3


def test_no_rebuild_is_due_for_a_loss_that_soon_ends():
    due = Due("pays", cost=7.0, waste=100.0)
    assert not due(excess=3.0, events=2)
    assert due(excess=3.0, events=3)
