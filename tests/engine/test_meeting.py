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


def hello(at, index):
    """What a worker of these addresses says."""
    return b"ns_tf %d %b" % (index, meeting._digest(Cluster(tuple(at), index)))


def connected(at):
    """A connection to the chief of these addresses, as soon as it is there."""
    for _ in range(400):
        try:
            return socket.create_connection(Cluster.parts(at[0]), timeout=5)
        except OSError:
            time.sleep(0.005)
    raise AssertionError("there is no chief")


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

    def came():
        with connected(at) as one:
            one.sendall(hello(at, 1))
            time.sleep(0.05)

    visitor = threading.Thread(target=came)
    visitor.start()
    lines = meeting_of(at, (0, 2), 1.0, late=(2,))
    visitor.join()
    assert all(f"within 1 s: worker 1 ({at[1]})" in line for line in lines)


def test_others_are_no_workers_and_are_let_go():
    at = addresses(2)
    own = meeting._digest(Cluster(tuple(at), 1))
    with ThreadPoolExecutor(1) as pool:
        chief = pool.submit(meeting_of, at, (0,), 1.5)
        # The last one says nothing in the time in which a message passes.
        for said in (b"GET / HTTP/1.1", b"ns_tf x " + own, hello(at, 0), b""):
            with connected(at) as visitor:
                visitor.sendall(said)
                assert not visitor.recv(99), "it may try again"
        assert f"worker 1 ({at[1]})" in chief.result()[0]


def test_a_worker_that_comes_twice_counts_once():
    at = addresses(3)
    with ThreadPoolExecutor(1) as pool:
        chief = pool.submit(meeting_of, at, (0,), 20.0)
        with connected(at) as first, connected(at) as again, connected(at) as other:
            first.sendall(hello(at, 1))
            again.sendall(hello(at, 1))
            assert not first.recv(99)
            other.sendall(hello(at, 2))
            assert again.recv(99) == other.recv(99) == b"missing"
        assert chief.result() == ["met"]


@pytest.mark.parametrize("kept", [0, 1], ids=["fewer", "another"])
def test_workers_of_other_addresses_are_told_so(kept):
    """TensorFlow would wait for them without an end."""
    at = addresses(3)
    others = [*at[:2], *addresses(1)[:kept]]
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(meet, Cluster(tuple(at), 0, 20.0))
        with connected(at) as waiting:
            waiting.sendall(hello(at, 2))
            other = pool.submit(meet, Cluster(tuple(others), 1, 20.0))
            assert waiting.recv(99) == b"other 1"
        for ended in (chief, other):
            with pytest.raises(InputError, match="^Worker 1 was given other addresses"):
                ended.result()


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
    for host in ("no.such.host.invalid", "a..b", "a" * 64):
        unknown = dataclasses.replace(cluster, addresses=(own, f"{host}:2222"))
        with pytest.raises(InputError, match=f"{host}:2222 cannot be found: [A-Z]"):
            meet(unknown)
