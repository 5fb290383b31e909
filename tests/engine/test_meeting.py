"""Workers meet, or learn who is missing."""

import dataclasses
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from crowd import addresses

from ns_tf.base import InputError, RunError
from ns_tf.engine import meeting
from ns_tf.engine.cluster import Cluster
from ns_tf.engine.meeting import meet


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits for long."""
    monkeypatch.setattr(meeting, "_PAUSE", 0.01)
    monkeypatch.setattr(meeting, "_GRACE", 0.5)


def meeting_of(at, indices, seconds, late=()):
    """What the workers of these places come to: "met", or the line of their error."""

    def act(index):
        time.sleep(0.2 if index in late else 0)
        try:
            meet(Cluster(tuple(at), index, seconds))
        except RunError as error:
            return str(error)
        return "met"

    with ThreadPoolExecutor(len(indices)) as pool:
        return list(pool.map(act, indices))


@pytest.mark.parametrize("late", [(), (0,), (1, 2)], ids=str)
def test_workers_meet_whoever_comes_last_and_leave_their_ports_free(late):
    at = addresses(3)
    assert meeting_of(at, range(3), 20.0, late) == ["met"] * 3
    assert meeting_of(at, range(3), 20.0) == ["met"] * 3, "as after a kill"


def test_all_learn_who_did_not_come():
    at = addresses(4)
    missing = f"worker 1 ({at[1]}), worker 3 ({at[3]})"
    for line in meeting_of(at, (0, 2), 0.5):
        assert line.startswith(f"These workers did not come within 0.5 s: {missing}.")
        assert "\n" not in line
    (line,) = meeting_of(at, (2,), 0.3)
    assert f"within 0.3 s: worker 0 ({at[0]}). Start the same command" in line


def test_a_worker_that_ended_while_it_waited_is_missing_and_may_come_again():
    at = addresses(3)
    port = int(at[0].rpartition(":")[2])

    def came():
        for _ in range(200):
            try:
                one = socket.create_connection(("127.0.0.1", port))
            except OSError:
                time.sleep(0.01)
                continue
            one.sendall(b"ns_tf 1 3")
            time.sleep(0.05)
            return one.close()

    visitor = threading.Thread(target=came)
    visitor.start()
    lines = meeting_of(at, (0, 2), 1.0, late=(2,))
    visitor.join()
    assert all(f"within 1 s: worker 1 ({at[1]})" in line for line in lines)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1", b"ns_tf 1 7", b"ns_tf x 2", b""])
def test_others_are_no_workers(said):
    at = addresses(2)

    def visit():
        one = socket.create_connection(("127.0.0.1", int(at[0].rpartition(":")[2])))
        one.sendall(said)
        return one

    with ThreadPoolExecutor(1) as pool:
        chief = pool.submit(meeting_of, at, (0,), 0.6)
        for _ in range(100):
            try:
                visitor = visit()
                break
            except OSError:
                time.sleep(0.005)
        assert "worker 1" in chief.result()[0]
        visitor.close()


def test_who_listens_at_the_chiefs_address_and_does_not_answer_is_no_chief():
    at = addresses(2)
    with socket.create_server(("127.0.0.1", int(at[0].rpartition(":")[2]))):
        (line,) = meeting_of(at, (1,), 0.2)
    assert f"worker 0 ({at[0]})" in line


def test_a_port_that_is_taken_and_a_host_that_nobody_knows_are_refused():
    own, other = addresses(2)
    cluster = Cluster((own, other), 0, 0.1)
    with socket.create_server(("", int(own.rpartition(":")[2]))):
        with pytest.raises(InputError, match=f"cannot listen at {own}: Address"):
            meet(cluster)
    unknown = dataclasses.replace(cluster, addresses=(own, "no.such.host.invalid:2222"))
    with pytest.raises(InputError, match="no.such.host.invalid:2222 cannot be found"):
        meet(unknown)
