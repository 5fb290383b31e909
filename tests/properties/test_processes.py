"""Two worker processes of a command: killed, stopped, halted, started otherwise."""

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
TRAINING = "--method=uniform --ratio=1 --epochs=9 --batch=47".split()
KILLS = 10  # Of the search, and of the training.

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
    flags = SEARCH if name == "descend" else TRAINING
    return [
        *("-m", f"ns_tf.{name}", f"--run_dir={run_dir}", "--checkpoint_seconds=0.2"),
        f"--architecture=keras:{places / 'small.keras'}",
        f"--dataset=arrays:{places / 'small.npz'}",
        *flags,
    ]


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
    """Path -> text of all results of a run, without its seconds and their checksum."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".csv") and ".writing" not in path.name:
            text = re.sub(r'("seconds": )[\d.]+', r"\g<1>0", path.read_text())
            text = re.sub(r'("sha256": )"\w+"', r"\g<1>0", text)
            kept[str(path.relative_to(folder))] = text
    return kept


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


@pytest.mark.parametrize("name", ["descend", "train"])
def test_workers_killed_at_random_come_to_the_same_result(
    places, undisturbed, tmp_path, name
):
    expected, at = undisturbed(name), addresses(2)
    rng, kills = random.Random(name), 0
    while True:
        processes = both(command(places, name, tmp_path / "run"), at)
        most = 6 if kills < KILLS else 10**6
        if until_written(processes, tmp_path / "run", rng.randint(1, most)):
            time.sleep(rng.uniform(0, 0.3))
            victim = rng.randrange(2)
            processes[victim].kill()
            kills += 1
            other = ended(processes)[1 - victim]
            assert other[0] in (0, 1), other  # 0: it had done all when it was lost.
            if other[0]:
                assert re.search("ended, or does not answer", other[1][-1]), other
                noise = [line for line in other[1] if "steps (" not in line]
                assert len(noise) == 1, other
        else:
            ends = ended(processes)
            if [status for status, _ in ends] == [0, 0]:
                break
            assert kills, ends
    assert kills >= KILLS
    assert contents(tmp_path / "run") == expected
    assert not list((tmp_path / "run").rglob("*.npz"))
    assert not list((tmp_path / "run").rglob("*.writing"))


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
