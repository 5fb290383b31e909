"""The arithmetic of the benchmarks, and that they run."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import bench_table
    import lockstep

    return bench_table, lockstep


def rows(way, at, step, parts, memory):
    """Rows of a way at some events, a function of the event each."""
    return [
        {
            "way": way,
            "event": event,
            "step": [step(event), 2 * step(event)],
            "parts": {n: [s, 2 * s] for n, s in parts.items()} | {"steps": [9.0, 9.0]},
            "memory": memory(event),
        }
        for event in at
    ]


def test_an_iteration_is_what_its_steps_and_its_events_take(tools):
    bench_table, _ = tools

    def shrinking(event):
        return 2.0 - event / 100

    ours = rows("ns_tf", range(1, 101), shrinking, {"scoring": 0.25}, lambda e: 70 + e)
    once = [{"way": "ns_tf", "event": 0, "parts": {"tracing": [7.0, 7.0]}}]
    saved = [
        {"way": "ns_tf", "event": e, "seconds": [s, s]} for e, s in ((9, 2), (20, 4))
    ]
    found = bench_table.iteration(once + ours + saved, "ns_tf", 50)
    steps = 50 * sum(shrinking(event) for event in range(1, 101))
    assert found["events"] == 100
    np.testing.assert_allclose(found["steps"], steps)
    np.testing.assert_allclose(found["parts"]["scoring"], 25.0)
    np.testing.assert_allclose(found["parts"]["tracing"], 7.0)
    np.testing.assert_allclose(found["parts"]["checkpoints"], 3.0 * steps / 60)
    np.testing.assert_allclose(found["other"], 32.0 + steps / 20)
    np.testing.assert_allclose(found["cpu"], 2 * (steps + 25.0) + 7.0 + steps / 20)
    assert found["growth"] == 80


def test_memory_counts_from_the_first_rebuild_on(tools):
    bench_table, _ = tools
    # The first rebuild adds 100 once; every later one, at each tenth event, adds 1.
    ours = rows("ns_tf", range(1, 101), lambda e: 1.0, {}, lambda e: 0)
    for row in ours:
        row["rebuilt"] = row["event"] >= 30 and row["event"] % 10 == 0
        row["memory"] = 50.0 + (row["event"] > 30) * (97 + row["event"] // 10)
    assert bench_table.growth(ours) == 6
    assert bench_table.growth(ours[:30]) == 0, "nothing came after it"


def test_a_way_that_did_a_tenth_of_the_events_is_projected_to_all(tools):
    bench_table, _ = tools
    ours = rows("ns_tf", range(1, 101), lambda e: 1.0, {}, lambda e: 0)
    # What it took at an event is of the network that its last event left.
    naive = rows("naive", range(10, 100, 10), lambda e: 2.0, {"tracing": 4.0}, float)
    found = bench_table.iteration(ours + naive, "naive", 50)
    np.testing.assert_allclose(found["steps"], 50 * 100 * 2.0)
    np.testing.assert_allclose(found["other"], 400.0)
    whole = bench_table.iteration(ours, "ns_tf", 150)
    np.testing.assert_allclose(bench_table.total(whole), 15000.0)


def test_plain_steps_are_compared_with_those_of_the_same_channels(tools):
    bench_table, _ = tools
    ours = rows("ns_tf", range(1, 8), lambda e: float(e), {}, lambda e: 0)
    static = [{"way": "static", "event": e, "step": [e + 1.0, 1.0]} for e in (3, 6)]
    np.testing.assert_allclose(
        bench_table.static_ratios(ours + static, "ns_tf"), [1.0, 1.0]
    )


def test_the_parts_of_nested_work_add_up(tools):
    _, lockstep = tools
    parts = lockstep.Parts()
    inner = parts.timed("inner", lambda: time.sleep(0.05))

    def work():
        time.sleep(0.02)
        inner()
        inner()

    parts.timed("outer", work)()
    seconds = {name: wall for name, (wall, _) in parts.taken().items()}
    assert 0.1 <= seconds["inner"] < 0.15
    assert 0.02 <= seconds["outer"] < 0.06
    assert parts.taken() == {}


def test_a_worker_answers_and_one_that_dies_is_told_of(tools, tmp_path, monkeypatch):
    _, lockstep = tools
    script = tmp_path / "worker.py"
    script.write_text(
        "import lockstep\n"
        "lockstep.serve(double=lambda x: print('noise') or {'x': 2 * x})\n"
    )
    environment = {"PYTHONPATH": str(ROOT / "tools")}
    with lockstep.Worker(script, environment) as worker:
        assert worker.ask("double", x=21) == {"x": 42}
        with pytest.raises(RuntimeError, match="'treble'"):
            worker.ask("treble", x=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool, arguments, told",
    [
        (
            "bench_search",
            ["--ratio=0.1", "--sample=2"],
            ["| ns_tf |", "| naive |", "plain model"],
        ),
        ("bench_vs_pytorch", ["--ratio=0.1", "--sample=2"], ["| torch_pruned |"]),
        ("bench_settings", ["--ratios=0.1", "--rounds=1"], ["mixed_bfloat16 "]),
        (
            "bench_settings",
            ["--widths=9,9,9,9,9,9,9,9", "--rounds=1", "--only=not padded"],
            ["not padded "],
        ),
        ("bench_data", ["--image_size=32", "--ratios=0.1"], ["pipeline alone"]),
    ],
)
def test_the_benchmarks_run(tool, arguments, told, tmp_path):
    if tool == "bench_vs_pytorch":
        pytest.importorskip("torch_pruning")
    out = tmp_path / "rows.jsonl"
    if "--sample=2" in arguments:
        arguments = [*arguments, "--filters=30", "--pretrain=1", f"--out={out}"]
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / f"{tool}.py", "--batch=16", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for words in told:
        assert words in done.stdout
    if out.exists():
        assert all(json.loads(line)["way"] for line in out.read_text().splitlines())
