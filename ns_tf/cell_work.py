"""Who trains the cells of a comparison: this process, several, or several machines."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ns_tf import cells, trials
from ns_tf.comparison import Comparison
from ns_tf.execution import forget_kernels
from ns_tf.progress import Quiet

WORKERS = "workers"  # The folder of their logs.


def work_off(
    comparison: Comparison, *, progress: type = Quiet, stop: Any = None
) -> None:
    """Trains cells as keras-tuner's oracle deals them out: here, or as a worker.

    A worker waits until the chief has listed the cells, and asks the chief's oracle.
    """
    alone = trials.role() == "alone"
    if not alone:
        _wait_for_list(comparison, stop)
    todo = _todo(comparison)
    if not todo:
        return

    def work(hyperparameters) -> float:
        listed = cells.read_kept(comparison.folder).cells
        cell = listed[hyperparameters.get(trials.NAME)]
        comparison.train_cell(cell, progress=progress, stop=stop)
        forget_kernels()  # One network after the other would fill the memory.
        bar.update(1)
        return 0.0

    shown = progress if alone else Quiet
    with shown(len(todo), label="compare", unit="cells") as bar:
        trials.Worker(
            trials.InOrder(todo),
            work,
            comparison.folder / WORKERS,
            over=lambda: not _todo(comparison),
            stop=stop,
        ).go()


def _wait_for_list(comparison: Comparison, stop: Any) -> None:
    """Returns when the chief, which may be searching first, has listed the cells."""
    while not (comparison.folder / cells.CELLS).exists():
        if stop is not None:
            stop.leave()
        time.sleep(trials.PAUSE)


def serve(comparison: Comparison, *, progress: type = Quiet, stop: Any = None) -> None:
    """Deals out the cells to workers on other machines; ends when all are done.

    A worker that died is waited for: start it again.
    """
    todo = _todo(comparison)
    if not todo:
        return
    chief = trials.Chief(trials.InOrder(todo), comparison.folder / WORKERS)
    with _counted(comparison, progress) as count:
        while chief.serving:
            count()
            if stop is not None and stop.requested:
                break
            time.sleep(trials.PAUSE)
    chief.close()
    if stop is not None:
        stop.leave()


def work_together(
    comparison: Comparison,
    command: list[str],
    *,
    progress: type = Quiet,
    stop: Any = None,
) -> None:
    """Trains cells in several processes of this machine.

    Args:
        comparison: Prepared.
        command: Starts a worker, which calls `work_off`.
        progress: Shows how many cells are done, and what each worker does.
        stop: Asked whether to stop.

    Raises:
        RunError: a worker failed.
    """
    todo = _todo(comparison)
    if not todo:
        return
    workers = min(comparison.compare.workers, len(todo))
    crew = trials.Crew(
        trials.InOrder(todo), command, workers, comparison.folder / WORKERS
    )
    with _counted(comparison, progress) as count, crew:
        while crew.working:
            told = {name: crew.last_line(name) for name in crew.names}
            count(**{name: f"[{_brief(text)}]" for name, text in told.items() if text})
            if stop is not None and stop.requested:
                break
            time.sleep(trials.PAUSE)
    if stop is not None:
        stop.leave()


@contextlib.contextmanager
def _counted(comparison: Comparison, progress: type):
    """A function that shows how many cells are done, and what it is told."""
    listed = cells.read(comparison.folder).values()
    shown = sum(map(comparison.done, listed))
    with progress(len(listed), label="compare", unit="cells", initial=shown) as bar:

        def count(**told: str) -> None:
            nonlocal shown
            done = sum(map(comparison.done, listed))
            bar.update(done - shown, **told)
            shown = done

        yield count
        count()


def _brief(line: str) -> str:
    """The beginning of a line of progress: what, and how far."""
    before, percent, _ = line.partition("%)")
    return (before + percent)[:100]


def _todo(comparison: Comparison) -> Mapping[str, tuple[str, ...]]:
    """What is not done yet, with what has to be done before."""
    listed = cells.read(comparison.folder)
    names = [name for name, cell in listed.items() if not comparison.done(cell)]
    return {
        name: tuple({listed[name].trunk} & set(names))  # Only what is open waits.
        for name in names
    }
