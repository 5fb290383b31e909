"""Iterative pruning (algorithm 1): train, score, remove, record."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf import budgets, criteria, engine, pipeline
from ns_tf.base import PruneTrace, Widths
from ns_tf.configs import PruneConfig
from ns_tf.execution import Execution
from ns_tf.network import PrunableNetwork
from ns_tf.progress import Quiet
from ns_tf.removal import Prunable, choose
from ns_tf.structure import Structure

# What a rebuild counts for every operation of the network. It takes some 0.06 seconds
# (copying, tracing, the first run), and leaves memory behind: TensorFlow keeps oneDNN's
# compiled primitives. Counted thrice there are a third to two fifths fewer rebuilds,
# and an iteration takes 1 % longer, so flat is the optimum (docs/performance.md).
REBUILD_SECONDS = 0.18
PASSES = 3  # A training step costs this many forward passes.


def prune(
    structure: Structure,
    widths: Sequence[int],
    dataset: pipeline.Dataset,
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


@dataclasses.dataclass
class Rebuilding:
    """Decides after which events the network is built anew.

    It pays when as much time was lost on closed channels since the last rebuild as a
    rebuild takes, which is when the sum of both is least where they grow steadily, and
    if as much would be lost until the end. The times are nominal, not measured: a run
    that is continued rebuilds where one that was never stopped does.
    """

    when: str  # As `--rebuild` takes it.
    cost: float  # Seconds of a rebuild.
    waste: float = 0.0  # Seconds lost on closed channels since the last one.

    def due(self, excess: float, events: int) -> bool:
        """Whether to rebuild after an event.

        Args:
            excess: Seconds that closed channels will take until the next event.
            events: How many events are still to come.
        """
        pays = self.waste >= self.cost and excess * events >= self.cost
        if self.when == "always" or (self.when == "pays" and pays):
            self.waste = 0.0
            return True
        self.waste += excess
        return False


class _Run:
    """One run of algorithm 1, between any two training steps."""

    def __init__(self, structure, widths, dataset, config, seed, execution):
        self.structure, self.config, self.seed = structure, config, seed
        self.dataset = dataset
        self.epoch = pipeline.steps_per_epoch(dataset, config.search_batch)
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
        self.losses = engine.Losses(every=config.steps_per_event)

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
            pipeline.train_batches(
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
        """[n]: mean score of every channel."""
        network = self.network
        reads, formula = network.criterion.reads, network.criterion.formula
        if reads == "gate_gradient":
            return network.score_sums()
        if reads == "noise":
            noise = np.random.default_rng([self.seed, self.events])
            return formula(noise.random(len(network.alive)))
        scores = np.zeros(len(network.alive))
        for channels, kernel in network.kernels():
            np.add.at(scores, channels, formula(kernel))
        return scores

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
