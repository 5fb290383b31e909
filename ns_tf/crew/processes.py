"""Processes on this machine that share out the pieces of a work among them."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import keras_tuner

from ns_tf.base import RunError
from ns_tf.crew.trials import PATIENCE, Chief

RESTARTS = 3  # Of one worker that is killed again and again.
_ORPHAN = "NS_TF_STOP_WITH_STDIN"


class Crew:
    """Worker processes on this machine, and the oracle that they ask.

    Args:
        oracle: Deals out the work.
        command: Starts a worker, which finds its part in the environment.
        count: How many.
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
        """Asks what still runs to stop, and waits for it to save its state."""
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
        """Whether any still works; one that was killed is started again.

        Raises:
            RunError: a worker failed, or was killed too often.
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
        """The last thing that a worker said."""
        with contextlib.suppress(OSError, IndexError):
            text = self.logs[name].read_bytes()[-2000:].decode(errors="replace")
            return text.strip().splitlines()[-1]
        return ""

    def _start(self, name: str) -> None:
        environment = {**self._environment, "KERASTUNER_TUNER_ID": name}
        with open(self.logs[name], "ab") as log:
            self._processes[name] = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,  # Closed when this process dies.
                stdout=log,
                stderr=log,
                env=environment,
                # Ctrl-C is for the process that started it, which asks it to stop.
                start_new_session=True,
            )

    def _start_again(self, name: str, signum: int) -> None:
        """The oracle gives it the trial that it had."""
        self._restarts[name] += 1
        if self._restarts[name] > RESTARTS:
            raise RunError(
                f"{name} was killed {self._restarts[name]} times, the last time by "
                f"signal {signum}: is memory short? Use fewer --workers; see "
                f"{self.logs[name]}."
            )
        self._start(name)


def has_parent() -> bool:
    """Whether a `Crew` started this process."""
    return _ORPHAN in os.environ


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Calls `stop` when the process that started this one as a worker is gone."""
    if not has_parent():
        return

    def watch():
        while os.read(0, 1):
            pass
        stop()

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _set(**variables: str):
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
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
