"""A search in a run folder: checked first, then done, iteration by iteration."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ns_tf.base import Architecture, InputError
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import Dataset, for_network
from ns_tf.descend import descent
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.descent import architecture_descent
from ns_tf.descend.record import SearchRecord, new_search, read_search, write_search
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.networks import architectures, python_models
from ns_tf.networks.structure import analyse
from ns_tf.problem.resolve import load_dataset
from ns_tf.prune.config import PruneConfig
from ns_tf.registry import unknown
from ns_tf.render import plots
from ns_tf.run import files, tensorboard
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.folder import is_new, open_run
from ns_tf.run.progress import Quiet
from ns_tf.scaling.curves import floor_ratio

SEARCH_CONFIGS = (
    SearchConfig,
    DataConfig,
    PruneConfig,
    RuntimeConfig,
)


class SearchRun:
    """A search that is to be done: checks everything first, then does it."""

    def __init__(
        self,
        chosen: dict[type, Any],
        *,
        architecture: Architecture | None = None,
        dataset: Dataset | None = None,
    ):
        self.configs = chosen
        self.config = chosen[SearchConfig]
        self.runtime = chosen[RuntimeConfig]
        self.execution = Execution.of(self.runtime)  # Before TensorFlow starts.
        self.architecture = architecture or architectures.get(self.config.architecture)
        dataset = dataset or load_dataset(chosen[DataConfig])
        self.structure = analyse(
            self.architecture, dataset.image_shape, dataset.classes
        )
        self.dataset = for_network(dataset, self.structure.scales_pixels)
        default = self.architecture.widths
        self.widths = self.config.widths or floor_ratio(default, self.config.ratio)
        # Refuses what cannot be done, before anything is written.
        prune = chosen[PruneConfig]
        self.execution.check(lambda: self.structure.build(self.widths))
        descent.check(self.widths, prune)
        steps_per_epoch(self.dataset, prune.search_batch)

    def go(
        self, run_dir=None, *, progress: type = Quiet, stop: Any = None
    ) -> SearchRecord:
        """Does the search, or goes on with it; keeps it in `run_dir`, if given."""
        if run_dir is None:
            return self._descend(progress, (), None, stop)
        with open_run(run_dir, list(self.configs.values()), "search") as folder:
            python_models.save(self.architecture, folder.path)
            done = ()
            if (folder / "descent.json").exists():
                done = read_search(folder.path).states
            if len(done) < self.config.iterations:  # Which may be more than before.
                folder.keep_flags()
            progress = tensorboard.logged(progress, folder / "logs")
            return self._descend(progress, done, folder.path, stop)

    def check_folder(self, run_dir: str | Path) -> None:
        """Refuses a folder that holds another search, or something else.

        Raises:
            InputError: it does.
        """
        is_new(run_dir, list(self.configs.values()), "search")

    def _descend(self, progress, done, folder: Path | None = None, stop=None):
        record = new_search(self.structure, self.dataset.name, self.widths)
        record = dataclasses.replace(record, states=tuple(done))
        checkpoint = self._checkpoints(folder, stop)
        for state in architecture_descent(
            self.structure,
            self.widths,
            self.dataset,
            self.configs[PruneConfig],
            iterations=self.config.iterations,
            tolerance=self.config.tolerance,
            seed=self.runtime.seed,
            execution=self.execution,
            progress=progress,
            checkpoint=checkpoint,
            done=done,
        ):
            record = dataclasses.replace(record, states=(*record.states, state))
            if folder:
                draw(folder, record)
                write_search(folder, record)
                checkpoint(state.iteration).remove()
        return record

    def _checkpoints(self, folder: Path | None, stop) -> Callable[[int], Checkpoint]:
        def checkpoint(iteration: int) -> Checkpoint:
            name = f"prune_{iteration:02d}.npz"
            path = folder / "checkpoints" / name if folder else None
            return Checkpoint(path, seconds=self.runtime.checkpoint_seconds, stop=stop)

        return checkpoint


def draw(folder: Path, record: SearchRecord) -> None:
    """Draws the last state's growth and the widths of all iterations."""
    (folder / "plots").mkdir(exist_ok=True)
    state = record.states[-1]
    name = f"growth_{state.iteration:02d}.png"
    with files.replacing(folder / "plots" / name) as file:
        plots.growth(state.trace, state.law, record.names, file)
    widths = [s.widths for s in record.states] + [state.scaling.widths]
    with files.replacing(folder / "plots" / "widths.png") as file:
        plots.descent(widths, record.names, file)


def configure(given: dict[str, Any], options: dict[str, Any]) -> dict[type, Any]:
    """The config objects, with these fields set.

    Raises:
        InputError: a field that does not exist, or is given twice.
    """
    known = {f.name: c for c in SEARCH_CONFIGS for f in dataclasses.fields(c)}
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
        if name in given:
            raise InputError(f"{name} is given twice: as an argument and as an option.")
    named = {**given, **options}
    return {
        c: c(**{n: v for n, v in named.items() if known[n] is c})
        for c in SEARCH_CONFIGS
    }
