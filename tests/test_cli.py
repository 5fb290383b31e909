import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEMO = '''
"""Does what --mode says."""

import dataclasses, os, sys, time
from ns_tf import cli
from ns_tf.base import InputError, RunError
from ns_tf.flagset import option


@dataclasses.dataclass(frozen=True)
class Config:
    """What to do."""

    mode: str = option("ok", "What to do.")
    seed: int = option(3, "Seed.")


def main(config):
    if config.mode == "input":
        raise InputError("Expected a.\\n  Got b.")
    if config.mode == "run":
        raise RunError("The loss is nan.")
    if config.mode == "bug":
        raise KeyError("a\\nb")
    if config.mode == "silent bug":
        raise AssertionError
    if config.mode == "full":
        print("x" * 100, file=open("/dev/full", "w"), flush=True)
    if config.mode == "missing":
        open("no/such/file")
    if config.mode == "status":
        return 7
    if config.mode == "much":
        for _ in range(100_000):
            print("x" * 100)
    if config.mode == "sleep":
        print("ready", flush=True)
        time.sleep(30)
    if config.mode in ("loop", "stuck", "last"):
        with cli.interruptible() as stop:
            print("ready", flush=True)
            for _ in range(3000):
                time.sleep(0.01)
                if stop.requested and config.mode == "loop":
                    print("saved", flush=True)
                    stop.leave()
                if stop.requested and config.mode == "last":
                    break
                if stop.requested and config.mode == "stuck":
                    print("stuck", flush=True)
                    time.sleep(30)
    if config.mode == "tensorflow":
        print(cli.quiet_tensorflow().__name__, os.environ["TF_CPP_MIN_LOG_LEVEL"])
    heavy = [m for m in ("keras", "tqdm") if m in sys.modules]
    print(config.seed, *heavy)


if __name__ == "__main__":
    cli.run(main, Config)
'''
# Stands for the real one: says things on the C++ side of standard error.
TENSORFLOW = """
import os
os.write(2, b"E0000 cuInit\\n")
if os.environ.get("BROKEN"):
    raise ImportError("no libcudart")
class config:
    list_physical_devices = staticmethod(lambda: os.write(2, b"W0000 no GPU\\n"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "demo.py").write_text(DEMO.strip())
    (folder / "tensorflow.py").write_text(TENSORFLOW)
    (folder / "good.flags").write_text("# A comment.\n--seed=11\n\n--mode=ok\n")
    (folder / "stray.flags").write_text("seed=11\n")
    (folder / "binary.flags").write_bytes(b"\xff\xfe\x00\x81")
    return folder


@pytest.fixture
def start(folder):
    """Starts the demo; the environment has no TF_CPP_MIN_LOG_LEVEL of its own."""

    def start(*arguments, **settings):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        env = {**env, **settings.pop("env", {})}  # Threads: NumPy starts faster.
        env.pop("TF_CPP_MIN_LOG_LEVEL", None)
        return subprocess.Popen(
            [sys.executable, "-m", "demo", *arguments],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings},
            cwd=folder,
            env=env,
            text=True,
        )

    return start


@pytest.fixture
def demo(start):
    """Runs the demo: exit code, standard output, standard error."""

    def demo(*arguments, **settings):
        process = start(*arguments, **settings)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return demo


def test_main_gets_its_config_from_flags_and_flagfiles_and_the_later_wins(demo):
    assert demo("--seed=5", "--flagfile=good.flags") == (0, "11\n", "")
    assert demo("--flagfile=good.flags", "--seed=5") == (0, "5\n", "")


def test_help_is_for_people_and_imports_nothing_heavy(demo):
    status, out, err = demo("--help", env={"PYTHONVERBOSE": "1"})
    assert status == 0
    assert not [
        line
        for line in err.splitlines()
        if line.startswith(("import 'tensorflow'", "import 'keras'", "import 'tqdm'"))
    ]
    assert out.startswith("Does what --mode says.\n\nUsage: python -m demo ")
    assert "What to do:\n  --mode=TEXT\n      What to do. (default: ok)\n" in out
    assert "--debug" in out.replace("[no]", "")
    assert "verbosity" not in out


def test_helpfull_shows_flags_of_absl_too(demo):
    status, out, err = demo("--helpfull")
    assert (status, err) == (0, "")
    assert "--mode" in out
    assert "--verbosity" in out


@pytest.mark.parametrize(
    "argument, told",
    [
        ("--sede=3", "Unknown command line flag 'sede'. Did you mean: seed"),
        ("--seed=abc", "flag --seed=abc: expected a whole number. See --help."),
        ("--seed", "Missing value for flag --seed. See --help."),
        ("--flagfile=nix", "--flagfile=nix cannot be read: No such file or directory."),
        ("--flagfile=stray.flags", "Expected only flags, as --name=value; got"),
        ("--flagfile=binary.flags", "A flagfile is no text: "),
        ("stray", "Expected only flags, as --name=value; got 'stray'."),
    ],
)
def test_wrong_flags_are_one_line_and_exit_2(demo, argument, told):
    status, out, err = demo(argument)
    assert (status, out) == (2, "")
    assert err.startswith(f"demo: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "mode, status, told",
    [
        ("input", 2, "Expected a. Got b."),
        ("run", 1, "The loss is nan."),
        ("bug", 1, "KeyError: 'a\\nb' Run again with --debug for the traceback."),
        ("silent bug", 1, "AssertionError Run again with --debug for the traceback."),
        ("full", 1, "No space left on device. Run again with --debug for the trace"),
        ("missing", 1, "no/such/file: No such file or directory. Run again with"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(demo, mode, status, told):
    got, out, err = demo(f"--mode={mode}")
    assert (got, out) == (status, "")
    assert err.startswith(f"demo: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("mode, status", [("input", 2), ("bug", 1)])
def test_debug_shows_the_traceback_with_the_same_exit_code(demo, mode, status):
    got, _, err = demo(f"--mode={mode}", "--debug")
    assert got == status
    assert err.startswith("Traceback")


def test_what_main_returns_is_the_exit_code(demo):
    assert demo("--mode=status") == (7, "", "")


def test_a_full_disk_under_standard_output_is_one_line(demo):
    with open("/dev/full", "w") as full:
        status, _, err = demo(stdout=full)
    assert status == 1
    assert err.startswith("demo: No space left on device.")
    assert err.count("\n") == 1


def test_a_closed_pipe_ends_quietly(start):
    with start("--mode=much") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 128 + signal.SIGPIPE


STOPPED = "demo: stopped; run the same command again to continue\n"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode, saved", [("loop", "saved\n"), ("sleep", "")])
def test_a_signal_stops_the_work_and_a_loop_may_save_first(start, mode, saved, signum):
    process = start(f"--mode={mode}")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signum)
    assert process.communicate(timeout=20) == (saved, STOPPED)
    assert process.returncode == 128 + signum


def test_a_signal_in_the_last_step_is_not_forgotten(start):
    process = start("--mode=last")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20) == ("", STOPPED)
    assert process.returncode == 143


def test_a_second_signal_kills_at_once(start):
    with start("--mode=stuck") as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stuck\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
    assert time.monotonic() - begin < 10


def test_tensorflow_is_imported_without_a_word(demo):
    assert demo("--mode=tensorflow") == (0, "tensorflow 2\n3\n", "")


def test_what_tensorflow_said_is_shown_with_debug_and_when_it_fails(demo):
    _, _, err = demo("--mode=tensorflow", "--debug")
    assert err == "E0000 cuInit\nW0000 no GPU\n"
    status, _, err = demo("--mode=tensorflow", env={"BROKEN": "1"})
    assert status == 1
    assert err.startswith("E0000 cuInit\ndemo: ImportError: no libcudart")
