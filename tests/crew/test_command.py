"""What a command does that several processes share: lead, or work and end."""

import os
import signal

import pytest

from ns_tf.base import InputError
from ns_tf.crew import command, processes, trials, work
from ns_tf.run.stop import Interrupted


class Pieces:
    entered = left = False

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, *exception):
        self.left = True


@pytest.fixture
def role(monkeypatch):
    """Gives this process a role."""

    def role(name):
        monkeypatch.setattr(trials, "role", lambda: name)
        monkeypatch.setattr(trials, "check_chief", lambda: None)

    return role


@pytest.mark.parametrize("name", ["alone", "chief"])
def test_whoever_is_no_worker_leads(role, name):
    role(name)
    pieces, calls = Pieces(), []

    def lead(made, watch):
        assert made is pieces and pieces.entered and not pieces.left
        calls.append(watch)
        return "done"

    assert command.run(lambda: pieces, lead) == "done"
    assert pieces.left and len(calls) == 1 and not calls[0].stop.requested


def test_a_worker_does_pieces_and_does_not_lead(role, monkeypatch):
    role("worker")
    pieces, calls = Pieces(), []
    monkeypatch.setattr(work, "run", lambda made, watch: calls.append(made))
    monkeypatch.setattr(processes, "stop_with_parent", calls.append)
    assert command.run(lambda: pieces, pytest.fail) is None
    stop, made = calls
    assert made is pieces and pieces.left and callable(stop)


def test_a_signal_ends_the_work_as_its_block_ends(role):
    role("alone")
    pieces = Pieces()

    def lead(made, watch):
        os.kill(os.getpid(), signal.SIGTERM)
        assert watch.stop.requested
        return "too late"

    with pytest.raises(Interrupted) as error:
        command.run(lambda: pieces, lead)
    assert error.value.signum == signal.SIGTERM and pieces.left


def test_an_address_that_cannot_be_served_is_refused_before_anything_is_made(
    monkeypatch,
):
    for name, value in (
        ("TUNER_ID", "chief"),
        ("ORACLE_IP", "203.0.113.7"),
        ("ORACLE_PORT", "8000"),
    ):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    with pytest.raises(InputError, match="cannot be served at 203.0.113.7:8000"):
        command.run(pytest.fail, pytest.fail)
