"""The three lines that most people need: `search`, `Search.plan`, `Plan.build`."""

import dataclasses
from pathlib import Path
from typing import Any

from ns_tf.base import DescentState
from ns_tf.data import python_data
from ns_tf.descend import work
from ns_tf.descend.record import read_search
from ns_tf.descend.work import SearchRun
from ns_tf.networks import python_models
from ns_tf.plan.plan import Searched
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch


@dataclasses.dataclass(frozen=True)
class Search(Searched):
    """A search: its laws, and a plan for any budget."""

    run_dir: Path | None = None

    @property
    def states(self) -> tuple[DescentState, ...]:
        """The iterations, each with its widths, trace and law."""
        return self.record.states


def load(run_dir: str | Path) -> Search:
    """The search that a run folder holds.

    Raises:
        InputError: no run folder, or a damaged one.
    """
    record = read_search(run_dir)
    return Search(
        record, python_models.saved(record.architecture, run_dir), Path(run_dir)
    )


def search(
    model: Any = "vgg11",
    data: Any = "digits",
    *,
    run_dir: str | Path | None = None,
    progress: Meter | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> Search:
    """Searches how every layer's width grows with the network (algorithm 4).

    Args:
        model: An architecture's name, an `Architecture`, or any functional or
            sequential `keras.Model`.
        data: A data set's name; a `Dataset` (`datasets.from_arrays`); a pair of arrays
            (images, labels), or two, to train and to test; a finite `tf.data.Dataset`
            of (image, label), in any order.
        run_dir: Where it is kept; the same call continues it after a kill. None keeps
            nothing.
        progress: `ns_tf.Progress()` shows how far it has come; None shows nothing.
        stop: Asked at every step whether to stop (`ns_tf.run.stop.Stop`).
        **options: Fields of `ns_tf.configs`: `ratio=0.25, iterations=2,
            pretrain_epochs=5, seed=1, data_dir=...`; the defaults are the paper's.

    Raises:
        InputError: what was asked for cannot be done, in one line.
        RunError: the loss is not finite.
    """
    architecture = python_models.architecture(model, run_dir)
    dataset = python_data.dataset(data)
    chosen = work.configure(
        {
            "architecture": architecture.name if architecture else model,
            "dataset": dataset.name if dataset else data,
        },
        options,
    )
    run = SearchRun(chosen, architecture=architecture, dataset=dataset)
    record = run.run(run_dir, Watch(progress or Quiet(), stop or Stop()))
    place = Path(run_dir) if run_dir else None
    return Search(record, run.problem.architecture, place)
