"""Which processes compute one run together, by flags or by TF_CONFIG.

A cluster is a list of addresses, the same in every process, and the place of this
process in it. The first one is the chief. Nothing here needs TensorFlow.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ns_tf.base import InputError
from ns_tf.engine.config import ExecutionConfig

VARIABLE = "TF_CONFIG"
SEVERAL = "multi_worker"  # The strategy of several workers.
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that compute one run together.

    Args:
        addresses: Of the workers, as host:port, at least one; the chief's is the first.
        index: The place of this process among them, from 0.
        seconds: That it waits for the others at the start; says not who they are.
    """

    addresses: tuple[str, ...]
    index: int
    seconds: float = dataclasses.field(default=300.0, compare=False, repr=False)

    @staticmethod
    def parts(address: str) -> tuple[str, str]:
        """Host and port of an address; the port is empty if there is none.

        >>> Cluster.parts("[::1]:2222")
        ('::1', '2222')
        """
        host, _, port = address.rpartition(":")
        return host.strip("[]"), port


def cluster_of(
    config: ExecutionConfig, environment: Mapping[str, str] | None = None
) -> Cluster | None:
    """The cluster that a run is to be computed by; None if this process does it alone.

    >>> config = ExecutionConfig(workers_at=("one:2222", "two:2222"), worker=1)
    >>> cluster_of(config, {})
    Cluster(addresses=('one:2222', 'two:2222'), index=1)
    >>> cluster_of(ExecutionConfig(), {}) is None
    True

    Args:
        config: Its flags name the workers, or leave that to the environment.
        environment: Its TF_CONFIG is read; that of the process if None.

    Raises:
        InputError: there is no such cluster, or flags, environment and strategy
            contradict each other.
    """
    environment = os.environ if environment is None else environment
    given = _of_flags(config)
    told = _of_text(environment.get(VARIABLE))
    if given and told and given != told:
        raise InputError(
            f"--workers_at and {VARIABLE} name different workers ({_text(given)}; "
            f"{_text(told)}). Give one of them."
        )
    found = given or told
    if found:
        found = dataclasses.replace(found, seconds=config.workers_seconds)
    if config.strategy == "auto":
        # Some schedulers set TF_CONFIG for a single process as well.
        alone = found is None or (given is None and len(found.addresses) == 1)
        return None if alone else _several(found)
    if config.strategy == SEVERAL:
        if found is None:
            raise InputError(
                f"--strategy={SEVERAL} needs workers: give --workers_at=host:port,"
                f"host:port and --worker=0, or set {VARIABLE}={_EXAMPLE}."
            )
        return _several(found)
    if found and (given or len(found.addresses) > 1):
        raise InputError(
            f"--strategy={config.strategy} computes in one process, and "
            f"{'--workers_at' if given else VARIABLE} names workers ({_text(found)}): "
            f"give --strategy={SEVERAL}, or no workers."
        )
    return None


def _several(found: Cluster) -> Cluster:
    """The cluster; refuses one of a single worker."""
    if len(found.addresses) == 1:
        raise InputError(
            f"Expected at least two workers; got {found.addresses[0]} alone. Name the "
            "others, or give --strategy=one_device or mirrored."
        )
    return found


def _of_flags(config: ExecutionConfig) -> Cluster | None:
    """The cluster of `--workers_at` and `--worker`; None if neither is given."""
    if not config.workers_at and config.worker is None:
        return None
    if not config.workers_at or config.worker is None:
        raise InputError(
            "--workers_at and --worker go together: all addresses, and which of them "
            "is this process's, as --workers_at=host1:2222,host2:2222 --worker=0."
        )
    return _checked("--workers_at", config.workers_at, "--worker", config.worker)


def _of_text(text: str | None) -> Cluster | None:
    """The cluster of a TF_CONFIG; None if it is not set."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"{VARIABLE} is no JSON ({error}). Expected {_EXAMPLE}."
        ) from error
    value = value if isinstance(value, dict) else {}
    cluster, task = value.get("cluster"), value.get("task")
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise InputError(f"{VARIABLE} names no cluster and task: expected {_EXAMPLE}.")
    others = sorted(set(cluster) - {"chief", "worker"})
    if others:
        raise InputError(
            f"{VARIABLE} has jobs that are not used here ({', '.join(others)}): "
            "expected workers, and perhaps a chief."
        )
    chiefs, workers = (_listed(cluster, job) for job in ("chief", "worker"))
    kind, index = task.get("type"), task.get("index")
    jobs = {"chief": chiefs, "worker": workers}
    if kind not in jobs or type(index) is not int or not 0 <= index < len(jobs[kind]):
        raise InputError(
            f"{VARIABLE} gives this process the task {kind} {index}; expected one of "
            f"the {len(chiefs + workers)} of its cluster, counted from 0."
        )
    place = index + (len(chiefs) if kind == "worker" else 0)
    return _checked(VARIABLE, chiefs + workers, "its task", place)


def _listed(cluster: Mapping[str, Any], job: str) -> list[str]:
    """The addresses of a job of TF_CONFIG; none if it is left out."""
    addresses = cluster.get(job, [])
    if not isinstance(addresses, list) or not all(
        isinstance(address, str) for address in addresses
    ):
        raise InputError(
            f"{VARIABLE} has {addresses!r} as {job}; expected a list of host:port."
        )
    return addresses


def _checked(
    source: str, addresses: Sequence[str], chooser: str, index: int
) -> Cluster:
    """The cluster; refuses addresses that are none or are twice there, and the index.

    Args:
        source: What names the addresses, for errors.
        addresses: As host:port.
        chooser: What gives the index, for errors.
        index: From 0.
    """
    for address in addresses:
        host, port = Cluster.parts(address)
        if not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise InputError(
                f"{source}: {address!r} is no address; expected host:port, as "
                "host1:2222."
            )
    if len(set(addresses)) < len(addresses):
        raise InputError(
            f"{source} names an address twice ({', '.join(addresses)}); every worker "
            "needs one of its own."
        )
    if not 0 <= index < len(addresses):
        raise InputError(
            f"{chooser} is {index}, and {source} names {len(addresses)} workers: "
            f"expected a number from 0 to {len(addresses) - 1}."
        )
    return Cluster(tuple(addresses), index)


def _text(cluster: Cluster) -> str:
    """The addresses and the place of this process, for errors."""
    return f"{', '.join(cluster.addresses)}; worker {cluster.index}"
