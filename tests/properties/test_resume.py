"""What is stopped, or killed, and started again ends as if it had never been."""

import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from edits import text_of
from full_disk import full_disk
from places import ROOT
from small import Ended, KilledAt, StopAt, dropped

import ns_tf
from ns_tf import cli
from ns_tf.data import sources
from ns_tf.engine.config import RuntimeConfig
from ns_tf.networks.from_model import from_model
from ns_tf.plan.choice import WidthChoice
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.prune import rebuilding
from ns_tf.run import files
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.work import TrainRun

OPTIONS = {
    "iterations": 2,
    "search_batch": 53,
    "pretrain_epochs": 1,
    "pretrain_rate": 0.05,
    "filters_per_event": 3,
    "steps_per_event": 2,
    "stop_fraction": 0.25,
}
EPOCHS, BATCH = 3, 67
SLOW = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cheap_rebuilds():
    """A rebuild or two in networks too small for any to pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "REBUILD_SECONDS", 3e-4)
        yield


ARCHITECTURE = ns_tf.Architecture("dropped", (11, 17, 13), dropped)


@pytest.fixture(scope="module")
def digits():
    """400 digits of 8 x 8."""
    whole = sources.load("digits", image_size=8).train
    return whole.images[:400], whole.labels[:400]


def contents(folder):
    """Path -> bytes of all that a search or a training found, without its seconds."""
    texts = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in (".json", ".csv", ".flags"):
            text = text_of(path)
            text = re.sub(r'("seconds": )[\d.]+', r"\g<1>0", text)
            texts[str(path.relative_to(folder))] = text
    return texts


def assert_no_litter(folder):
    """Checks that no checkpoint and no half-written file is left."""
    files = [p for p in Path(folder).rglob("*") if p.is_file()]
    assert not [p for p in files if p.suffix == ".npz" or p.name.endswith(".writing")]


def search(digits, run_dir, **options):
    return ns_tf.search(ARCHITECTURE, digits, run_dir=run_dir, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def undisturbed(digits, tmp_path_factory):
    """By criterion and iterations, the run folder of a search that nobody stopped."""
    made = {}

    def undisturbed(criterion="taylor_fo", iterations=2):
        key = criterion, iterations
        if key not in made:
            made[key] = tmp_path_factory.mktemp("undisturbed") / "run"
            search(digits, made[key], criterion=criterion, iterations=iterations)
        return made[key]

    return undisturbed


def until_done(attempt, most=60):
    """Attempts until one is not ended before its time; how many were."""
    for count in range(most):
        try:
            attempt()
            return count
        except Ended:
            pass
    raise AssertionError(f"not done after {most} attempts")


@SLOW
@pytest.mark.parametrize("criterion", ["taylor_fo", "magnitude", "random"])
def test_a_search_stopped_at_any_steps_ends_as_if_never_stopped(
    digits, undisturbed, tmp_path, criterion
):
    expected = contents(undisturbed(criterion))
    rng = random.Random(criterion)

    def attempt():
        stop = StopAt(rng.randint(13, 23))
        search(digits, tmp_path / "run", criterion=criterion, stop=stop)

    assert until_done(attempt) >= 2
    assert contents(tmp_path / "run") == expected
    assert_no_litter(tmp_path)


@pytest.mark.parametrize(
    "every, iterations",
    [pytest.param(1, 2, marks=SLOW), pytest.param(7, 2, marks=SLOW), (7, 1)],
)
def test_a_search_killed_at_any_steps_ends_as_if_never_killed(
    digits, undisturbed, tmp_path, monkeypatch, every, iterations
):
    expected = contents(undisturbed(iterations=iterations))
    soonest, latest = (14, 40) if iterations > 1 else (11, 15)
    count, rng = itertools.count(1), random.Random(every)
    # After more than one step the checkpoint is older than what was done.
    monkeypatch.setattr(Checkpoint, "due", lambda self: next(count) % every == 0)

    def attempt():
        killed = KilledAt(rng.randint(soonest, latest))
        search(digits, tmp_path / "run", progress=killed, iterations=iterations)

    assert until_done(attempt) >= 2
    assert contents(tmp_path / "run") == expected
    assert_no_litter(tmp_path)


@pytest.mark.parametrize(
    "moment",
    [pytest.param(m, marks=SLOW) for m in ("descent.json", "widths.png", "trace_01")],
)
def test_a_search_killed_while_it_writes_an_iteration_loses_nothing(
    digits, undisturbed, tmp_path, monkeypatch, moment
):
    expected = contents(undisturbed(iterations=1))
    real = os.replace

    def replace(source, target):
        if Path(target).name.startswith(moment):
            raise Ended
        real(source, target)

    once = {"iterations": 1, "checkpoint_seconds": 60.0}
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(Ended):
            search(digits, tmp_path / "run", **once)
    search(digits, tmp_path / "run", **once)
    assert contents(tmp_path / "run") == expected
    assert_no_litter(tmp_path)


@pytest.mark.slow
def test_more_iterations_can_be_asked_for_later(digits, undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed(iterations=1), tmp_path / "run")
    search(digits, folder, iterations=2)
    assert contents(folder) == contents(undisturbed())
    search(digits, folder, iterations=1)
    assert contents(folder) == contents(undisturbed())


@pytest.fixture(scope="module")
def training(digits, tmp_path_factory):
    """Trains a saved Keras model on arrays in a file, as `ns_tf.train` does."""
    inputs = tmp_path_factory.mktemp("inputs")
    np.savez(inputs / "digits.npz", x_train=digits[0], y_train=digits[1])
    model = dropped((11, 17, 13), input_shape=(8, 8, 1), classes=10)
    model.save(inputs / "model.keras")
    network = NetworkConfig(
        architecture=f"keras:{inputs / 'model.keras'}",
        dataset=f"arrays:{inputs / 'digits.npz'}",
        widths=from_model(model).widths,
        name="it",
    )

    choice = WidthChoice(network, BudgetConfig(), MethodConfig())
    recipe = TrainConfig(epochs=EPOCHS, batch=BATCH, rate_drops=(2,))

    def training(run_dir, seconds=60.0, **watching):
        runtime = RuntimeConfig(checkpoint_seconds=seconds)
        TrainRun(run_dir, network, choice, recipe, runtime).run(Watch(**watching))

    return training


def weights(run_dir):
    path = run_dir / "train" / "it" / "model.keras"
    return keras.saving.load_model(path, compile=False).get_weights()


@pytest.fixture(scope="module")
def trained(training, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    training(folder)
    return folder


@pytest.mark.parametrize("how", [pytest.param("stopped", marks=SLOW), "killed"])
def test_a_training_ended_at_any_steps_ends_as_if_never_ended(
    training, trained, tmp_path, how
):
    run_dir, rng = tmp_path / "run", random.Random(how)

    def attempt():
        k = rng.randint(3, 7)
        if how == "stopped":
            training(run_dir, stop=StopAt(k))
        else:
            training(run_dir, seconds=0.0, progress=KilledAt(k))

    assert until_done(attempt) >= 2
    expected, actual = contents(trained), contents(run_dir)
    assert actual.keys() == expected.keys()
    for name in ("train/it/result.json", "train/it/history.csv"):
        assert actual[name] == expected[name]
    for one, other in zip(weights(run_dir), weights(trained), strict=True):
        np.testing.assert_array_equal(one, other)
    assert_no_litter(run_dir)


# --- A disk that is full at the n-th file.


def on_full_disk(write, attempt, folder):
    """Whether the disk was full; checks what is told, and that all files are whole."""
    with full_disk(write) as disk:
        try:
            attempt()
        except (OSError, ns_tf.InputError) as error:
            told, status = cli._describe(error)
            assert "No space left on device" in told and str(folder) in told
            assert "--debug" not in told and "\n" not in told and status in (1, 2)
        else:
            assert not disk.full
    for path in folder.rglob("*"):
        assert not path.name.endswith(".writing")
        if path.suffix in (".json", ".csv", ".flags"):
            text_of(path)  # Refuses what is not whole.
    return disk.full


@SLOW
@pytest.mark.parametrize("write", [3, None])
def test_a_training_on_a_full_disk_goes_on_when_there_is_space(
    training, trained, tmp_path, write
):
    run_dir = tmp_path / "run"
    for number in itertools.count(1) if write is None else [write]:
        if not on_full_disk(number, lambda: training(run_dir, seconds=0.0), run_dir):
            break
        shutil.copytree(run_dir, tmp_path / "again")
        training(tmp_path / "again", seconds=0.0)
        names = ("train/it/result.json", "train/it/history.csv")
        again, expected = contents(tmp_path / "again"), contents(trained)
        assert all(again[name] == expected[name] for name in names)
        assert_no_litter(tmp_path / "again")
        shutil.rmtree(tmp_path / "again")
        shutil.rmtree(run_dir)
    assert write or number > 5


@SLOW
def test_a_search_on_a_full_disk_goes_on_when_there_is_space(
    digits, undisturbed, tmp_path
):
    expected = contents(undisturbed(iterations=1))
    run_dir = tmp_path / "run"

    def attempt():
        search(digits, run_dir, iterations=1, checkpoint_seconds=60.0)

    for write in itertools.count(1):
        if not on_full_disk(write, attempt, run_dir):
            break
        attempt()
        assert contents(run_dir) == expected
        assert_no_litter(run_dir)
        shutil.rmtree(run_dir)
    assert write > 5


# --- Real signals, and real processes.


COMMAND = [sys.executable, "-m", "ns_tf.descend"]
TINY = {
    "dataset": "digits",
    "image_size": 16,
    "iterations": 1,
    "search_batch": 64,
    "pretrain_epochs": 2,
    "pretrain_rate": 0.05,
    "filters_per_event": 6,
    "steps_per_event": 6,
    "rebuild": "always",
    "checkpoint_seconds": 0.1,
}
STOPPED = "ns_tf.descend: stopped; run the same command again to continue"


@pytest.fixture
def start():
    """Starts a search; whatever still runs at the end of the test is killed."""
    started = []

    def start(*arguments):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path, process, seconds=120):
    """Waits until the process has written the file."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


SIGNALS = (signal.SIGTERM, 143), (signal.SIGINT, 130)


def tiny(network, run_dir):
    """Arguments of a short search."""
    options = (f"--{name}={value}" for name, value in TINY.items())
    return network, *options, f"--run_dir={run_dir}"


def test_a_signal_at_a_step_writes_a_checkpoint_and_the_same_search_goes_on(
    command, network, tmp_path, monkeypatch
):
    """A real signal, to this process."""
    due, steps = Checkpoint.due, []
    for signum, code in SIGNALS:
        left = itertools.count(-4)

        def signalled(self, left=left, signum=signum):
            if next(left) == 0:
                os.kill(os.getpid(), signum)
            return due(self)

        monkeypatch.setattr(Checkpoint, "due", signalled)
        ended, _, err = command("descend", *tiny(network, tmp_path / "run"))
        assert ended == code, err
        assert err.splitlines()[-1].endswith(STOPPED.partition(": ")[2])
        assert "Traceback" not in err
        checkpoint = tmp_path / "run" / "checkpoints" / "prune_01.npz"
        steps.append(files.read_arrays(checkpoint)[1]["steps"])
    assert 0 < steps[0] < steps[1]  # The second went on from the first.
    assert not list(tmp_path.rglob("*.writing"))


@SLOW
def test_signals_write_a_checkpoint_and_the_same_search_goes_on(
    start, network, tmp_path
):
    run_dir = tmp_path / "run"
    checkpoint = run_dir / "checkpoints" / "prune_01.npz"
    steps = []
    for signum, code in SIGNALS:
        process = start(*tiny(network, run_dir))
        assert "small.keras with" in process.stdout.readline()
        wait_for(checkpoint, process)
        process.send_signal(signum)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert err.splitlines()[-1] == STOPPED
        assert "Traceback" not in err
        steps.append(files.read_arrays(checkpoint)[1]["steps"])
    assert 0 < steps[0] <= steps[1]  # The second went on from the first.
    assert not list(run_dir.rglob("*.writing"))


@SLOW
def test_a_search_killed_at_20_random_moments_ends_as_if_never_killed(start, tmp_path):
    # The smoke search, with enough events for a law and a second iteration.
    smoke = (
        f"--flagfile={ROOT}/flags/smoke.flags",
        "--filters_per_event=3",
        "--steps_per_event=2",
        "--iterations=2",
        "--checkpoint_seconds=0.5",
    )
    whole = start(*smoke, f"--run_dir={tmp_path / 'whole'}")
    begin = time.monotonic()
    assert whole.stdout.readline()
    import_seconds = time.monotonic() - begin
    _, err = whole.communicate(timeout=600)
    assert whole.returncode == 0, err
    seconds = time.monotonic() - begin
    rng = random.Random(0)
    kills = finished = 0
    for attempt in range(20):
        process = start(*smoke, f"--run_dir={tmp_path / 'killed'}")
        if attempt % 4:  # After the start, at any moment of a tenth of the work.
            process.stdout.readline()
            time.sleep(rng.uniform(0, 2 + (seconds - import_seconds) / 10))
        else:
            time.sleep(rng.uniform(0, import_seconds))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        finished += process.returncode == 0
    print(f"{kills} kills, {finished} came too late; a whole run took {seconds:.0f} s")
    assert kills >= 10
    last = start(*smoke, f"--run_dir={tmp_path / 'killed'}")
    _, err = last.communicate(timeout=600)
    assert last.returncode == 0, err
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert_no_litter(tmp_path / "killed")
