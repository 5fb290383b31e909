"""Independent pieces of work, each done once: keras-tuner's oracle deals them out.

In one process, in several on one machine (`Crew`), or on several machines: there every
process is started with keras-tuner's own environment variables (KERASTUNER_TUNER_ID,
KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT), the one called "chief" serves the oracle.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner

from ns_tf.base import RunError

NAME = "name"  # The hyperparameter that says which piece of work a trial is.
PAUSE = 0.2  # Seconds between two looks at what others do.
PATIENCE = 120  # Seconds that a worker has to save its state.
RESTARTS = 3  # Of one worker that is killed again and again.
_ORPHAN = "NS_TF_STOP_WITH_STDIN"


class InOrder(keras_tuner.Oracle):
    """Deals out names, each once and after those that it waits for.

    Args:
        after: By name: the names that have to be done first. In the order of work.
    """

    def __init__(self, after: Mapping[str, Sequence[str]]):
        space = keras_tuner.HyperParameters()
        space.Choice(NAME, list(after))
        super().__init__(
            objective=keras_tuner.Objective("default_objective", "min"),
            hyperparameters=space,
            tune_new_entries=False,
            seed=1,
        )
        self.after = dict(after)
        self.waiting = list(after)
        self.verbose = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next name whose turn it is; IDLE while all that is left must wait."""
        if not self.waiting:
            return {"status": "STOPPED"}
        trials = [self.trials[ended] for ended in self.end_order]
        done = {trial.hyperparameters.get(NAME) for trial in trials}
        for name in self.waiting:
            if done.issuperset(self.after[name]):
                self.waiting.remove(name)
                return {"status": "RUNNING", "values": {NAME: name}}
        return {"status": "IDLE"}


class _Failed(keras_tuner.errors.FatalError):
    """Carries an error through keras-tuner, which would take it for a bad trial."""


class _Over(Exception):
    """Everything was done by others."""


class Worker(base_tuner.BaseTuner):
    """Asks the oracle, in this process or the chief, for work and does it.

    Args:
        oracle: Deals out trials.
        work: Does a trial (`keras_tuner.engine.trial.Trial`); what the oracle
            minimises.
        folder: Where keras-tuner keeps its notes; emptied first.
        over: Whether nothing is left to do; asked while the chief does not answer.
        stop: Asked between trials whether to stop (`ns_tf.cli.Stop`).
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        work: Callable[[Any], float],
        folder: str | Path,
        *,
        over: Callable[[], bool] = lambda: False,
        stop: Any = None,
    ):
        self.work, self.over, self.stop = work, over, stop
        self._asked = False
        super().__init__(
            oracle, directory=str(folder), project_name=tuner_id(), overwrite=True
        )

    def pre_create_trial(self):
        """Waits a little, as the answer before may have been that all must wait."""
        if self._asked:
            time.sleep(PAUSE)
        self._asked = True
        self._leave_if_asked()
        while role() == "worker" and not _answers(*_address()):
            if self.over():
                raise _Over
            self._leave_if_asked()
            time.sleep(PAUSE)

    def _leave_if_asked(self) -> None:
        if self.stop is not None:
            self.stop.leave()

    def run_trial(self, trial, *args, **keywords) -> float:
        """Does the work of a trial."""
        try:
            return self.work(trial)
        except Exception as error:
            raise _Failed(str(error)) from error

    def go(self) -> None:
        """Works until nothing is left.

        Raises:
            Exception: whatever the work raised.
        """
        try:
            self.search(verbose=0)
        except _Over:
            return
        except _Failed as failed:
            raise failed.__cause__ from None
        finally:
            shutil.rmtree(self.project_dir, ignore_errors=True)


def tuner_id() -> str:
    """What keras-tuner calls this process."""
    return os.environ.get("KERASTUNER_TUNER_ID", "tuner0")


def role() -> str:
    """What this process does: "alone", "chief" or "worker".

    Raises:
        RunError: keras-tuner's environment variables are incomplete.
    """
    names = [f"KERASTUNER_{n}" for n in ("TUNER_ID", "ORACLE_IP", "ORACLE_PORT")]
    missing = [name for name in names if not os.environ.get(name)]
    if len(missing) == len(names):
        return "alone"
    if missing:
        raise RunError(
            f"{', '.join(names)} go together; set {', '.join(missing)} as well, or "
            "none of them."
        )
    return "chief" if "chief" in tuner_id() else "worker"


class Chief:
    """Serves an oracle at the environment's address, in a thread.

    Args:
        oracle: Deals out the work.
        folder: Where keras-tuner keeps its notes.
    """

    def __init__(self, oracle: keras_tuner.Oracle, folder: str | Path):
        if _answers(*_address()):
            raise self._taken()
        worker = Worker(oracle, lambda trial: 0.0, folder)
        self._notes = worker.project_dir
        # keras-tuner's server ends when every worker was told that nothing is left, so
        # it waits for one that died: a thread that nobody has to wait for.
        self._thread = threading.Thread(
            target=worker.search, kwargs={"verbose": 0}, daemon=True
        )
        self._thread.start()
        while not _answers(*_address()):
            if not self.serving:
                raise self._taken()
            time.sleep(0.05)

    def close(self) -> None:
        """Removes keras-tuner's notes; what was done is kept by who did it."""
        shutil.rmtree(self._notes, ignore_errors=True)

    def _taken(self) -> RunError:
        address = ":".join(map(str, _address()))
        return RunError(
            f"The oracle cannot be served at {address}: is the port taken, or the "
            "address another machine's?"
        )

    @property
    def serving(self) -> bool:
        """Whether work is left, or a worker that was not told yet that none is."""
        return self._thread.is_alive()


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


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Calls `stop` when the process that started this one as a worker is gone."""
    if _ORPHAN not in os.environ:
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


def _address() -> tuple[str, int]:
    """Where the oracle is, by keras-tuner's environment."""
    ip, port = (os.environ[f"KERASTUNER_ORACLE_{name}"] for name in ("IP", "PORT"))
    return ip, int(port)


def _answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
