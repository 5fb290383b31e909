"""Independent pieces of work, each done once: keras-tuner's oracle deals them out.

One process does all of them, or several on this machine share them
(`ns_tf.crew.processes`), or several machines do. On several machines every process is
started with keras-tuner's own environment variables (KERASTUNER_TUNER_ID,
KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT), and the one called "chief" serves the
oracle.
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

NAME = "name"  # The hyperparameter of a trial that names its piece of work.
PAUSE = 0.2  # Seconds between two questions to the oracle or looks at a folder.
PATIENCE = 120  # Seconds that a worker has to save its state.


class InOrder(keras_tuner.Oracle):
    """Deals out names in order, each once and after the names that it waits for.

    Args:
        after: By name, in the order of work: the names that have to be done first.
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

    def save(self) -> None:
        """Does nothing: what is done is seen on disk."""

    def _save_trial(self, trial: Any) -> None:
        """Does nothing, as `save`."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The first name that waits for nothing more, as keras-tuner has it.

        Returns:
            Status RUNNING with the name; IDLE while every name that is left waits for
            another; STOPPED when no name is left.
        """
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
    """Carries an error of the work through keras-tuner, which retries others."""


class _Over(Exception):
    """No work is left."""


class Worker(base_tuner.BaseTuner):
    """Asks the oracle, in this process or at the chief, for trials and does them.

    Args:
        oracle: Deals out trials.
        work: Does a trial (`keras_tuner.engine.trial.Trial`), and returns the number
            that the oracle minimises.
        folder: Where keras-tuner keeps its notes; they are removed at the end.
        over: Whether no work is left; asked while the chief does not answer.
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

    def pre_create_trial(self) -> None:
        """Waits before the next question: the last answer may have been IDLE.

        Raises:
            Interrupted: a signal asked to stop.
            _Over: the chief does not answer, and no work is left.
        """
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
        up to `PATIENCE` seconds for that process to save and end.

        Args:
            trial: From the oracle.
            *args: Of keras-tuner; not read.
            **keywords: Of keras-tuner; not read.

        Returns:
            The number that the oracle minimises.
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
        """Does trials until the oracle has none, or the chief is gone and none is left.

        Raises:
            Interrupted: a signal asked to stop.
            Exception: the error that the work raised.
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
    """The name of this process for keras-tuner."""
    return os.environ.get("KERASTUNER_TUNER_ID", "tuner0")


def role() -> str:
    """The role that the environment gives this process.

    Returns:
        "alone" without keras-tuner's environment variables; "chief" if it is called so;
        else "worker".

    Raises:
        InputError: the variables are incomplete, or the port is none.
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
    """Serves an oracle at the environment's address, in a thread of its own.

    Args:
        oracle: Deals out the work.
        folder: Where keras-tuner keeps its notes.

    Raises:
        RunError: somebody listens at the address, or it is another machine's.
    """

    def __init__(self, oracle: keras_tuner.Oracle, folder: str | Path):
        if _answers(*_address()):
            raise self._taken()
        worker = Worker(oracle, lambda trial: 0.0, folder)
        self._notes = worker.project_dir
        # keras-tuner's server ends once every worker knows that no work is left, and
        # so never ends if one has died. A daemon thread ends with the process.
        self._thread = threading.Thread(
            target=worker.search, kwargs={"verbose": 0}, daemon=True
        )
        self._thread.start()
        while not _answers(*_address()):
            if not self.serving:
                raise self._taken()
            time.sleep(0.05)

    def close(self) -> None:
        """Removes keras-tuner's notes; results are in the folders of the pieces."""
        shutil.rmtree(self._notes, ignore_errors=True)

    def _taken(self) -> RunError:
        """The error for an address that cannot be served."""
        address = ":".join(map(str, _address()))
        return RunError(
            f"The oracle cannot be served at {address}: is the port taken, or the "
            "address another machine's?"
        )

    @property
    def serving(self) -> bool:
        """Whether work is left, or a worker that does not know yet that none is."""
        return self._thread.is_alive()


def check_chief() -> None:
    """Refuses an address that this process, if it is the chief, cannot listen at.

    Raises:
        InputError: the address is another machine's, or the port is taken.
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
    """IP and port of the oracle, by keras-tuner's environment variables.

    Raises:
        InputError: the port is none.
    """
    ip, port = (os.environ[f"KERASTUNER_ORACLE_{name}"] for name in ("IP", "PORT"))
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(f"KERASTUNER_ORACLE_PORT={port}: expected a port, 8000 say.")
    return ip, int(port)


def _answers(host: str, port: int) -> bool:
    """Whether somebody listens at the address."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
