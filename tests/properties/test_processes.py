"""Two worker processes of a command: killed, stopped, halted, started otherwise."""

import json
import random
import re
import signal
import time

import keras
import numpy as np
import pytest
from crowd import addresses, started
from small import chain

SEARCH = """
    --weights=fresh --pretrain_epochs=1 --pretrain_rate=0.05 --search_batch=47
    --filters_per_event=4 --steps_per_event=9 --iterations=2
""".split()
FLAGS = {
    "descend": SEARCH,
    "train": "--method=uniform --ratio=1 --epochs=9 --batch=47".split(),
    "compare": """
        --methods=uniform,pruned:magnitude --budgets=ratio=0.5 --seeds=0,1 --epochs=3
        --batch=47 --finetune_epochs=3 --latency_warmup=1 --latency_repeats=3
    """.split(),
    "tune": """
        --space=ratio=0.5..1,rate=0.01..0.1 --tuner=bayesian --random_trials=2
        --max_trials=4 --epochs=3 --batch=47
    """.split(),
}
# How often workers of each are killed.
KILLS = {"descend": 10, "train": 10, "compare": 6, "tune": 6}
# What differs between two runs: what was measured, and checksums of it.
TIMES = {"seconds", "sha256", "stage_seconds"}
TIMED = "latency.json comparison.json table.csv tuning.json trials.json".split()
# One process of as many replicas.
REPLICAS = """
import runpy, sys
import tensorflow as tf
one = tf.config.LogicalDeviceConfiguration()
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [one, one])
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""

PROGRESS = re.compile(r"\d+/\d+ \w+ \(\d+%\)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with a small network, and small data."""
    folder = tmp_path_factory.mktemp("places")
    keras.utils.set_random_seed(3)
    chain((13, 11, 17), input_shape=(6, 7, 3), classes=5).save(folder / "small.keras")
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, 500)
    pixels = rng.uniform(0, 1, (500, 6, 7, 3)) + labels[:, None, None, None]
    np.savez(
        folder / "small.npz",
        x_train=(pixels / 6 * 255).astype(np.uint8),
        y_train=labels,
    )
    return folder


def command(places, name, run_dir):
    """A command on these data, and its flags."""
    problem = [
        f"--architecture=keras:{places / 'small.keras'}",
        f"--dataset=arrays:{places / 'small.npz'}",
    ]
    flags = [*problem, *FLAGS[name]]
    if name == "tune":
        flagfile = places / "search.flags"
        flagfile.write_text("\n".join([*problem, *SEARCH[:-1], "--iterations=1"]))
        flags = [f"--search={flagfile}", *FLAGS[name]]
    run = f"--run_dir={run_dir}"
    return ["-m", f"ns_tf.{name}", run, "--checkpoint_seconds=0.2", *flags]


def both(arguments, at=None, extra=((), ())):
    """The two worker processes of a command."""
    at = at or addresses(2)
    return [
        started([*arguments, f"--workers_at={','.join(at)}", f"--worker={i}", *more])
        for i, more in enumerate(extra)
    ]


def ended(processes, seconds=60):
    """(exit status, lines of standard error) of the processes, when they have ended."""
    texts = [process.communicate(timeout=seconds)[1] for process in processes]
    lines = [[t for t in text.split("\n") if t] for text in texts]
    return [
        (process.returncode, text)
        for process, text in zip(processes, lines, strict=True)
    ]


def contents(folder):
    """Path -> all results of a run, without what was measured in it."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name in TIMED or ".writing" in path.name:
            continue
        if path.suffix == ".json":
            kept[name] = untimed(json.loads(path.read_text()))
        elif path.suffix == ".csv":
            kept[name] = path.read_text()
    return kept


def untimed(value):
    """A value of JSON without the keys of what was measured."""
    if isinstance(value, dict):
        return {k: untimed(v) for k, v in value.items() if k not in TIMES}
    return list(map(untimed, value)) if isinstance(value, list) else value


@pytest.fixture(scope="module")
def undisturbed(places, tmp_path_factory):
    """By command: the results of a run that nobody disturbed."""
    made = {}

    def undisturbed(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "run"
            processes = both(command(places, name, folder))
            ends = ended(processes, seconds=300)
            assert [status for status, _ in ends] == [0, 0], ends
            made[name] = contents(folder)
        return made[name]

    return undisturbed


def writes(folder):
    """A number that changes whenever something is written to a run folder."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found = hash((found, path.name, path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return found


def until_written(processes, folder, times):
    """Waits until a run wrote so many times; False if it ended before."""
    for _ in range(times):
        before = writes(folder)
        while writes(folder) == before:
            if any(process.poll() is not None for process in processes):
                return False
            time.sleep(0.02)
    return True


@pytest.mark.parametrize("name", KILLS)
def test_workers_killed_at_random_come_to_the_same_result(
    places, undisturbed, tmp_path, name
):
    expected, at = undisturbed(name), addresses(2)
    rng, kills = random.Random(name), 0
    while True:
        processes = both(command(places, name, tmp_path / "run"), at)
        most = 6 if kills < KILLS[name] else 10**6
        if until_written(processes, tmp_path / "run", rng.randint(1, most)):
            time.sleep(rng.uniform(0, 0.3))
            victim = rng.randrange(2)
            processes[victim].kill()
            kills += 1
            other = ended(processes)[1 - victim]
            assert other[0] in (0, 1), other  # 0: it had done all when it was lost.
            if other[0]:
                assert re.search("ended, or does not answer", other[1][-1]), other
                told = [line for line in other[1] if not PROGRESS.search(line)]
                assert len(told) == 1, other
        else:
            ends = ended(processes)
            if [status for status, _ in ends] == [0, 0]:
                break
            assert kills, ends
    assert kills >= KILLS[name]
    assert contents(tmp_path / "run") == expected
    left = [path.parent.name for path in (tmp_path / "run").rglob("*.npz")]
    assert set(left) <= {"scores"}  # No checkpoints.
    assert not list((tmp_path / "run").rglob("*.writing"))


@pytest.mark.parametrize("name", ["compare", "tune"])
def test_workers_come_to_what_one_process_of_two_replicas_does(
    places, undisturbed, tmp_path, name
):
    arguments = command(places, name, tmp_path / "run")
    if name == "tune":  # Its search is done by the flags of its own file.
        with open(places / "search.flags", "a") as file:
            file.write("\n--strategy=mirrored")
    arguments = ["-c", REPLICAS, *arguments[1:], "--strategy=mirrored"]
    ((status, lines),) = ended([started(arguments)], 300)
    assert status == 0, lines
    assert contents(tmp_path / "run") == undisturbed(name)


@pytest.mark.parametrize("halted", [0, 1])
def test_a_worker_that_hangs_is_noticed_within_a_minute(places, tmp_path, halted):
    processes = both(command(places, "descend", tmp_path / "run"))
    assert until_written(processes, tmp_path / "run", 4)
    processes[halted].send_signal(signal.SIGSTOP)
    try:
        ((status, lines),) = ended([processes[1 - halted]])
    finally:
        processes[halted].kill()
        processes[halted].communicate()
    assert status == 1 and "ended, or does not answer" in lines[-1]


@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_one_worker_stops_both_with_their_state_saved(
    places, undisturbed, tmp_path, asked
):
    arguments = command(places, "descend", tmp_path / "run")
    processes = both(arguments)
    assert until_written(processes, tmp_path / "run", 4)
    processes[asked].send_signal(signal.SIGTERM)
    for status, lines in ended(processes):
        assert status == 143 and "run the same command again" in lines[-1]
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    assert [status for status, _ in ended(both(arguments), 300)] == [0, 0]
    assert contents(tmp_path / "run") == undisturbed("descend")


def test_workers_that_were_started_otherwise_are_refused(places, tmp_path):
    arguments = command(places, "train", tmp_path / "run")
    cases = (
        (["--seed=5"], "Worker 1 has other flags than the chief (--seed: 0 -> 5)"),
        ([f"--run_dir={tmp_path / 'other'}"], "Worker 1 does not see what the chief"),
    )
    for extra, line in cases:
        for status, lines in ended(both(arguments, extra=((), extra)), 120):
            assert status == 2 and line in lines[-1], lines
        assert not list(tmp_path.rglob("result.json"))
    # It changes no cell when a comparison goes on, but it would other ones now.
    arguments = command(places, "compare", tmp_path / "comparison")
    for status, lines in ended(both(arguments, extra=((), ["--seeds=0,2"])), 120):
        assert status == 2 and "(--seeds: 0,1 -> 0,2)" in lines[-1], lines
    assert not (tmp_path / "comparison").exists()


def test_a_worker_whose_peers_do_not_come_ends_by_one_line(places, tmp_path):
    arguments = command(places, "compare", tmp_path / "run")
    at = addresses(2)
    for index in range(2):
        place = [f"--workers_at={','.join(at)}", f"--worker={index}"]
        process = started([*arguments, *place, "--workers_seconds=1"])
        ((status, lines),) = ended([process])
        missing = f"within 1 s: worker {1 - index} ({at[1 - index]}). Start the same"
        assert status == 1 and len(lines) == 1 and missing in lines[0]
    assert not (tmp_path / "run").exists()
