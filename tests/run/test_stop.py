"""Signals: the work stops, and may save first."""

import functools
import signal
import time

import demo
import pytest

STOPPED = "demo: stopped; run the same command again to continue\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return demo.write(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def start(folder):
    """Starts the demo."""
    return functools.partial(demo.start, folder)


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
