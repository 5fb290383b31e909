"""Iterative pruning (algorithm 1): train, score, remove, record."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf import budgets
from ns_tf.base import PruneTrace, Widths
from ns_tf.data.batches import steps_per_epoch, train_batches
from ns_tf.data.dataset import Dataset
from ns_tf.engine.execution import Execution
from ns_tf.engine.loop import Losses
from ns_tf.networks.structure import Structure
from ns_tf.prune import criteria, signals
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.rebuilding import PASSES, REBUILD_SECONDS, Rebuilding
from ns_tf.prune.removal import Prunable, choose
from ns_tf.run.progress import Quiet


def prune_trace(
    structure: Structure,
    widths: Sequence[int],
    dataset: Dataset,
    config: PruneConfig,
    *,
    seed: int = 0,
    execution: Execution | None = None,
    progress: type = Quiet,
    checkpoint: Any = None,
    label: str = "prune",
) -> PruneTrace:
    """Prunes a new network of these widths; what was left after each event.

    Args:
        structure: The architecture.
        widths: Of the seed network.
        dataset: Its training images are used, nothing else.
        config: Algorithm 1's numbers.
        seed: Of the weights, the order of the images and the augmentation.
        execution: Devices and precision; one device and float32 if None.
        progress: Shows how far it has come (`ns_tf.progress`).
        checkpoint: Where to continue from and save to (`ns_tf.runs.Checkpoint`); a run
            that is continued ends as one that was never stopped.
        label: What `progress` calls it.

    Raises:
        RunError: the loss is not finite.
        InputError: the images or the widths do not fit the architecture.
    """
    run = _Run(structure, widths, dataset, config, seed, execution)
    if checkpoint:
        checkpoint.restore(run.restore)
    total = config.steps(widths, run.epoch)
    with progress(total, label=label, unit="steps", initial=run.steps) as bar:
        for images, labels in run.batches():
            if run.finished:
                break
            run.step(images, labels)
            bar.update(1, filters=run.left, **run.losses.told)
            if checkpoint and checkpoint.due():
                checkpoint.save(*run.state())
    run.losses.check()
    return run.trace()


class _Run:
    """One run of algorithm 1, between any two training steps."""

    def __init__(self, structure, widths, dataset, config, seed, execution):
        self.structure, self.config, self.seed = structure, config, seed
        self.dataset = dataset
        self.epoch = steps_per_epoch(dataset, config.search_batch)
        self.execution = execution or Execution()
        keras.utils.set_random_seed(seed)
        model = self.execution.build(lambda: structure.build(widths))
        self.graph = structure.graph(model)
        self.prunable = Prunable.of(structure, self.graph)
        self.network = PrunableNetwork(
            model,
            self.graph,
            criterion=criteria.get(config.criterion),
            execution=self.execution,
            batch_size=config.search_batch,
            momentum=config.search_momentum,
            weight_decay=config.search_weight_decay,
        )
        self.seed_widths = tuple(int(width) for width in widths)
        self.macs = budgets.get("macs").cost(structure)
        self.stop_at = config.stop_at(self.seed_widths)
        self.steps = 0
        self.events = 0
        self.stopped = False
        cost = REBUILD_SECONDS * len(self.graph.calls)
        self.rebuilding = Rebuilding(config.rebuild, cost)
        self.rows: list[Widths] = []
        self.losses = Losses(every=config.steps_per_event)

    @property
    def finished(self) -> bool:
        return self.stopped or self.left <= self.stop_at

    @property
    def left(self) -> int:
        """Filters not removed yet."""
        return sum(self.prunable.count(self.network.alive))

    def batches(self):
        """The batches from the next step on."""
        return self.execution.deal_out(
            train_batches(
                self.dataset,
                self.config.search_batch,
                seed=self.seed,
                first_step=self.steps,
            )
        )

    def step(self, images, labels) -> None:
        """One training step, and the removal that may be due after it."""
        rate = self.config.rate(self.steps, self.epoch)
        loss = self.network.train(images, labels, rate)
        self.steps += 1
        self.losses.add(self.steps, loss)
        pruning = self.steps - self.config.pretrain_epochs * self.epoch
        if pruning == 0:
            self.network.forget()  # Scores of filters that were still growing up.
        if pruning > 0 and pruning % self.config.steps_per_event == 0:
            self._event()

    def _event(self) -> None:
        self.losses.check()
        if not self.network.scored:
            return  # Nothing to choose by yet: the next event comes after more steps.
        config = self.config
        chosen = choose(
            self._scores(),
            self.network.alive,
            self.prunable,
            count=min(config.filters_per_event, self.left - self.stop_at),
            scope=self.network.criterion.scope,
            min_width=config.prune_min_width,
            at_min_width=config.at_min_width,
        )
        self.events += 1
        self.stopped = not len(chosen)
        if self.stopped:
            return
        self.network.close(chosen)
        self.network.forget()
        widths = self.prunable.count(self.network.alive)
        self.rows.append(widths)
        self._rebuild_if_due()

    def _scores(self) -> np.ndarray:
        """[n]: score of every channel."""
        criterion = self.network.criterion
        reading = signals.Reading(self.network, self.seed, self.events)
        return signals.get(criterion.reads).scores(criterion.formula, reading)

    def _rebuild_if_due(self) -> None:
        """Builds the network anew without closed channels, where that is due."""
        config, network = self.config, self.network
        keep = network.alive if config.rebuild == "always" else network.fast()
        if self.finished or np.array_equal(keep, network.present):
            return
        held, needed = (
            float(self.macs(np.array(self.prunable.count(channels))))
            for channels in (network.present, keep)
        )
        images = config.search_batch * config.steps_per_event
        # A projection that vanishes can make more channels cost less.
        excess = PASSES * max(0.0, held - needed) * images / self.execution.speed
        events = math.ceil((self.left - self.stop_at) / config.filters_per_event)
        if self.rebuilding.due(excess, events):
            network.compact(keep)

    def trace(self) -> PruneTrace:
        """What events left, from the first after which every layer had lost some."""
        history = self._history()
        least = np.minimum(self.config.prune_min_width, self.seed_widths)
        lost = (history < self.seed_widths) | (history <= least)
        widths = history[lost.all(axis=1)]
        tau = self.structure.params(widths)
        return PruneTrace(widths, tau, self.structure.names, history)

    def _history(self) -> np.ndarray:
        """[events, layers]: widths after every event."""
        return np.array(self.rows, int).reshape(-1, len(self.seed_widths))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts to go on from."""
        self.losses.check()
        facts = {"steps": self.steps, "events": self.events, "stopped": self.stopped}
        facts["waste"] = self.rebuilding.waste
        return {"history": self._history(), **self.network.state()}, facts

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Continues from what `state` returned."""
        self.rows = [tuple(int(w) for w in row) for row in arrays["history"]]
        self.network.restore(arrays)
        self.steps, self.events = facts["steps"], facts["events"]
        self.stopped = facts["stopped"]
        self.rebuilding.waste = facts.get("waste", 0.0)  # Older runs have none.
