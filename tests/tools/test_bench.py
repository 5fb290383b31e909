"""The arithmetic of the benchmarks, and that they run."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import toolbox
from laws import toy_device
from places import ROOT
from toys import toy_search

from ns_tf.base import InputError

BENCH = toolbox.TOOLS / "bench"


@pytest.fixture
def script():
    """Imports a script of tools/bench by its name."""
    with toolbox.scripts("bench") as script:
        yield script


@pytest.fixture
def table(script):
    """The script that makes a table of a race's rows."""
    return script("table")


@pytest.fixture
def lockstep(script):
    """The script that starts workers and measures time."""
    return script("lockstep")


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


def test_an_iteration_is_what_its_steps_and_its_events_take(table):

    def shrinking(event):
        return 2.0 - event / 100

    ours = rows("ns_tf", range(1, 101), shrinking, {"scoring": 0.25}, lambda e: 70 + e)
    once = [{"way": "ns_tf", "event": 0, "parts": {"tracing": [7.0, 7.0]}}]
    saved = [
        {"way": "ns_tf", "event": e, "seconds": [s, s]} for e, s in ((9, 2), (20, 4))
    ]
    found = table.iteration(once + ours + saved, "ns_tf", 50)
    steps = 50 * sum(shrinking(event) for event in range(1, 101))
    assert found["events"] == 100
    np.testing.assert_allclose(found["steps"], steps)
    np.testing.assert_allclose(found["parts"]["scoring"], 25.0)
    np.testing.assert_allclose(found["parts"]["tracing"], 7.0)
    np.testing.assert_allclose(found["parts"]["checkpoints"], 3.0 * steps / 60)
    np.testing.assert_allclose(found["other"], 32.0 + steps / 20)
    np.testing.assert_allclose(found["cpu"], 2 * (steps + 25.0) + 7.0 + steps / 20)
    assert found["growth"] == 80


def test_memory_counts_from_the_first_rebuild_on(table):
    # The first rebuild adds 100 once; every later one, at each tenth event, adds 1.
    ours = rows("ns_tf", range(1, 101), lambda e: 1.0, {}, lambda e: 0)
    for row in ours:
        row["rebuilt"] = row["event"] >= 30 and row["event"] % 10 == 0
        row["memory"] = 50.0 + (row["event"] > 30) * (97 + row["event"] // 10)
    assert table.growth(ours) == 6
    assert table.growth(ours[:30]) == 0, "nothing came after it"


def test_a_way_that_did_a_tenth_of_the_events_is_projected_to_all(table):
    ours = rows("ns_tf", range(1, 101), lambda e: 1.0, {}, lambda e: 0)
    # What it took at an event is of the network that its last event left.
    naive = rows("naive", range(10, 100, 10), lambda e: 2.0, {"tracing": 4.0}, float)
    found = table.iteration(ours + naive, "naive", 50)
    np.testing.assert_allclose(found["steps"], 50 * 100 * 2.0)
    np.testing.assert_allclose(found["other"], 400.0)
    whole = table.iteration(ours, "ns_tf", 150)
    np.testing.assert_allclose(table.total(whole), 15000.0)


def test_plain_steps_are_compared_with_those_of_the_same_channels(table):
    ours = rows("ns_tf", range(1, 8), lambda e: float(e), {}, lambda e: 0)
    static = [{"way": "static", "event": e, "step": [e + 1.0, 1.0]} for e in (3, 6)]
    np.testing.assert_allclose(table.static_ratios(ours + static, "ns_tf"), [1.0, 1.0])


class Time:
    """Time that passes only when a test says so; half of it is the CPU's."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.now / 2


def test_the_parts_of_nested_work_add_up(lockstep, monkeypatch):
    time = Time()
    monkeypatch.setattr(lockstep, "time", time)
    parts = lockstep.Parts()

    def passes(seconds):
        time.now += seconds

    inner = parts.timed("inner", lambda: passes(5.0))

    def work():
        passes(2.0)
        inner()
        inner()
        passes(1.0)

    parts.timed("outer", work)()
    assert parts.taken() == {"inner": [10.0, 5.0], "outer": [3.0, 1.5]}
    assert parts.taken() == {}


def test_time_is_booked_though_the_work_fails(lockstep, monkeypatch):
    time = Time()
    monkeypatch.setattr(lockstep, "time", time)
    parts = lockstep.Parts()

    def fails():
        time.now += 7.0
        raise ValueError

    with pytest.raises(ValueError):
        parts.timed("outer", parts.timed("inner", fails))()
    assert parts.taken() == {"inner": [7.0, 3.5], "outer": [0.0, 0.0]}


def test_rows_are_kept_one_a_line(lockstep, tmp_path):
    rows = [{"way": "ns_tf", "event": 3}, {"way": "naive", "step": [0.5, 0.25]}]
    path = tmp_path / "deep" / "rows.jsonl"
    lockstep.write_rows(path, rows)
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows


def test_a_worker_answers_and_one_that_dies_is_told_of(lockstep, tmp_path, monkeypatch):
    script = tmp_path / "worker.py"
    script.write_text(
        "import lockstep\n"
        "lockstep.serve(double=lambda x: print('noise') or {'x': 2 * x})\n"
    )
    environment = {"PYTHONPATH": str(BENCH)}
    with lockstep.Worker(script, environment) as worker:
        assert worker.ask("double", x=21) == {"x": 42}
        with pytest.raises(RuntimeError, match="'treble'"):
            worker.ask("treble", x=1)


def test_the_table_of_latencies_has_errors_ranks_and_plans(script):
    bench = script("latency_table")
    ms = np.array([1.0, 2, 3, 4])
    row = {
        "architecture": "vgg11",
        "runtime": "litert",
        "times": 282,
        "seconds": 90,
        "ms": ms.tolist(),
        "by_table": (ms * [1.1, 0.98, 1.03, 1.04]).tolist(),
        "plans": [[10.0, 9.9, 10.1]],
    }
    *_, line, total = bench.told([row]).splitlines()
    assert "| 282 | 1.5 | 4 | 1.000 | 3.5 % |" in line
    assert "-1.0 % (+1.0 %)" in line and "All 4: median error 3.5 %" in total
    widths = bench.drawn(np.array([64, 7]), 9, 8)
    assert widths.shape == (9, 2) and (widths >= 1).all() and (widths <= [64, 7]).all()
    assert (widths[:, 0] % 8 == 0).all()


def test_networks_of_a_method_take_as_long_as_uniform_ones(script, monkeypatch):
    bench, search = script("equal_latency"), toy_search()
    device = toy_device(search)

    def together(structure, device, widths):  # Networks are steeper than tables.
        return [device.ms(one) ** 1.5 for one in widths]

    monkeypatch.setattr(bench, "together", together)
    monkeypatch.setattr(bench.network, "of_search", lambda *given: (None, None))
    one, other = bench.as_long(search, device, "priced", (9, 11, 7))
    assert one["widths"] == [9, 11, 7] and other["method"] == "priced"
    assert 0.97 <= other["ms"] / one["ms"] <= 1
    monkeypatch.setattr(bench, "together", lambda *given: [1.0, 1.02])
    with pytest.raises(InputError, match="quiet machine"):
        bench.as_long(search, device, "priced", (9, 11, 7))
    costs = {"params": 12_345, "macs": 678}
    scores = ([0.5, 0.52], [0.55, 0.56])
    told = bench.told(
        [
            {**row, "costs": costs, "accuracy": some}
            for row, some in zip((one, other), scores, strict=True)
        ]
    )
    assert "12,345 |  678 |" in told and "priced - uniform: +4.50 points" in told


WAYS = ["| ns_tf |", "| masked |", "| never |", "| naive |", "plain model"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool, arguments, texts",
    [
        ("search", ["--ratio=0.1", "--sample=2"], WAYS),
        ("vs_pytorch", ["--ratio=0.1", "--sample=2"], ["| torch_pruned |"]),
        ("settings", ["--ratios=0.1", "--rounds=1"], ["mixed_bfloat16 "]),
        (
            "settings",
            ["--widths=9,9,9,9,9,9,9,9", "--rounds=1", "--only=not padded"],
            ["not padded "],
        ),
        ("data", ["--image_size=32", "--ratios=0.1"], ["pipeline alone", "x0.1 fed"]),
        (
            "workers",
            ["--workers=2", "--steps=1", "--rounds=1"],
            ["2 workers take", "the model says"],
        ),
    ],
)
def test_the_benchmarks_run(tool, arguments, texts, tmp_path):
    if tool == "vs_pytorch":
        pytest.importorskip("torch_pruning")
    out = tmp_path / "rows.jsonl"
    if "--sample=2" in arguments:
        arguments = [*arguments, "--filters=30", "--pretrain=1", f"--out={out}"]
    done = subprocess.run(
        [sys.executable, BENCH / f"{tool}.py", "--batch=16", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    for text in texts:
        assert text in done.stdout
    if out.exists():
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert all(row["way"] for row in rows)
        check_rows([row for row in rows if row["way"] in ("ns_tf", "naive", "masked")])


def check_rows(rows):
    """What the ways are there for: thinning thins, masks do not, all remove alike."""
    events = [row for row in rows if "step" in row]
    widths = {}
    for row in events:
        widths.setdefault(row["event"], set()).add(tuple(row["widths"]))
    assert all(len(some) == 1 for some in widths.values())
    assert not any(row["rebuilt"] for row in events if row["way"] == "masked")
    assert all(row["rebuilt"] for row in events if row["way"] == "naive")
    parts = {name for row in rows for name in row.get("parts", ())}
    assert {"scoring", "closing", "thinning", "tracing", "building"} <= parts


@pytest.mark.parametrize(
    "tool, flag, text",
    [
        ("search", "--steps=1", "--steps"),
        ("search", "--network=vg11", "Did you mean 'vgg11'?"),
        ("settings", "--only=padded", "Did you mean"),
        ("settings", "--widths=3,4", "vgg11"),
        ("vs_pytorch", "--network=vg11", "Did you mean 'vgg11'?"),
        ("data", "--dataset=digts", "Did you mean 'digits'?"),
        ("scaling_model", "--seconds=1", "Give two --batches and the --seconds"),
        ("workers", "--batch=1", "--batch"),
        ("workers", "--workers=1", "--workers are from 2 to"),
    ],
)
def test_wrong_flags_are_refused_before_any_worker_starts(
    script, tool, flag, text, capfd
):
    code = toolbox.status(script(tool), flag)
    assert code == 2 and text in capfd.readouterr().err


def test_the_instruments_fit_the_loop_that_they_measure(script, monkeypatch):
    """`prune_tf` replaces names of ns_tf, each where the loop looks for it."""
    from ns_tf.engine import layer_ops
    from ns_tf.prune import iterative, network, rebuilding
    from ns_tf.prune.removal import Prunable

    places = {
        iterative: ["choose"],
        iterative.Pruning: ["_score", "trace"],
        network: ["rebuild", "Sgd", "forget_kernels"],
        network.PrunableNetwork: ["close", "compact", "_build", "_compile", "train"],
        rebuilding: ["PASSES"],
        layer_ops: ["fuse"],
        Prunable: ["count"],
    }
    for place, names in places.items():
        for name in names:  # Restored when the test ends.
            monkeypatch.setattr(place, name, getattr(place, name))
    race = script("prune_tf").Race()
    small = {"ratio": 0.05, "batch": 13, "filters": 17, "pretrain": 1}
    start = race.start(
        way="ns_tf",
        network="lenet5",
        steps=2,
        nominal_steps=50,
        dataset="digits",
        data_dir=None,
        **small,
    )
    assert start["events"] > 1 and {"thinning", "building"} <= set(start["parts"])
    event = race.event()
    assert len(event["removed"]) == 17
    assert {"scoring", "closing", "steps", "loop", "data"} <= set(event["parts"])
    forced = race.event(remove=[race.run.prunable.widths[-1].tolist()[-1]])
    assert len(forced["removed"]) == 1
    plain = race.steps_at(present=forced["present"], repeats=1)
    assert min(plain["step"]) >= 0 and min(race.checkpoint()["seconds"]) >= 0


def test_methods_are_compared_row_by_row_and_scores_are_read_once(script, monkeypatch):
    from trained import fresh

    from ns_tf.prune.pruner import Pruner
    from ns_tf.prune.source import TrainedNetwork

    methods = script("methods")
    calls, score = [], Pruner.scored

    def counted(self):
        calls.append(self.config.method)
        return score(self)

    monkeypatch.setattr(Pruner, "scored", counted)
    config = methods.MethodsConfig(
        methods=("random", "magnitude"), repairs=("none", "statistics")
    )
    network = TrainedNetwork(*fresh(), "normalised")
    found = list(methods.rows(config, network, []))
    assert calls == ["random", "magnitude"] and len(found) == 4
    lines = [methods.line(row) for row in found]
    assert lines[2].startswith("| magnitude | uniform | none | 4")
    assert all(line.count("|") == methods.HEAD[0].count("|") for line in lines)
    (missing,) = methods.rows(config, network, found[:3])
    untimed = [{**row, "seconds": None} for row in (missing, found[3])]
    assert untimed[0] == untimed[1], "rows that are kept are not made again"
    assert "(45.00% alive)" in methods.line({**missing, "alive": 0.45})
    scratch = methods.MethodsConfig(methods=("random",), recipe="scratch", epochs=1)
    (row,) = methods.rows(scratch, network, [])
    assert row["widths"] == found[0]["widths"] and 0 <= row["accuracies"]["tuned"] <= 1


def test_twins_in_pytorch_compute_what_the_networks_compute(script):
    torch = pytest.importorskip("torch")
    twins, models = script("torch_twin"), script("models")
    for name, make in script("twin_networks").NETWORKS.items():
        model = make()
        models.stamp(model, np.random.default_rng(0))
        images = np.random.default_rng(1).normal(size=(3, *model.input.shape[1:]))
        images = images.astype(np.float32)
        with torch.no_grad():
            found = twins.Twin(model)(torch.from_numpy(images.transpose(0, 3, 1, 2)))
        found = found.numpy().transpose((0, 2, 3, 1) if found.ndim == 4 else (0, 1))
        expected = np.asarray(model(images))
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max(), name


def test_both_tools_reach_channels_and_remove_them_exactly(script):
    pytest.importorskip("torch_pruning")
    reach = script("reach_torch")
    rows = [row.split(" | ") for row in reach.rows("mobilenet")]
    assert [row[1:5] for row in rows] == [
        [tool, "7", "178", "100.0%"] for tool in ("ns_tf", "torch-pruning")
    ]
    assert all(float(row[5]) < 1e-5 for row in rows), "in float32 here"


def test_channels_that_torch_pruning_keeps_are_kept_in_keras(script):
    pytest.importorskip("torch_pruning")
    from trained import learned

    from ns_tf.prune.source import TrainedNetwork

    peer, methods = script("vs_torch_pruning"), script("methods")
    network = TrainedNetwork(*learned(), "normalised")
    config = methods.MethodsConfig(methods=("taylor_fo",), allocations=("ranking",))
    theirs = peer.TorchPruningConfig(steps=10)
    (row,) = peer.rows(config, network, theirs, [])
    assert row["method"] == "taylor_fo (torch-pruning)" and 0.2 < row["left"] <= 0.5
    assert not list(peer.rows(config, network, theirs, [row])), "it is kept"


def test_the_table_of_models_measures_reach_and_removal(script):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(7, 3)(x))
    model = keras.Model(image, keras.layers.Dense(2)(x), name="small")
    row = script("models").measured("small", model)
    assert (row.widths, row.reachable, row.counted) == (2, 1.0, True)
    assert row.error < 1e-5, "in float32 here"
    assert row.text().startswith("| small | 2 | 100.0% | ")


def test_what_is_refused_has_a_row_in_the_table_of_models(script):
    row = script("models").Row("odd", refused="It has no width.")
    assert row.text() == "| odd | - | - | - | - | - | It has no width. |"


# The model of several workers.


@pytest.fixture
def model(script):
    return script("scaling_model")


def config_of(model, **changes):
    """A model whose sums cost nothing, of 4 ms a step and 1 ms an image."""
    usual = {"latency": 0.0, "bandwidth": 1e9, "batch": 64, "workers": (1,)}
    times = {"batches": (16, 64), "seconds": (0.02, 0.068)}
    return model.ScalingConfig(**{**usual, **times, **changes})


def test_without_the_cost_of_sums_only_the_fixed_part_does_not_scale(model):
    config = config_of(model)
    for workers in (1, 2, 4, 64):
        step = model.step_of(config, workers)
        assert step.total == pytest.approx(0.004 + 0.064 / workers, rel=1e-6)
        weak = model.step_of(dataclasses.replace(config, weak=True), workers)
        assert weak.total == pytest.approx(0.068, rel=1e-6)
    assert model.step_of(config, 64).bound == "fixed"


def test_sums_cost_their_bytes_and_their_hops(model):
    config = config_of(
        model, latency=1000.0, bandwidth=1.0, parameters=10**9, norms=7, variables=11
    )
    step = model.step_of(config, 4)
    assert step.gradients == pytest.approx(2 * 3 / 4 * 4 + 0.004, rel=1e-6)
    assert step.norms == pytest.approx((1 + 5 * 7) * 0.004, rel=1e-3)
    assert step.bound == "gradients"
    calm = dataclasses.replace(config, rebuilds=0.0)
    assert model.event_of(calm, 4) == config.event
    sent = model.event_of(config, 4) - model.event_of(config, 1)
    assert sent == pytest.approx(0.1 * (11 * 0.004 + 6.004), rel=1e-3)


def test_events_take_at_most_their_share(model):
    for step, event in ((0.1, 0.3), (0.001, 0.7), (0.02, 0.01)):
        filters, steps = model.pace(step, event, 7, 11)
        assert filters * 11 == steps * 7 and filters >= 7
        assert event <= model.SHARE * (event + steps * step) * (1 + 1e-9)


def test_the_model_prints_a_row_for_each_number_of_devices(script, capfd):
    assert not toolbox.status(script("scaling_model"), "--workers=1,8,64", "--weak")
    header, _, *rows = capfd.readouterr().out.splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["1", "8", "64"]
    assert rows[0].count("100") and header.count("|") == rows[0].count("|")
