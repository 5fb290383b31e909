"""Who does a set of pieces of work: this process, several, or several machines.

`trials` has the parts, from keras-tuner's oracles; here they are put together, for the
cells of a comparison as for the trials of a tuning.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import keras_tuner

from ns_tf.crew import trials
from ns_tf.crew.processes import Crew
from ns_tf.crew.trials import PAUSE, Chief, Worker
from ns_tf.engine.execution import forget_kernels
from ns_tf.run import files
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.folder import WORKER_FLAGS, WORKERS
from ns_tf.run.watch import Watch


class Work(Protocol):
    """Pieces of work, each of which leaves its result on disk."""

    label: str  # What progress calls the work.
    unit: str  # What progress calls its pieces, in the plural.
    folder: Path

    def listed(self) -> bool:
        """Whether the chief has listed the pieces, so that workers may ask for them."""

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out the pieces that are not done; None if all are. Read from disk."""

    def counts(self) -> tuple[int, int | None]:
        """How many pieces are done, and how many there are, if that is known."""

    def do(self, trial: Any, watch: Watch) -> float:
        """Does a piece, or goes on with it; returns what the oracle minimises."""


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

    A worker asks the chief's oracle. The chief deals out and ends when all is done.
    Without keras-tuner's environment variables this process does all pieces, or `count`
    processes share them.

    Args:
        work: What is to be done.
        watch: Shows progress, lets the work stop.
        count: Processes on this machine.
        command: The module that each of them is started as; it calls this function too.
        configs: Its flags.
        on_progress: Called as pieces end, by the process that counts them.

    Raises:
        RunError: a worker failed.
        Interrupted: a signal asked to stop.
    """
    role = trials.role()
    while role == "worker" and not work.listed():  # The chief may be searching first.
        watch.stop.leave()
        time.sleep(PAUSE)
    oracle = work.oracle()
    if oracle is None:
        return
    if role == "chief":
        _serve(work, oracle, watch, on_progress)
    elif role == "alone" and count > 1:
        flagfile = work.folder / WORKER_FLAGS
        files.write_text(flagfile, as_flagfile(configs))
        start = [sys.executable, "-m", command, f"--flagfile={flagfile}"]
        crew = Crew(oracle, start, _enough(work, count), work.folder / WORKERS)
        _work_together(work, crew, watch, on_progress)
    else:
        _work_off(work, oracle, watch, on_progress)


def _enough(work: Work, count: int) -> int:
    """No more processes than there are pieces to do."""
    done, total = work.counts()
    return count if total is None else max(1, min(count, total - done))


def _work_off(
    work: Work, oracle: keras_tuner.Oracle, watch: Watch, on_progress: Callable
) -> None:
    """Does pieces in this process until the oracle has none."""

    def do(trial: Any) -> float:
        score = work.do(trial, watch)
        forget_kernels()  # One network after the other would fill the memory.
        count()
        return score

    # A worker's own pieces are shown; the chief shows how many are done in all.
    shown = watch if trials.role() == "alone" else watch.quiet()
    with _counted(work, shown, on_progress) as count:
        Worker(
            oracle,
            do,
            work.folder / WORKERS,
            over=lambda: work.oracle() is None,
            stop=watch.stop,
        ).run()


def _serve(
    work: Work, oracle: keras_tuner.Oracle, watch: Watch, on_progress: Callable
) -> None:
    """Deals out pieces until all are done.

    A worker that died is waited for: it is to be started again.
    """
    chief = Chief(oracle, work.folder / WORKERS)
    with _counted(work, watch, on_progress) as count:
        while chief.serving:
            count()
            if watch.stop.requested:
                break
            time.sleep(PAUSE)
    chief.close()
    watch.stop.leave()


def _work_together(work: Work, crew: Crew, watch: Watch, on_progress: Callable) -> None:
    """Waits for the processes of a crew, and shows what each of them does."""
    with _counted(work, watch, on_progress) as count, crew:
        # The stop is asked first: workers that a signal to all has ended have not
        # failed.
        while not watch.stop.requested and crew.working:
            lines = {name: crew.last_line(name) for name in crew.names}
            count(**{name: f"[{_brief(text)}]" for name, text in lines.items() if text})
            time.sleep(PAUSE)
    watch.stop.leave()


@contextlib.contextmanager
def _counted(
    work: Work, watch: Watch, on_progress: Callable[[], Any]
) -> Iterator[Callable[..., None]]:
    """A function that shows how many pieces are done, with further values."""
    shown, total = work.counts()
    with watch.bar(total, label=work.label, unit=work.unit, initial=shown) as bar:

        def count(**values: str) -> None:
            nonlocal shown
            done, _ = work.counts()
            bar.update(done - shown, **values)
            if done > shown:
                on_progress()
            shown = done

        yield count
        count()


def _brief(line: str) -> str:
    """The beginning of a line of progress: what, and how far.

    >>> _brief("train: 40/160 steps (25%), loss=0.7, 0:00:05 elapsed")
    'train: 40/160 steps (25%)'
    """
    before, percent, _ = line.partition("%)")
    return (before + percent)[:100]
