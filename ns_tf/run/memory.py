"""What fits into memory: asked before something is read or made that may not."""

import os
from pathlib import Path

from ns_tf.base import InputError

_MEMINFO = Path("/proc/meminfo")
# What the processes of a container may take together, and what they take now.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def check_memory(size: int, what: str) -> None:
    """Passes what fits into the memory that is free.

    >>> check_memory(10**6, "x_train in a.npz")

    Args:
        size: Bytes.
        what: What takes them, as the error begins.

    Raises:
        InputError: there are not as many.
    """
    free = available()
    if size > free:
        raise InputError(
            f"{what} would take {size / 1e9:,.1f} GB of memory; {free / 1e9:,.1f} GB "
            "are free. Give less, or smaller ones."
        )


def available() -> int:
    """Bytes of memory that this process can still take."""
    return min(_of_machine(), *map(_of_group, _GROUPS))


def _of_machine() -> int:
    """Bytes that are free, those of caches among them."""
    try:
        lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):  # Not Linux: what the machine has in all.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_group(paths: tuple[str, str]) -> int:
    """Bytes that are free by the limits of a container; without any, very many."""
    try:
        limit, used = (int(Path(path).read_text()) for path in paths)
    except (OSError, ValueError):  # There is no such limit; "max" is none either.
        return 2**63
    return max(0, limit - used)
