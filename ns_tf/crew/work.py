"""Who does a set of pieces of work: this process, several, or several machines.

`trials` has the parts, from keras-tuner's oracles; here they are put together, for a
comparison's cells as for a tuning's trials.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import keras_tuner

from ns_tf.crew import trials
from ns_tf.crew.processes import Crew
from ns_tf.crew.trials import PAUSE, Chief, Worker
from ns_tf.engine.execution import forget_kernels
from ns_tf.run import files
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.progress import Quiet

WORKERS = "workers"  # The folder of keras-tuner's notes and the workers' logs.


class Work(Protocol):
    """Pieces of work, each of which leaves its result on disk."""

    label: str  # What progress calls it,
    unit: str  # and its pieces.
    folder: Path

    def listed(self) -> bool:
        """Whether a worker may ask for work: the chief has said what there is."""

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out what is left; None if nothing is. Told from the disk alone."""

    def counts(self) -> tuple[int, int | None]:
        """How many pieces are done, and how many there are, if that is known."""

    def do(self, trial: Any, *, progress: type, stop: Any) -> float:
        """Does a piece, or goes on with it; what the oracle minimises."""


def go(
    work: Work,
    *,
    count: int = 1,
    command: str = "",
    configs: Iterable[Any] = (),
    tell: Callable[[], Any] = lambda: None,
    progress: type = Quiet,
    stop: Any = None,
) -> None:
    """Does what is left, in the part that keras-tuner's environment gives the process.

    A worker asks the chief's oracle; the chief deals out and ends when all is done;
    without that environment it is done here, or by `count` processes.

    Args:
        work: What is to be done.
        count: Processes on this machine.
        command: The module that each of them is started as, which calls this too.
        configs: Its flags.
        tell: Called as pieces end, by the process that counts them.
        progress: Shows how much is done.
        stop: Asked whether to stop.

    Raises:
        RunError: a worker failed.
    """
    role = trials.role()
    while role == "worker" and not work.listed():  # The chief may be searching first.
        if stop is not None:
            stop.leave()
        time.sleep(PAUSE)
    oracle = work.oracle()
    if oracle is None:
        return
    if role == "chief":
        _serve(work, oracle, tell, progress, stop)
    elif role == "alone" and count > 1:
        flagfile = work.folder / "worker.flags"
        files.write_text(flagfile, as_flagfile(configs))
        start = [sys.executable, "-m", command, f"--flagfile={flagfile}"]
        crew = Crew(oracle, start, _enough(work, count), work.folder / WORKERS)
        _work_together(work, crew, tell, progress, stop)
    else:
        _work_off(work, oracle, tell, progress, stop)


def _enough(work: Work, count: int) -> int:
    """No more processes than there are pieces left."""
    done, total = work.counts()
    return count if total is None else max(1, min(count, total - done))


def _work_off(work: Work, oracle, tell, progress: type, stop: Any) -> None:
    def do(trial) -> float:
        score = work.do(trial, progress=progress, stop=stop)
        forget_kernels()  # One network after the other would fill the memory.
        count()
        return score

    shown = progress if trials.role() == "alone" else Quiet
    with _counted(work, tell, shown) as count:
        Worker(
            oracle,
            do,
            work.folder / WORKERS,
            over=lambda: work.oracle() is None,
            stop=stop,
        ).go()


def _serve(work: Work, oracle, tell, progress: type, stop: Any) -> None:
    """A worker that died is waited for: it is to be started again."""
    chief = Chief(oracle, work.folder / WORKERS)
    with _counted(work, tell, progress) as count:
        while chief.serving:
            count()
            if stop is not None and stop.requested:
                break
            time.sleep(PAUSE)
    chief.close()
    if stop is not None:
        stop.leave()


def _work_together(work: Work, crew: Crew, tell, progress: type, stop: Any) -> None:
    with _counted(work, tell, progress) as count, crew:
        # Asked first: workers that a signal to all has ended have not failed.
        while not (stop is not None and stop.requested) and crew.working:
            told = {name: crew.last_line(name) for name in crew.names}
            count(**{name: f"[{_brief(text)}]" for name, text in told.items() if text})
            time.sleep(PAUSE)
    if stop is not None:
        stop.leave()


@contextlib.contextmanager
def _counted(work: Work, tell: Callable[[], Any], progress: type):
    """A function that shows how many pieces are done, and what it is told."""
    shown, total = work.counts()
    with progress(total, label=work.label, unit=work.unit, initial=shown) as bar:

        def count(**told: str) -> None:
            nonlocal shown
            done, _ = work.counts()
            bar.update(done - shown, **told)
            if done > shown:
                tell()
            shown = done

        yield count
        count()


def _brief(line: str) -> str:
    """The beginning of a line of progress: what, and how far."""
    before, percent, _ = line.partition("%)")
    return (before + percent)[:100]
