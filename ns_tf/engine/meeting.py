"""Where the workers of a cluster meet before TensorFlow joins them.

TensorFlow waits for a worker without an end, says nothing, and takes no signal while it
does. So workers first tell the chief that they are there, over a connection of their
own at the chief's address. The chief lets all of them go on at once, or tells them who
is missing.
"""

import contextlib
import hashlib
import os
import re
import select
import socket
import time
from collections.abc import Collection, Iterable, Iterator

from ns_tf.base import InputError, RunError
from ns_tf.engine.cluster import Cluster

_HELLO = b"ns_tf"  # Begins what a worker says; its place and a digest follow.
_MISSING = b"missing"  # The chief's answer, and their places; if it is none, all go on.
_OTHER = b"other"  # Its answer, and the place of a worker that has other addresses.
_ANSWER = re.compile(rb"(%b|%b)((?: \d+)*)" % (_MISSING, _OTHER))
_LONGEST = 65536  # Bytes of either.
_PAUSE = 0.2  # Seconds between two tries to reach the chief.
_GRACE = 5.0  # Seconds in which a message passes.


def meet(cluster: Cluster) -> None:
    """Waits until all workers of a cluster are there, at most its `seconds`.

    That time begins anew when the chief comes.

    Args:
        cluster: Of this process. At its own address nobody listens when this returns.

    Raises:
        InputError: a host has no address, a port is taken or reserved, or a worker was
            given other addresses than the chief.
        RunError: not all workers came; names those that did not.
    """
    for address in cluster.addresses:
        _check_host(cluster, address)
    with _listening(cluster) as server:
        if cluster.index == 0:
            missing = _gather(cluster, server)
        else:
            missing = _report(cluster)
    if missing:
        raise _absent(cluster, missing)


def _check_host(cluster: Cluster, address: str) -> None:
    """Refuses an address whose host nobody knows."""
    try:
        socket.getaddrinfo(*cluster.parts(address))
    except (OSError, UnicodeError) as error:  # A name may be none, as "a..b".
        why = getattr(error, "strerror", None) or "No host can have this name"
        raise InputError(
            f"The worker {address} cannot be found: {why}. Give hosts that "
            "this machine knows."
        ) from error


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[socket.socket]:
    """A block in which this process listens at its own address.

    Raises:
        InputError: it cannot.
    """
    own = cluster.addresses[cluster.index]
    both = socket.has_dualstack_ipv6()
    try:
        server = socket.create_server(
            ("", int(cluster.parts(own)[1])),
            family=socket.AF_INET6 if both else socket.AF_INET,
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise InputError(
            f"Worker {cluster.index} cannot listen at {own}: "
            f"{os.strerror(error.errno)}. End the process that does, or give another "
            "port to all workers."
        ) from error
    with server:
        yield server


def _gather(cluster: Cluster, server: socket.socket) -> Collection[int]:
    """Lets all workers go on, or tells them who is missing; what the chief does.

    Returns:
        The places of those that are missing.

    Raises:
        InputError: a worker was given other addresses.
    """
    end = time.monotonic() + cluster.seconds
    others = set(range(1, len(cluster.addresses)))
    here: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        while here.keys() != others:
            left = max(0.0, end - time.monotonic())
            ready, _, _ = select.select([server, *here.values()], [], [], left)
            if not ready:
                break
            # A worker that said who it is says no more: it has ended.
            for index in [i for i, one in here.items() if one in ready]:
                here.pop(index).close()
            if server in ready:
                _receive(cluster, stack.enter_context(server.accept()[0]), here)
        missing = sorted(others - here.keys())
        _tell(here.values(), _MISSING, missing)
    return missing


def _receive(
    cluster: Cluster, one: socket.socket, here: dict[int, socket.socket]
) -> None:
    """Puts a connection to those of the workers that are here, or closes it.

    Args:
        cluster: Of the chief.
        one: The connection.
        here: Those of workers, by place.

    Raises:
        InputError: the worker was given other addresses; it and those here are told.
    """
    index, digest = _introduced(one)
    if index > 0 and digest != _digest(cluster):
        _tell([one, *here.values()], _OTHER, [index])
        raise _differing(index)
    if not 0 < index < len(cluster.addresses):
        one.close()  # A worker tries again.
        return
    if index in here:
        here[index].close()  # The worker was started again.
    here[index] = one


def _introduced(one: socket.socket) -> tuple[int, bytes]:
    """The place of the worker at a connection, and its digest; 0 if it is none."""
    one.settimeout(_GRACE)
    with contextlib.suppress(OSError, ValueError):
        hello, index, digest = one.recv(_LONGEST).split()
        if hello == _HELLO:
            return int(index), digest
    return 0, b""


def _digest(cluster: Cluster) -> bytes:
    """A few digits by which workers see that they were given the same addresses."""
    text = ",".join(cluster.addresses)
    return hashlib.sha256(text.encode()).hexdigest()[:16].encode()


def _tell(ones: Iterable[socket.socket], what: bytes, indices: Iterable[int]) -> None:
    """Answers workers: what is the matter, and with whom."""
    for one in ones:
        with contextlib.suppress(OSError):  # It has just ended.
            one.sendall(b" ".join([what, *(b"%d" % index for index in indices)]))


def _report(cluster: Cluster) -> Collection[int]:
    """Tells the chief that this worker is there, and waits for its word.

    Returns:
        The places of those that are missing; the chief's if it does not answer.

    Raises:
        InputError: a worker was given other addresses than the chief.
    """
    end = time.monotonic() + cluster.seconds
    while time.monotonic() < end:
        if answer := _ANSWER.fullmatch(_ask(cluster)):
            places = [int(place) for place in answer[2].split()]
            if answer[1] == _OTHER:
                raise _differing(*places)
            return places
        time.sleep(_PAUSE)
    return [0]


def _ask(cluster: Cluster) -> bytes:
    """What the chief answers to this worker; empty if it does not."""
    host = cluster.parts(cluster.addresses[0])
    with contextlib.suppress(OSError):
        with socket.create_connection(host, timeout=_GRACE) as chief:
            chief.sendall(b"%b %d %b" % (_HELLO, cluster.index, _digest(cluster)))
            # It may have come later than this worker, and waits as long.
            chief.settimeout(cluster.seconds + _GRACE)
            return chief.recv(_LONGEST)
    return b""


def _differing(index: int) -> InputError:
    """The error of a worker that does not have the chief's addresses."""
    return InputError(
        f"Worker {index} was given other addresses than the chief. Give all workers "
        "the same addresses, in the same order."
    )


def _absent(cluster: Cluster, missing: Collection[int]) -> RunError:
    """The error that names who did not come."""
    names = ", ".join(f"worker {i} ({cluster.addresses[i]})" for i in missing)
    return RunError(
        f"These workers did not come within {cluster.seconds:g} s: {names}. Start the "
        "same command on all workers, with the same addresses, or give a longer "
        "--workers_seconds."
    )
