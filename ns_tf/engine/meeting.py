"""Where the workers of a cluster meet before TensorFlow joins them.

TensorFlow waits for a worker without an end, says nothing, and takes no signal while it
does. So workers first tell the chief that they are there, over a connection of their
own at the chief's address. The chief lets all of them go on at once, or tells them who
is missing.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Collection, Iterator

from ns_tf.base import InputError, RunError
from ns_tf.engine.cluster import Cluster

_HELLO = b"ns_tf"  # Begins what a worker says; its place and their number follow.
_ALL = b"all"  # What the chief answers, or the places of those that are missing.
_LONGEST = 65536  # Bytes of either.
_PAUSE = 0.2  # Seconds between two tries to reach the chief.
_GRACE = 5.0  # Seconds in which a message passes.


def meet(cluster: Cluster) -> None:
    """Waits until all workers of a cluster are there, at most its `seconds`.

    That time begins anew when the chief comes.

    Args:
        cluster: Of this process. At its own address nobody listens when this returns.

    Raises:
        InputError: a host has no address, or a port is taken or reserved.
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
    except OSError as error:
        raise InputError(
            f"The worker {address} cannot be found: {error.strerror}. Give hosts that "
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
    """
    end = time.monotonic() + cluster.seconds
    others = set(range(1, len(cluster.addresses)))
    with contextlib.ExitStack() as stack:
        here: dict[int, socket.socket] = {}
        while here.keys() != others:
            left = max(0.0, end - time.monotonic())
            ready, _, _ = select.select([server, *here.values()], [], [], left)
            if not ready:
                break
            # A worker that said who it is says no more: it has ended.
            here = {i: one for i, one in here.items() if one not in ready}
            if server in ready:
                one = stack.enter_context(server.accept()[0])
                index = _introduced(one, len(cluster.addresses))
                if index in others:
                    here[index] = one
        missing = sorted(others - here.keys())
        for one in here.values():
            with contextlib.suppress(OSError):  # It has just ended.
                one.sendall(" ".join(map(str, missing)).encode() or _ALL)
    return missing


def _introduced(one: socket.socket, count: int) -> int | None:
    """The place of the worker at a connection; None if it is no worker of so many."""
    one.settimeout(_GRACE)
    with contextlib.suppress(OSError, ValueError):
        hello, index, said = one.recv(_LONGEST).split()
        if hello == _HELLO and int(said) == count:
            return int(index)
    return None


def _report(cluster: Cluster) -> Collection[int]:
    """Tells the chief that this worker is there, and waits for its word.

    Returns:
        The places of those that are missing; the chief's if it does not answer.
    """
    end = time.monotonic() + cluster.seconds
    host = cluster.parts(cluster.addresses[0])
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            with socket.create_connection(host, timeout=_GRACE) as chief:
                chief.sendall(
                    b"%b %d %d" % (_HELLO, cluster.index, len(cluster.addresses))
                )
                # It may have come later than this worker, and waits as long.
                chief.settimeout(cluster.seconds + _GRACE)
                with contextlib.suppress(ValueError):
                    if word := chief.recv(_LONGEST):
                        return [] if word == _ALL else list(map(int, word.split()))
        time.sleep(_PAUSE)
    return [0]


def _absent(cluster: Cluster, missing: Collection[int]) -> RunError:
    """The error that names who did not come."""
    names = ", ".join(f"worker {i} ({cluster.addresses[i]})" for i in missing)
    return RunError(
        f"These workers did not come within {cluster.seconds:g} s: {names}. Start the "
        "same command on all workers, with the same addresses, or give a longer "
        "--workers_seconds."
    )
