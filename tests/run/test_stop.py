"""Signals ask long work to stop, which may save first; the second one kills."""

import functools
import os
import signal
import threading
import time

import demo
import pytest

from ns_tf.run.stop import (
    Interrupted,
    Stop,
    by_default,
    handled_signals,
    interruptible,
    restore_signals,
)

STOPPED = "demo: stopped; run the same command again to continue\n"
BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers():
    """Gives the process back the handlers that it had."""
    before = {signum: signal.getsignal(signum) for signum in BOTH}
    yield before
    for signum, handler in before.items():
        signal.signal(signum, handler)


def raised(signum: int) -> None:
    os.kill(os.getpid(), signum)


def test_a_stop_made_by_hand_never_stops():
    stop = Stop()
    assert not stop.requested
    stop.leave()


@pytest.mark.parametrize("signum", BOTH)
def test_a_signal_requests_a_stop_and_the_block_ends_with_it(signum):
    steps = []
    with pytest.raises(Interrupted) as error:
        with interruptible() as stop:
            while not stop.requested:
                steps.append(len(steps))
                if len(steps) == 3:
                    raised(signum)
            steps.append("saved")
    assert steps == [0, 1, 2, "saved"]
    assert error.value.signum == signum


def test_leaving_raises_at_once():
    with pytest.raises(Interrupted):
        with interruptible() as stop:
            raised(signal.SIGTERM)
            stop.leave()
            raise AssertionError("it went on")


def test_interrupted_is_no_exception_that_work_catches():
    assert not issubclass(Interrupted, Exception)


def test_after_the_first_signal_the_next_one_kills():
    with pytest.raises(Interrupted):
        with interruptible():
            raised(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_patient_work_takes_every_signal_like_the_first():
    with pytest.raises(Interrupted) as error:
        with interruptible(patient=True) as stop:
            raised(signal.SIGINT)
            raised(signal.SIGTERM)
            assert stop.requested
    assert error.value.signum == signal.SIGTERM


def test_the_handlers_of_before_are_back_after_the_block(handlers):
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not handlers[signal.SIGINT]
    assert {signum: signal.getsignal(signum) for signum in BOTH} == handlers


def test_an_error_in_the_block_goes_through_and_handlers_are_back(handlers):
    with pytest.raises(ZeroDivisionError):
        with interruptible():
            raise ZeroDivisionError
    assert {signum: signal.getsignal(signum) for signum in BOTH} == handlers


def test_signals_that_nohup_turned_off_stay_off():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert handled_signals() == [signal.SIGTERM]
    with interruptible() as stop:
        raised(signal.SIGINT)
        assert not stop.requested
    restore_signals()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_in_another_thread_there_is_a_stop_that_never_stops(handlers):
    stops = []

    def work():
        with interruptible() as stop:
            stops.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert stops == [False]
    assert signal.getsignal(signal.SIGINT) is handlers[signal.SIGINT]


# In a process of their own.


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


def test_in_a_wait_signals_have_their_default_and_get_their_handlers_back():
    with interruptible():
        before = [signal.getsignal(number) for number in BOTH]
        with by_default():
            assert [signal.getsignal(n) for n in BOTH] == [signal.SIG_DFL] * 2
        assert [signal.getsignal(number) for number in BOTH] == before


def test_a_stop_of_one_process_needs_not_ask():
    stop = Stop()
    stop.ask()
    assert not stop.requested
