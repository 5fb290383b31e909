"""Worker processes on this machine, and the oracle that deals out work to them.

A worker finds its name and the oracle's address in keras-tuner's environment variables.
Its standard input is a pipe from the process that started it: the system closes the
pipe when that process dies, however it dies, and the worker then stops.
"""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras_tuner

from ns_tf.base import RunError
from ns_tf.crew.trials import PATIENCE, Chief

RESTARTS = 3  # Of one worker; killed once more, it ends the work.
_ORPHAN = "NS_TF_STOP_WITH_STDIN"  # Set for workers: they stop when stdin is closed.


class Crew:
    """Worker processes on this machine, and the oracle that they ask; a context.

    Entering starts the oracle and the workers. Leaving asks the workers to stop, waits
    for them to save, and kills those that take more than `PATIENCE` seconds.

    Args:
        oracle: Deals out the work.
        command: Starts a worker (`ns_tf.crew.trials.Worker`).
        count: How many workers.
        folder: Where keras-tuner's notes and the workers' logs go.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        command: Sequence[str],
        count: int,
        folder: str | Path,
    ):
        self.oracle, self.command, self.folder = oracle, list(command), Path(folder)
        self.names = [f"worker{i}" for i in range(count)]
        self.logs = {name: self.folder / f"{name}.log" for name in self.names}
        self._processes: dict[str, subprocess.Popen] = {}
        self._restarts = dict.fromkeys(self.names, 0)

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for log in self.logs.values():
            log.unlink(missing_ok=True)
        address = {
            "KERASTUNER_ORACLE_IP": "127.0.0.1",
            "KERASTUNER_ORACLE_PORT": str(_free_port()),
        }
        self._environment = {**os.environ, **address, _ORPHAN: "1"}
        with _set(**address, KERASTUNER_TUNER_ID="chief"):
            self._chief = Chief(self.oracle, self.folder)
        for name in self.names:
            self._start(name)
        return self

    def __exit__(self, *exception):
        """Asks the workers that still run to stop, and waits until they have saved."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._chief.close()

    @property
    def working(self) -> bool:
        """Whether any worker still runs. Starts a worker that was killed again.

        Raises:
            RunError: a worker exited with an error, with its last line; or was killed
                more than `RESTARTS` times.
        """
        for name, process in list(self._processes.items()):
            status = process.poll()
            if status is None:
                continue
            del self._processes[name]
            if status > 0:
                raise RunError(f"{name} failed: {self.last_line(name)}")
            if status < 0:
                self._start_again(name, -status)
        return bool(self._processes)

    def last_line(self, name: str) -> str:
        """The last line of a worker's log; empty if there is none.

        Args:
            name: Of the worker, one of `names`.
        """
        with contextlib.suppress(OSError, IndexError):
            text = self.logs[name].read_bytes()[-2000:].decode(errors="replace")
            return text.strip().splitlines()[-1]
        return ""

    def _start(self, name: str) -> None:
        """Starts a worker in a session of its own; its output goes to its log.

        A log keeps the output of a worker that was started again.
        """
        environment = {**self._environment, "KERASTUNER_TUNER_ID": name}
        with open(self.logs[name], "ab") as log:
            self._processes[name] = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,  # Closed when this process dies.
                stdout=log,
                stderr=log,
                env=environment,
                # A terminal's Ctrl-C reaches only the process that started it.
                start_new_session=True,
            )

    def _start_again(self, name: str, signum: int) -> None:
        """Starts a killed worker again; the oracle gives it the trial that it had.

        Raises:
            RunError: it was killed more than `RESTARTS` times.
        """
        self._restarts[name] += 1
        if self._restarts[name] > RESTARTS:
            raise RunError(
                f"{name} was killed {self._restarts[name]} times, the last time by "
                f"signal {signum}: is memory short? Use fewer --workers; see "
                f"{self.logs[name]}."
            )
        self._start(name)


def has_parent() -> bool:
    """Whether a `Crew` started this process as a worker."""
    return _ORPHAN in os.environ


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Calls `stop` from a thread when the process that started this worker is gone.

    Returns at once; does nothing in a process that no `Crew` started.

    Args:
        stop: Ends this process, as by a signal to itself.
    """
    if not has_parent():
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        stop()

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _set(**variables: str) -> Iterator[None]:
    """Sets environment variables inside the block, and restores them after it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
