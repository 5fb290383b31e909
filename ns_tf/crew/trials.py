"""Independent pieces of work, each done once: keras-tuner's oracle deals them out.

In one process, in several on one machine (`crews`), or on several machines: there every
process is started with keras-tuner's own environment variables (KERASTUNER_TUNER_ID,
KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT), the one called "chief" serves the oracle.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner

from ns_tf.base import InputError, RunError
from ns_tf.run.folder import InUse
from ns_tf.run.stop import Stop

NAME = "name"  # The hyperparameter that says which piece of work a trial is.
PAUSE = 0.2  # Seconds between two looks at what others do.
PATIENCE = 120  # Seconds that a worker has to save its state.


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
    """No work is left."""


class Worker(base_tuner.BaseTuner):
    """Asks the oracle, in this process or the chief, for work and does it.

    Args:
        oracle: Deals out trials.
        work: Does a trial (`keras_tuner.engine.trial.Trial`); what the oracle
            minimises.
        folder: Where keras-tuner keeps its notes; emptied first.
        over: Whether nothing is left to do; asked while the chief does not answer.
        stop: Asked between trials whether to stop.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        work: Callable[[Any], float],
        folder: str | Path,
        *,
        over: Callable[[], bool] = lambda: False,
        stop: Stop | None = None,
    ):
        self.work, self.over, self.stop = work, over, stop or Stop()
        self._asked = False
        super().__init__(
            oracle, directory=str(folder), project_name=tuner_id(), overwrite=True
        )

    def pre_create_trial(self):
        """Waits a little, as the answer before may have been that all must wait."""
        if self._asked:
            time.sleep(PAUSE)
        self._asked = True
        self.stop.leave()
        while role() == "worker" and not _answers(*_address()):
            if self.over():
                raise _Over
            self.stop.leave()
            time.sleep(PAUSE)

    def run_trial(self, trial, *args, **keywords) -> float:
        """Does the work of a trial.

        Another process, whose chief was killed, may hold its folder; this one waits
        until that process has saved its state and ended.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.work(trial)
            except Exception as error:
                if not isinstance(error, InUse) or time.monotonic() > end:
                    raise _Failed(str(error)) from error
            self.stop.leave()
            time.sleep(PAUSE)

    def run(self) -> None:
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
        InputError: keras-tuner's environment variables are incomplete or no address.
    """
    names = [f"KERASTUNER_{n}" for n in ("TUNER_ID", "ORACLE_IP", "ORACLE_PORT")]
    missing = [name for name in names if not os.environ.get(name)]
    if len(missing) == len(names):
        return "alone"
    if missing:
        raise InputError(
            f"{', '.join(names)} go together; set {', '.join(missing)} as well, or "
            "none of them."
        )
    _address()
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


def check_chief() -> None:
    """Checks that this process, if it is the chief, can serve the oracle.

    Raises:
        InputError: it cannot, at the environment's address.
    """
    if role() != "chief":
        return
    host, port = _address()
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise InputError(
            f"The oracle cannot be served at {host}:{port}: {error.strerror}. Give an "
            "address of this machine, and a free port, in KERASTUNER_ORACLE_IP and "
            "KERASTUNER_ORACLE_PORT."
        ) from error


def _address() -> tuple[str, int]:
    """Where the oracle is, by keras-tuner's environment."""
    ip, port = (os.environ[f"KERASTUNER_ORACLE_{name}"] for name in ("IP", "PORT"))
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(f"KERASTUNER_ORACLE_PORT={port}: expected a port, 8000 say.")
    return ip, int(port)


def _answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
