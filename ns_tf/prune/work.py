"""Pruning a trained network in a run folder: checked first, then done and kept.

A run folder belongs to one trained network and its data::

    run.flags                   which network, which data
    scores/CRITERION_....npz    scores of all channels, which other budgets read again
    train/NAME/                 what is left for one budget, a folder as of a training
        pruned.json             which channels, costs, accuracy by stage, seconds

So what is left can be exported, trained and pruned on as any training.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import Scaling, ScalingLaw
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import python_models
from ns_tf.problem.config import ProblemConfig
from ns_tf.prune.config import SourceConfig
from ns_tf.prune.pruned import Clock, Pruned
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.settings import Configs
from ns_tf.prune.source import (
    AUTO,
    TrainedNetwork,
    fingerprint,
    trained_network,
)
from ns_tf.prune.summary import summary
from ns_tf.run import files
from ns_tf.run.folder import (
    MODEL,
    PRUNED,
    RESULT,
    SCORED,
    TRAIN,
    is_new,
    open_run,
)
from ns_tf.run.watch import Watch
from ns_tf.train import recipes
from ns_tf.train.job import Job, network_costs
from ns_tf.train.results import read_result, score_in


class PruneRun:
    """A trained network that is pruned in a folder; the same run goes on after a kill.

    Args:
        run_dir: The folder.
        network: The trained network and its data.
        source: The settings that name them.
        pruner: The network, the budgets, and how it is pruned to them.
        configs: Budgets, how it is cut and trained, on what it is computed.
        name: Of the folder of what is left; says method, budgets and seed if None.

    Raises:
        InputError: the folder holds something else; nothing was written.
    """

    def __init__(
        self,
        run_dir: str | Path,
        network: TrainedNetwork,
        source: SourceConfig,
        pruner: Pruner,
        configs: Configs,
        *,
        name: str | None = None,
    ):
        pruner.check()
        recipes.get(configs.tuning.recipe or pruner.criterion.recipe)
        self.run_dir, self.network, self.pruner = Path(run_dir), network, pruner
        self.source, self.configs = source, configs
        self.tuning = configs.tuning
        self.digest = fingerprint(network.model)
        self._small: keras.Model | None = None  # What is left, once it was cut.
        self.folder = self.run_dir / TRAIN / (name or configs.name)
        named = ProblemConfig(
            # Other weights under the same name are another network.
            architecture=f"{pruner.problem.architecture.name}@{self.digest}",
            dataset=source.dataset,
            pixels=network.pixels,
            **network.data,
        )
        self.flags = (
            *(named, configs.cut, configs.tuning),
            *(configs.budget, configs.runtime),
        )
        is_new(self.run_dir, (source,), "pruning")
        is_new(self.folder, self.flags, "pruned network")

    @classmethod
    def of(
        cls,
        run_dir: str | Path,
        source: SourceConfig,
        settings: tuple,
        name: str | None = None,
        law: ScalingLaw | None = None,
    ) -> "PruneRun":
        """The run that settings ask for; reads the network and its data.

        Args:
            run_dir: The folder.
            source: The trained network and its data.
            settings: Of the budget, the cut, the training and the runtime.
            name: As above.
            law: Of a search of the network, for the allocation "law".

        Raises:
            InputError: what cannot be pruned so; nothing was written.
        """
        budget, cut, tuning, runtime = settings
        execution = Execution.of(runtime)  # Before TensorFlow starts.
        made = Runtime.of(runtime, execution)
        configs = Configs(cut, tuning, budget, runtime, made)
        pixels = source.pixels or AUTO
        network = trained_network(
            source.model, source.dataset, pixels=pixels, **source.data
        )
        named = dataclasses.replace(source, dataset=network.problem.dataset.name)
        pruner = configs.pruner(network, law)
        return cls(run_dir, network, named, pruner, configs, name=name)

    @property
    def text(self) -> str:
        """What is left and how good it is, of a run that is done."""
        return summary(self.pruner, self.done)

    @functools.cached_property
    def done(self) -> Pruned:
        """What the folder holds, of a run that is done.

        Raises:
            InputError: it is not done.
        """
        arrays, _ = files.read_arrays(self.scores_path, what="list of scores")
        return self._read(arrays["scores"])

    def run(self, watch: Watch | None = None) -> Pruned:
        """Prunes, or continues, or reads what was done.

        Args:
            watch: Shows progress and requests stops.

        Raises:
            InputError: a budget that cannot be met, or the folder is in use.
            RunError: a loss is not finite.
            Interrupted: a signal asked to stop; the state was saved.
        """
        watch = watch or Watch()
        with open_run(self.run_dir, (self.source,), "pruning"):
            runtime = self.configs.made.watched(watch.at(self.run_dir))
            with open_run(self.folder, self.flags, "pruned network"):
                told = self._cut(runtime)
            if not (self.folder / RESULT).exists():
                self._tune(told, watch)
            return self.done

    # Scores.

    @property
    def scores_path(self) -> Path:
        """Where the scores are: its name says all that they depend on."""
        pruner, config = self.pruner, self.configs.cut
        proxy = pruner.proxy()
        data = {n: v for n, v in self.network.data.items() if n != "data_dir"}
        parts = (
            self.digest,
            self.network.pixels,
            self.source.dataset,
            sorted(data.items()),
            len(proxy.split),
            proxy.batch,
            pruner.seed,
            self.configs.budget.keep,
        )
        digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
        name = files.file_name(f"{config.method}_{digest}")
        return self.run_dir / SCORED / f"{name}.npz"

    def _scores(self, runtime: Runtime, clock: Clock) -> np.ndarray:
        """[n]: the scores, read or computed and kept."""
        path = self.scores_path
        if path.exists():
            arrays, facts = files.read_arrays(path, what="list of scores")
            clock.seconds["score"] = facts["seconds"]
            return arrays["scores"]
        checkpoint = f"{SCORED}/{path.stem}.part.npz"
        with clock.of("score"):
            scores = self.pruner.score(runtime, checkpoint)
        path.parent.mkdir(exist_ok=True)
        files.write_arrays(
            path, {"scores": scores}, {"seconds": clock.seconds["score"]}
        )
        runtime.watch.checkpoint(checkpoint).remove()
        return scores

    # The cut.

    def _cut(self, runtime: Runtime) -> dict[str, Any]:
        """What `pruned.json` holds: read, or found and written."""
        clock, path = Clock(), self.folder / PRUNED
        scores = self._scores(runtime, clock)
        if path.exists():
            return files.read_json(path, what="pruned network", version=1)
        pruner = self.pruner
        with clock.of("solve"):
            scaling = pruner.solve(scores)
        keep = pruner.channels(scores, scaling.widths)
        with clock.of("cut"):
            self._small, accuracies = pruner.cut_and_repair(keep)
        told = {
            "version": 1,
            "method": self.configs.cut.method,
            "allocation": pruner.allocation.name,
            "repair": [one.name for one in pruner.repairs],
            "names": list(pruner.problem.structure.names),
            "whole": list(pruner.widths),
            "widths": list(scaling.widths),
            "tau": scaling.tau,
            "costs": dict(scaling.costs),
            "targets": dict(scaling.targets),
            "accuracies": accuracies,
            "seconds": clock.seconds,
            "channels": np.flatnonzero(keep).tolist(),
        }
        files.write_json(path, told)
        return told

    def _keep(self, told: Mapping[str, Any]) -> np.ndarray:
        """[n] bool: the channels that are left."""
        keep = np.zeros(len(self.pruner.graph.owner), bool)
        keep[told["channels"]] = True
        return keep

    # The training.

    def _tune(self, told: Mapping[str, Any], watch: Watch) -> None:
        """Trains what is left, or writes it as it is if nothing is to be trained."""
        keep, widths = self._keep(told), tuple(told["widths"])
        if not self.tuning.finetune_epochs or keep.all():
            self._write_untrained(keep, told)
            return
        work = self.pruner.tuning(widths, self.tuning)

        def start() -> keras.Model:
            if work.fresh:
                return self.pruner.problem.build(widths)
            return self._left(keep)

        Job(
            self.folder,
            self.pruner.problem,
            widths,
            work.settings,
            self.configs.made,
            flags=self.flags,
            start=start,
            objective=work.objective,
        ).run(watch)

    def _left(self, keep: np.ndarray) -> keras.Model:
        """What is left, repaired; cut again by a process that continues."""
        if self._small is None:
            self._small, _ = self.pruner.cut_and_repair(keep)
        return self._small

    def _write_untrained(self, keep: np.ndarray, told: Mapping[str, Any]) -> None:
        """Writes model and result of a network that is not trained after the cut."""
        small = self._left(keep)
        problem, score = self.pruner.problem, self.pruner.problem.task.score.name
        python_models.save_model(small, self.folder / MODEL)
        result = {
            "version": 1,
            "architecture": problem.architecture.name,
            "dataset": problem.dataset.name,
            "widths": told["widths"],
            **network_costs(problem.structure, tuple(told["widths"])),
            "seed": self.pruner.seed,
            "epochs": 0,
            "score": score,
            f"validation_{score}": told["accuracies"]["repaired"],
            f"test_{score}": self.pruner.accuracy(small, "test"),
            "seconds": 0.0,
        }
        files.write_json(self.folder / RESULT, result)

    def _read(self, scores: np.ndarray) -> Pruned:
        """What the folder holds, complete."""
        path = self.folder / PRUNED
        told = files.read_json(path, what="pruned network", version=1)
        result = read_result(self.folder)
        told["accuracies"]["tuned"] = score_in(result, "validation")
        if result["epochs"]:
            told["seconds"]["tune"] = result["seconds"]
        if "test" not in told:
            told["test"] = score_in(result, "test")
            files.write_json(path, told)
        return Pruned(
            keras.saving.load_model(self.folder / MODEL, compile=False),
            Scaling(tuple(told["widths"]), told["tau"], told["costs"], told["targets"]),
            scores,
            self._keep(told),
            self.pruner.budgets.own,
            told["accuracies"],
            told["seconds"],
            None,
            told["test"],
        )
