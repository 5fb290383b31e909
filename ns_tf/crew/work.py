"""Does a set of pieces of work: in this process, in several, or on several machines.

Either several processes share the pieces out, or several workers
(`ns_tf.engine.workers`) do every piece together.

`ns_tf.crew.trials` has the parts, made of keras-tuner's oracles. Pieces are the cells
of a comparison or the trials of a tuning.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ns_tf.base import InputError
from ns_tf.crew import trials
from ns_tf.crew.processes import Crew
from ns_tf.crew.trials import PAUSE, Chief, Worker
from ns_tf.engine.cluster import cluster_of
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.execution import Execution, forget_kernels
from ns_tf.engine.workers import Workers
from ns_tf.run import files
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.folder import WORKER_FLAGS, WORKERS
from ns_tf.run.watch import Watch


class Work(Protocol):
    """Pieces of work, each of which leaves its result on disk.

    What is done is read from disk each time, so that every process sees the same.
    """

    label: str  # The work's name in the progress bar.
    unit: str  # Its pieces there, in the plural.
    folder: Path
    workers: Workers  # Who do every piece together; one, unless a cluster does.

    def listed(self) -> bool:
        """Whether the pieces are listed on disk, so that workers may ask for them."""

    def oracle(self) -> keras_tuner.Oracle | None:
        """An oracle of the pieces that are not done; None if all are."""

    def counts(self) -> tuple[int, int | None]:
        """How many pieces are done, and how many there are; None if unknown."""

    def do(self, trial: Any, watch: Watch) -> float:
        """Does the piece of a trial, or continues it.

        Args:
            trial: Of keras-tuner; its hyperparameters name the piece.
            watch: Shows the progress, lets it stop.

        Returns:
            The number that the oracle minimises.
        """


def execution_of(config: ExecutionConfig, count: int) -> Execution:
    """The execution of pieces of work; to be made before TensorFlow starts.

    Args:
        config: Devices, precision, workers.
        count: Processes on this machine that share the pieces out.

    Raises:
        InputError: as of `Execution.of`; or pieces are both shared out and done
            together.
        RunError: workers did not come.
    """
    cluster = cluster_of(config)
    if cluster and count > 1:
        raise InputError(
            f"--workers={count} does one piece a process, and the "
            f"{len(cluster.addresses)} workers of --workers_at or TF_CONFIG do every "
            "piece together. Give one of them."
        )
    if cluster and trials.role() != "alone":
        raise InputError(
            "KERASTUNER_TUNER_ID is of a process that does pieces of its own, and the "
            f"{len(cluster.addresses)} workers of --workers_at or TF_CONFIG do every "
            "piece together. Unset the variables, or name no workers."
        )
    return Execution.of(config, several=True)


def run(
    work: Work,
    watch: Watch,
    *,
    count: int = 1,
    command: str = "",
    configs: Iterable[Any] = (),
    on_progress: Callable[[], Any] = lambda: None,
) -> None:
    """Does the pieces that are not done, in the role that the environment gives.

    Several workers do every piece together. Else a worker of keras-tuner's asks the
    chief's oracle. The chief deals out pieces and ends when all are
    done. Without keras-tuner's environment variables this process does all pieces, or
    `count` processes on this machine share them.

    Args:
        work: The pieces.
        watch: Shows progress, lets the work stop.
        count: Processes on this machine.
        command: The module that each of them runs, which calls this function as well.
        configs: The settings that become its flags.
        on_progress: Called when pieces have ended, by the process that counts them.

    Raises:
        RunError: a worker failed.
        Interrupted: a signal asked to stop.
    """
    if work.workers.count > 1:
        _do_together(work, watch, on_progress)
        return
    role = trials.role()
    # A worker may be there first: the chief searches before it lists the pieces.
    while role == "worker" and not work.listed():
        watch.stop.leave()
        time.sleep(PAUSE)
    oracle = work.oracle()
    if oracle is None:
        return
    if role == "chief":
        _serve(work, oracle, watch, on_progress)
    elif role == "alone" and count > 1:
        flagfile = work.folder / WORKER_FLAGS
        files.write_lines(flagfile, as_flagfile(configs))
        start = [sys.executable, "-m", command, f"--flagfile={flagfile}"]
        crew = Crew(oracle, start, _enough(work, count), work.folder / WORKERS)
        _work_together(work, crew, watch, on_progress)
    else:
        _work_off(work, oracle, watch, on_progress)


def _enough(work: Work, count: int) -> int:
    """The number of processes: at most one for every piece that is not done."""
    done, total = work.counts()
    return count if total is None else max(1, min(count, total - done))


def _work_off(
    work: Work, oracle: keras_tuner.Oracle, watch: Watch, on_progress: Callable
) -> None:
    """Does pieces in this process until the oracle has none."""

    def do(trial: Any) -> float:
        score = work.do(trial, watch)
        forget_kernels()  # Compiled kernels of every network would fill the memory.
        count()
        return score

    # A worker shows its own pieces; the chief shows how many are done in all.
    shown = watch if trials.role() == "alone" else watch.quiet()
    with _counted(work, shown, on_progress) as count:
        Worker(
            oracle,
            do,
            work.folder / WORKERS,
            over=lambda: work.oracle() is None,
            stop=watch.stop,
        ).run()
        count()  # What other workers did.


def _do_together(work: Work, watch: Watch, on_progress: Callable) -> None:
    """Does piece after piece, each by all workers; the chief says which is next."""
    workers = work.workers
    stop = workers.stop(watch.stop)
    oracle = workers.led(work.oracle)
    shown = watch if workers.chief else watch.quiet()
    with _counted(work, shown, on_progress) as count:
        while state := workers.told(lambda: _drawn(oracle)):
            trial = Trial.from_state(json.loads(state))
            score = work.do(trial, watch)
            forget_kernels()
            _end(workers, oracle, trial.trial_id, score)
            workers.led(count)
            stop.ask()
            stop.leave()


def _drawn(oracle: keras_tuner.Oracle | None) -> str:
    """The state of the next trial, as JSON; empty if none is left."""
    if oracle is None:
        return ""
    trial = oracle.create_trial(trials.tuner_id())
    # Who asks alone never waits for trials of others: it is running, or none is left.
    return json.dumps(trial.get_state()) if trial.status == TrialStatus.RUNNING else ""


def _end(
    workers: Workers, oracle: keras_tuner.Oracle | None, name: str, score: float
) -> None:
    """Has the chief tell the oracle what came of a trial.

    Args:
        workers: Of the work.
        oracle: Of the chief.
        name: Of the trial.
        score: That the oracle minimises.
    """

    def end() -> None:
        trial = oracle.update_trial(name, {oracle.objective.name: score})
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)

    workers.led(end)


def _serve(
    work: Work, oracle: keras_tuner.Oracle, watch: Watch, on_progress: Callable
) -> None:
    """Deals out pieces until all are done and every worker knows it.

    A worker that died is waited for: whoever started it has to start it again.
    """
    chief = Chief(oracle, work.folder / WORKERS)
    with _counted(work, watch, on_progress) as count:
        while chief.serving:
            count()
            if watch.stop.requested:
                break
            time.sleep(PAUSE)
        count()
    chief.close()
    watch.stop.leave()


def _work_together(work: Work, crew: Crew, watch: Watch, on_progress: Callable) -> None:
    """Waits for the processes of a crew, and shows what each of them does."""
    with _counted(work, watch, on_progress) as count:
        with crew:
            # The stop is read first: a signal to the whole group ends workers as well,
            # and they have not failed.
            while not watch.stop.requested and crew.working:
                lines = {name: crew.last_line(name) for name in crew.names}
                shown = {n: f"[{_brief(text)}]" for n, text in lines.items() if text}
                count(**shown)
                time.sleep(PAUSE)
        count()
    watch.stop.leave()


@contextlib.contextmanager
def _counted(
    work: Work, watch: Watch, on_progress: Callable[[], Any]
) -> Iterator[Callable[..., None]]:
    """A bar of the pieces that are done, and a function that brings it up to date.

    The function takes values to show beside the count, and calls `on_progress` when
    pieces have ended since its last call. It reads and writes: where workers do pieces
    together, the chief alone calls it.
    """
    before, total = work.workers.led(work.counts) or (0, None)
    with watch.bar(total, label=work.label, unit=work.unit, initial=before) as bar:

        def count(**values: str) -> None:
            nonlocal before
            done, _ = work.counts()
            bar.update(done - before, **values)
            if done > before:
                on_progress()
            before = done

        yield count


def _brief(line: str) -> str:
    """The beginning of a line of progress, at most 100 characters: label and count.

    >>> _brief("train: 40/160 steps (25%), loss=0.7, 0:00:05 elapsed")
    'train: 40/160 steps (25%)'
    """
    before, percent, _ = line.partition("%)")
    return (before + percent)[:100]
