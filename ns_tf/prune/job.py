"""A trained network that is pruned in a folder of its own, as a training is done.

`run.flags` says what is done. `pruned.json` comes with the cut: which channels are
left, costs, accuracy by stage, seconds. The files of a training follow; `result.json`
is the last. Of several recipes all but the last train in `earlier/`. A kill at any
moment repeats work and changes no result.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import Widths
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.graph import weights
from ns_tf.networks import python_models
from ns_tf.prune.allotment import ALLOCATING
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.method import CHANNEL, Scored
from ns_tf.prune.pruned import Clock
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.results import told_in, write_told
from ns_tf.prune.scoring import SCORING
from ns_tf.prune.tuning import Tuning
from ns_tf.run import files
from ns_tf.run.folder import EARLIER, GATES, KEPT, MODEL, PRUNED, RESULT
from ns_tf.run.watch import Watch
from ns_tf.train.job import Job, network_costs
from ns_tf.train.results import check_finite


@dataclasses.dataclass(eq=False)
class PruneJob:
    """One network that is to be cut from a trained one and trained on.

    Args:
        folder: Of this network alone.
        scores: The file of the scores of all channels, which other jobs share.
        pruner: The trained network, the budgets, how it is pruned to them.
        tuning: How what is left is trained.
        runtime: Seed and devices; who watches is said by `run`.
        flags: Settings that the folder keeps as its flags. A folder with other flags is
            refused.
        widths: Of what is left, if they are known; else the allocation has them.
        test_every_epoch: Whether the training tests every epoch.
    """

    folder: Path
    scores: Path
    pruner: Pruner
    tuning: FinetuneConfig
    runtime: Runtime
    flags: tuple
    widths: Widths | None = None
    test_every_epoch: bool = False
    # What is left, once this process has cut it.
    _small: keras.Model | None = dataclasses.field(default=None, init=False)

    def check(self) -> None:
        """Refuses what cannot be done, before anything is computed or written.

        Raises:
            InputError: as `Pruner.check`, or there is no such recipe.
        """
        self.pruner.check()
        self.pruner.recipes(self.tuning)

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Scores, cuts and trains, or continues, or reads what was done.

        Args:
            watch: Shows progress and requests stops; its folder is set to the job's.

        Returns:
            What `pruned.json` holds, complete.

        Raises:
            InputError: a budget that cannot be met, or the folder is in use.
            RunError: a loss is not finite.
            Interrupted: a signal asked to stop; the state was saved.
        """
        watch, workers = watch or Watch(), self.runtime.execution.workers
        check_alike(workers, self.flags, self.pruner.problem.dataset)
        with run_folder(workers, self.folder, self.flags, "pruned network"):
            runtime = self.runtime.alone.watched(watch.at(self.folder))
            # One device does it; on the others there would be nothing to gain.
            workers.led(lambda: self._cut(runtime))
            told = told_in(self.folder)
        # As the chief sees it, who may write it soon.
        if not workers.agree((self.folder / RESULT).exists):
            self._tune(told, watch)
        workers.led(self._tell)
        return told_in(self.folder)

    def _tell(self) -> None:
        """Writes how good the network became, as its result has it."""
        write_told(self.folder, told_in(self.folder))

    # Scores.

    def _scored(self, runtime: Runtime, clock: Clock) -> Scored:
        """The scores, and weights that gates came to: read, or computed and kept."""
        if self.scores.exists():
            arrays, facts = files.read_arrays(self.scores, what="list of scores")
            clock.seconds["score"] = facts["seconds"]
            return _kept(arrays)
        with clock.of("score"):
            scored = self.pruner.scored(runtime)
        self.scores.parent.mkdir(exist_ok=True)
        seconds = {"seconds": clock.seconds["score"]}
        files.write_arrays(self.scores, _arrays(scored), seconds)
        for name in self.pruner.scorer.checkpoints(SCORING):
            runtime.watch.checkpoint(name).remove()
        return scored

    # The cut.

    def _cut(self, runtime: Runtime) -> None:
        """Finds and writes what `pruned.json` holds, if it is not there."""
        path = self.folder / PRUNED
        if path.exists():
            return
        clock = Clock()
        scored = self._scored(runtime, clock)
        scores, pruner = scored.scores, self.pruner.after(scored)
        if scored.table:
            rows = zip(
                *(column.tolist() for column in scored.table.values()), strict=True
            )
            files.write_csv(self.folder / GATES, list(scored.table), rows)
        with clock.of("solve"):
            if self.widths is not None:
                scaling = pruner.at(self.widths)
            else:
                scaling = pruner.solve(scores, runtime)
        keep = pruner.chosen(scores, scaling.widths)
        with clock.of("cut"):
            self._small, accuracies = pruner.cut_and_repair(keep)
        told = {
            "version": 1,
            "method": pruner.config.method,
            "level": pruner.config.level,
            "rounds": pruner.rounds,
            "allocation": pruner.allocation.name,
            "repair": [one.name for one in pruner.repairs],
            "names": list(pruner.names),
            "whole": list(pruner.widths),
            "widths": list(scaling.widths),
            "tau": scaling.tau,
            "costs": dict(scaling.costs),
            "targets": dict(scaling.targets),
            "accuracies": accuracies,
            "seconds": clock.seconds,
        }
        if pruner.listed:
            told["channels"] = np.flatnonzero(keep).tolist()
        else:
            files.write_arrays(self.folder / KEPT, {"keep": np.packbits(keep)}, {})
        write_told(self.folder, told)
        runtime.watch.checkpoint(ALLOCATING).remove()

    def keep(self, told: Mapping[str, Any]) -> np.ndarray:
        """[n] bool: the units that are left.

        Args:
            told: What `pruned.json` holds.

        Raises:
            InputError: it is damaged: its channels are not as many as its widths.
        """
        if not self.pruner.listed:
            return bits_in(self.folder, self.pruner.size)
        keep = np.zeros(self.pruner.size, bool)
        with files.readable(self.folder / PRUNED, "pruned network"):
            keep[told["channels"]] = True
            left = list(self.pruner.prunable.count(keep))
            if left != list(told["widths"]):
                raise ValueError(f"its channels make widths of {left}")
        return keep

    # The training.

    def _tune(self, told: Mapping[str, Any], watch: Watch) -> None:
        """Trains what is left, or writes it as it is if nothing is to be trained."""
        keep, widths = self.keep(told), tuple(told["widths"])
        workers = self.runtime.execution.workers
        if not self.tuning.finetune_epochs or keep.all():
            workers.led(lambda: self._write_untrained(keep, told))
            return
        works, start = self.pruner.tunings(widths, self.tuning), None
        for number, work in enumerate(works, 1):
            folder = self.folder / EARLIER / f"{number}_{work.name}"
            if number == len(works):
                folder = self.folder
            if not workers.agree((folder / RESULT).exists):
                start = start or self._first(keep, fresh=work.fresh)
                self._job(folder, keep, work, start).run(watch)
            start = self._after(folder, keep)

    def _first(self, keep: np.ndarray, *, fresh: bool) -> Callable[[], keras.Model]:
        """Builds the network that the first training starts from.

        Args:
            keep: [n] bool.
            fresh: Whether its weights are new.
        """
        workers = self.runtime.execution.workers
        if fresh:
            return lambda: self.pruner.fresh(keep)
        workers.led(lambda: self._left(keep))
        # Not repaired on other workers: all of them get the chief's weights.
        return lambda: self._left(keep) if workers.chief else self.pruner.cut(keep)

    def _after(self, folder: Path, keep: np.ndarray) -> Callable[[], keras.Model]:
        """Builds the network that a training in a folder has come to."""

        def start() -> keras.Model:
            if not self.runtime.execution.workers.chief:
                return self.pruner.cut(keep)  # All get the chief's weights.
            return keras.saving.load_model(folder / MODEL, compile=False)

        return start

    def _job(
        self, folder: Path, keep: np.ndarray, work: Tuning, start: Callable
    ) -> Job:
        """One of the trainings, in a folder of its own."""
        return Job(
            folder,
            *self.pruner.left(keep),
            dataclasses.replace(work.settings, test_every_epoch=self.test_every_epoch),
            self.runtime,
            flags=self.flags,
            start=start,
            objective=work.objective,
            masks=lambda: self.pruner.masks(keep),
        )

    def _left(self, keep: np.ndarray) -> keras.Model:
        """What is left, repaired; cut again by a process that continues."""
        if self._small is None:
            scored = self._scored(self.runtime.alone, Clock())
            self._small, _ = self.pruner.after(scored).cut_and_repair(keep)
        return self._small

    def _write_untrained(self, keep: np.ndarray, told: Mapping[str, Any]) -> None:
        """Writes model and result of a network that is not trained after the cut."""
        small = self._left(keep)
        problem, widths = self.pruner.left(keep)
        score = problem.task.score.name
        python_models.save_model(problem.task.finished(small), self.folder / MODEL)
        tested = self.pruner.accuracy(small, "test")
        result = {
            "version": 1,
            "architecture": problem.architecture.name,
            "dataset": problem.dataset.name,
            "widths": list(widths),
            **network_costs(problem.structure, widths),
            "seed": self.pruner.seed,
            "epochs": 0,
            "score": score,
            f"validation_{score}": told["accuracies"]["repaired"],
            f"test_{score}": tested,
            f"best_test_{score}": tested,
            "seconds": 0.0,
        }
        check_finite(result, self.folder / MODEL)
        files.write_json(self.folder / RESULT, result)


def bits_in(folder: Path, size: int) -> np.ndarray:
    """[size] bool: the single weights that are left, as a folder has them.

    Args:
        folder: Of the pruned network.
        size: How many can go.

    Raises:
        InputError: the list is missing or damaged.
    """
    arrays, _ = files.read_arrays(folder / KEPT, what="list of weights")
    return np.unpackbits(arrays["keep"], count=size).astype(bool)


def _arrays(scored: Scored) -> dict[str, np.ndarray]:
    """What the file of scores holds."""
    arrays = {"scores": scored.scores, **weights.named("weight", scored.weights or {})}
    columns = {f"table/{name}": column for name, column in scored.table.items()}
    return {**arrays, **columns}


def _kept(arrays: Mapping[str, np.ndarray]) -> Scored:
    """What `_arrays` was made of."""
    columns = [name for name in arrays if name.startswith("table/")]
    return Scored(
        arrays["scores"],
        weights.by_kind(arrays).get("weight"),
        {name.removeprefix("table/"): arrays[name] for name in columns},
    )


def scores_name(pruner: Pruner, network: str, data: Any) -> str:
    """The name of the file of scores, which says all that they depend on.

    Args:
        pruner: Its criterion, its images and its seed decide the scores.
        network: A fingerprint of the trained network.
        data: What names the data and how pixels are scaled; printed, always the same.
    """
    proxy, config = pruner.proxy(), pruner.config
    free = pruner.problem.structure.names  # Layers that are kept are none of them.
    parts = (network, data, free, len(proxy.split), proxy.batch, pruner.seed)
    if config.level != CHANNEL:  # Of channels, the free layers say how many there are.
        parts = (*parts, config.level, pruner.names, pruner.widths)
    parts = (*parts, *pruner.scorer.depends)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
    return f"{files.file_name(f'{config.method}_{digest}')}.npz"
