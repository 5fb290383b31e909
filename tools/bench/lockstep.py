"""Several ways to do the same work, taking turns: fair on a machine with other load.

Every way is a process of its own, so that its memory can be measured. Only one works at
a time. Parent and workers talk in lines of JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]  # Where `ns_tf` is imported from.


class Worker:
    """A process that answers one command at a time."""

    def __init__(self, script: str, environment: dict[str, str] | None = None):
        self.process = subprocess.Popen(
            [sys.executable, HERE / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """What the worker's function of that name returns.

        Raises:
            RuntimeError: the worker died; it has said why on standard error.
        """
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended in {do!r}: {self.process.args}")
        return json.loads(line)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error) -> None:
        self.process.kill()
        self.process.communicate()


def serve(**functions: Callable[..., dict[str, Any]]) -> None:
    """Answers the commands on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print is no answer.
    for line in sys.stdin:
        command = json.loads(line)
        answer = functions[command.pop("do")](**command)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def resident() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Clock:
    """Wall and CPU seconds since it was made."""

    def __init__(self):
        self.start = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """(wall, CPU) seconds."""
        return (
            time.perf_counter() - self.start[0],
            time.process_time() - self.start[1],
        )


class Parts:
    """Wall and CPU seconds of the parts of some work, each without those within it."""

    def __init__(self):
        self.seconds: dict[str, list[float]] = {}
        self._inner: list[list[float]] = []

    def timed(self, part: str, function: Callable) -> Callable:
        """The function, its time booked under `part`."""

        def call(*args, **keywords):
            self._inner.append([0.0, 0.0])
            clock = Clock()
            try:
                return function(*args, **keywords)
            finally:
                spent, inner = clock.read(), self._inner.pop()
                mine = self.seconds.setdefault(part, [0.0, 0.0])
                for i in (0, 1):
                    mine[i] += spent[i] - inner[i]
                    if self._inner:
                        self._inner[-1][i] += spent[i]

        return call

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Times the attribute `name` of a module or class from now on."""
        setattr(owner, name, self.timed(part, getattr(owner, name)))

    def taken(self) -> dict[str, list[float]]:
        """{part: [wall, CPU]} since the last call."""
        seconds, self.seconds = self.seconds, {}
        return seconds


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """One JSON object a line, in place of what the file held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
