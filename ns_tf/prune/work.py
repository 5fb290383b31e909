"""Pruning a trained network in a run folder: checked first, then done and kept.

A run folder belongs to one trained network and its data::

    run.flags                   which network, which data
    scores/CRITERION_....npz    scores of all channels, which other budgets read again
    train/NAME/                 what is left for one budget, a folder as of a training
        pruned.json             which channels, costs, accuracy by stage, seconds
        kept.npz                of single weights: which are left

So what is left can be exported, trained and pruned on as any training.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

from ns_tf.base import Scaling
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.graph.remake import check_readable
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.tasks import Task
from ns_tf.problem.tasks.compiled import Compiled
from ns_tf.problem.weighted import Weighted
from ns_tf.prune.config import SourceConfig
from ns_tf.prune.job import PruneJob, scores_name
from ns_tf.prune.pruned import Pruned
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.results import told_in
from ns_tf.prune.settings import Configs
from ns_tf.prune.source import AUTO, TrainedNetwork, fingerprint, trained_network
from ns_tf.prune.summary import summary
from ns_tf.run import files
from ns_tf.run.config import check_name
from ns_tf.run.folder import MODEL, SCORED, TRAIN, is_new
from ns_tf.run.watch import Watch


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
        check_name(name)
        check_readable(network.model)  # What is left is read from its file.
        self.run_dir, self.network, self.pruner = Path(run_dir), network, pruner
        self.source = source
        self.folder = self.run_dir / TRAIN / (name or configs.name)
        digest = fingerprint(network.model) + _learned(network.problem.task)
        named = ProblemConfig(
            # Other weights under the same name are another network.
            architecture=f"{pruner.problem.architecture.name}@{digest}",
            dataset=source.dataset,
            pixels=network.pixels,
            **network.data,
        )
        data = {n: v for n, v in network.data.items() if n != "data_dir"}
        images = (network.pixels, source.dataset, sorted(data.items()))
        self.job = PruneJob(
            self.folder,
            self.run_dir / SCORED / scores_name(pruner, digest, images),
            pruner,
            configs.tuning,
            configs.made,
            (named, configs.cut, configs.tuning, configs.budget, configs.runtime),
        )
        self.job.check()
        is_new(self.run_dir, (source,), "pruning")
        is_new(self.folder, self.job.flags, "pruned network")

    @classmethod
    def of(
        cls,
        run_dir: str | Path,
        source: SourceConfig,
        settings: tuple,
        name: str | None = None,
        search: Any = None,
    ) -> "PruneRun":
        """The run that settings ask for; reads the network and its data.

        Args:
            run_dir: The folder.
            source: The trained network and its data.
            settings: Of the budget, the cut, the training and the runtime.
            name: As above.
            search: `ns_tf.descend.record.SearchRecord` of the network, for the
                allocation "law".

        Raises:
            InputError: what cannot be pruned so; nothing was written.
        """
        budget, cut, tuning, runtime = settings
        execution = Execution.of(runtime, several=True)  # Before TensorFlow starts.
        made = Runtime.of(runtime, execution)
        configs = Configs(cut, tuning, budget, runtime, made)
        pixels = source.pixels or AUTO
        network = trained_network(
            source.model, source.dataset, pixels=pixels, **source.data
        )
        named = dataclasses.replace(source, dataset=network.problem.dataset.name)
        pruner = configs.pruner(network, search)
        return cls(run_dir, network, named, pruner, configs, name=name)

    @property
    def text(self) -> str:
        """What is left and how good it is, of a run that is done."""
        return summary(self.pruner, self.done, self.job.tuning)

    @functools.cached_property
    def done(self) -> Pruned:
        """What the folder holds, of a run that is done.

        Raises:
            InputError: it is not done.
        """
        arrays, _ = files.read_arrays(self.job.scores, what="list of scores")
        told = told_in(self.folder)
        return Pruned(
            self.pruner.problem.loaded(self.folder / MODEL),
            Scaling(tuple(told["widths"]), told["tau"], told["costs"], told["targets"]),
            arrays["scores"],
            self.job.keep(told),
            self.pruner.budgets.own,
            told["accuracies"],
            told["seconds"],
            None,
            told["test"],
        )

    def run(self, watch: Watch | None = None) -> Pruned:
        """Prunes, or continues, or reads what was done.

        Args:
            watch: Shows progress and requests stops.

        Raises:
            InputError: a budget that cannot be met, or the folder is in use.
            RunError: a loss is not finite.
            Interrupted: a signal asked to stop; the state was saved.
        """
        workers = self.job.runtime.execution.workers
        check_alike(workers, (self.source,), self.network.problem.dataset)
        with run_folder(workers, self.run_dir, (self.source,), "pruning"):
            self.job.run(watch)
            return self.done


def _learned(task: Task) -> str:
    """A digest of what a network was compiled with, where that is what it learns.

    Other losses give other scores of the same weights. Empty for other tasks.
    """
    inner = task.task if isinstance(task, Weighted) else task
    if not isinstance(inner, Compiled):
        return ""
    return f"-{inner.compilation.digest}"
