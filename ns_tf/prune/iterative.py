"""Iterative pruning (algorithm 1): train, score, choose, close, record.

P epochs of pretraining; then, after every `steps_per_event` training steps, the filters
of lowest score are removed, until a share of them is left. The widths after the events
are the trace that a scaling law is fitted to.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import PruneTrace, Widths
from ns_tf.data.batches import steps_per_epoch
from ns_tf.engine import loop
from ns_tf.engine.loop import Clock, Losses
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.prune import signals
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.joined import filter_scores
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.rebuilding import Rebuilder
from ns_tf.prune.removal import Prunable, choose
from ns_tf.prune.trained import copied, joined
from ns_tf.scaling.bounds import Bounds
from ns_tf.scaling.grid import grid_of
from ns_tf.scores import EventScores, FilterScores


def prune_trace(
    problem: Problem,
    widths: Sequence[int],
    config: PruneConfig,
    runtime: Runtime | None = None,
    *,
    label: str = "prune",
    checkpoint: str = "prune.npz",
    bounds: Bounds | None = None,
    start: keras.Model | None = None,
) -> PruneTrace:
    """The trace of pruning a network of these widths (algorithm 1).

    It depends on the arguments and the seed alone: not on replicas, rebuilds, or where
    it was stopped and continued (up to rounding, in float64).

    Args:
        problem: The architecture, and the data whose training images are used.
        widths: Of the seed network, [layers].
        config: Numbers of the algorithm.
        runtime: Seed, devices, progress, checkpoints; the default if None.
        label: Name of the work in progress.
        checkpoint: Name of the checkpoint's file, which stays when this returns.
        bounds: What a user wishes for single layers: those of at least so many filters
            keep them, and tied ones lose filters together.
        start: A network of these widths with whose weights it begins; it begins with
            fresh ones if None.

    Returns:
        widths [rows, layers] after the events from which on every layer had lost a
        filter, their parameters tau [rows], and the widths and scores of all events.

    Raises:
        RunError: the loss is not finite.
        InputError: the images or the widths do not fit the architecture.
        Interrupted: a signal asked to stop; the state was saved.
    """
    pruning = Pruning(
        problem, widths, config, runtime or Runtime(), bounds=bounds, start=start
    )
    total = config.steps(widths, pruning.epoch, pruning.least)
    loop.run(pruning, total, pruning.runtime, label=label, checkpoint=checkpoint)
    return pruning.trace()


def least_widths(
    widths: Sequence[int], config: PruneConfig, bounds: Bounds | None
) -> np.ndarray:
    """[layers]: filters that pruning leaves every layer, at most those that it has.

    Args:
        widths: Of the seed network, [layers].
        config: Its `prune_min_width`.
        bounds: What a user wishes for single layers.
    """
    low = grid_of(bounds=bounds).low
    return np.minimum(np.maximum(low, config.prune_min_width), widths)


class Pruning:
    """The state of algorithm 1 between two steps (`ns_tf.engine.loop.Stepper`).

    n is the number of channels of the seed network's graph.

    Args:
        problem: The architecture and the data.
        widths: Of the seed network, [layers].
        config: Numbers of the algorithm.
        runtime: Its seed draws weights, batches and noise.
        bounds: As of `prune_trace`.
        start: Has the weights that it begins with; fresh ones if None.

    Raises:
        InputError: the images or the widths do not fit the architecture.
    """

    def __init__(
        self,
        problem: Problem,
        widths: Sequence[int],
        config: PruneConfig,
        runtime: Runtime,
        *,
        bounds: Bounds | None = None,
        start: keras.Model | None = None,
    ):
        self.problem, self.config, self.runtime = problem, config, runtime
        self.epoch = steps_per_epoch(problem.dataset, config.search_batch)
        self.seed_widths = tuple(int(width) for width in widths)
        self.least = least_widths(self.seed_widths, config, bounds)
        self.tied = bounds.tied if bounds else ()
        self.stop_at = config.stop_at(self.seed_widths, self.least)
        keras.utils.set_random_seed(runtime.seed)
        seed = runtime.execution.build(
            lambda: copied(start, problem.structure) if start else problem.build(widths)
        )
        graph = problem.structure.graph(seed)
        loss = problem.task.loss(seed)
        self.network = PrunableNetwork(seed, graph, loss, config, runtime.execution)
        self.prunable = Prunable.of(problem.structure, graph)
        self.rebuilder = Rebuilder(self.network, self.prunable, problem.structure)
        self.losses = Losses(every=config.steps_per_event)
        self.clock = Clock()
        self.rows: list[Widths] = []  # Widths after every event.
        self.scores: list[tuple[float, ...]] = []  # By event: `EventScores`, a row.
        self.whole: FilterScores | None = None  # Before the first event.
        self.since = 0  # Steps since the last event, whose losses are summed up.
        self.steps = 0
        self.events = 0
        self.stopped = False

    # The algorithm, in the paper's order.

    def step(self, inputs: tf.Tensor, targets: tf.Tensor) -> None:
        """Trains one step; after every `steps_per_event` of them, removes filters.

        Args:
            inputs: [batch, height, width, channels].
            targets: [batch].

        Raises:
            RunError: a loss is not finite.
        """
        rate = self.config.rate(self.steps, self.epoch)
        loss = self.network.train(inputs, targets, rate)
        self.steps += 1
        self.since += 1
        self.losses.add(self.steps, loss)
        pruning = self.steps - self.config.pretrain_epochs * self.epoch
        if pruning == 0:
            self.network.forget()  # Discards the scores of the pretraining.
            self._start()
        if pruning > 0 and pruning % self.config.steps_per_event == 0:
            self.losses.check()
            # Without scores, as every step in float16 overflowed, the event waits.
            if self.network.scored:
                self._event()

    def _event(self) -> None:
        """Scores channels, removes those of lowest score, records what is left."""
        scores = self._score()
        chosen = self._choose(scores)
        self.events += 1
        self.stopped = not len(chosen)
        if self.stopped:
            return
        if self.events == 1:
            self.whole = self._whole(scores)
        self.network.close(chosen)
        self.network.forget()
        self._record(scores, chosen)
        self._start()
        if not self.finished:
            self.rebuilder.rebuild_if_due(self.left - self.stop_at)

    def _start(self) -> None:
        """Starts the mean of the losses up to the next event."""
        self.losses.start()
        self.since = 0

    def _record(self, scores: np.ndarray, chosen: np.ndarray) -> None:
        """Records what is left after an event, and what filters were worth in it.

        Args:
            scores: [n].
            chosen: Numbers of the channels that were removed.
        """
        alive = self.network.alive
        self.rows.append(self.prunable.count(alive))
        removed = self.prunable.highest(scores, chosen)
        lowest = self.prunable.lowest(scores, alive).tolist()
        self.scores.append((*lowest, removed, self.losses.total() / self.since))

    def _score(self) -> np.ndarray:
        """[n]: score of every channel."""
        criterion = self.network.criterion
        reading = signals.Reading(self.network, self.runtime.seed, self.events)
        return signals.get(criterion.reads).scores(criterion.formula, reading)

    def _whole(self, scores: np.ndarray) -> FilterScores | None:
        """What all filters are worth; None if scores of layers do not compare."""
        if self.network.criterion.scope != "global" or not np.isfinite(scores).all():
            return None
        graph = self.network.graph  # Ends of an identity have gates of their own.
        return filter_scores(joined(scores, graph), self.prunable, graph)

    def _choose(self, scores: np.ndarray) -> np.ndarray:
        """Numbers of the channels that this event removes; none if pruning ends."""
        config, workers = self.config, self.runtime.execution.workers
        chosen = choose(
            scores,
            self.network.alive,
            self.prunable,
            count=min(config.filters_per_event, self.left - self.stop_at),
            scope=self.network.criterion.scope,
            min_width=self.least,
            at_min_width=config.at_min_width,
            tied=self.tied,
        )
        gone = np.zeros(len(scores), bool)
        gone[chosen] = True
        # Machines may round scores that are no sums over replicas differently.
        return np.flatnonzero(workers.of_chief(gone))

    # What the step loop and the caller read.

    @property
    def finished(self) -> bool:
        """Whether the share of `stop_fraction` is reached, or no filter can go."""
        return self.stopped or self.left <= self.stop_at

    @property
    def left(self) -> int:
        """Filters that are not removed, over all widths."""
        return sum(self.prunable.count(self.network.alive))

    def batches(self) -> Iterable[tuple]:
        """Endless training batches from the next step on; starts the clock."""
        self.clock.start()
        config = self.config
        return loop.batches(
            self.problem.dataset, config.search_batch, self.runtime, self.steps
        )

    def shown(self) -> dict[str, float]:
        """For progress: filters left and the last loss."""
        return {"filters": self.left, **self.losses.shown()}

    def trace(self) -> PruneTrace:
        """The trace so far.

        Its rows begin with the first event after which every layer had lost a filter or
        was at its minimum: before, a width says nothing of how its layer scales.
        """
        structure, history = self.problem.structure, self._history()
        lost = (history < self.seed_widths) | (history <= self.least)
        widths = history[lost.all(axis=1)]
        tau = structure.params(widths)
        rows = self._scores()
        scores = EventScores(
            rows[:, -2], rows[:, :-2], rows[:, -1], self.config.criterion
        )
        names, seconds = structure.names, self.clock.seconds
        return PruneTrace(widths, tau, names, history, scores, seconds, self.whole)

    def _history(self) -> np.ndarray:
        """[events, layers]: widths after every event."""
        return np.array(self.rows, int).reshape(-1, len(self.seed_widths))

    def _scores(self) -> np.ndarray:
        """[events, layers + 2]: lowest scores by layer, highest removed, mean loss."""
        return np.array(self.scores, float).reshape(-1, len(self.seed_widths) + 2)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts that `restore` continues from.

        Raises:
            RunError: a loss is not finite; such a state is not saved.
        """
        facts = {
            "loss": self.losses.total(),
            "since": self.since,
            "seconds": self.clock.seconds,
            "steps": self.steps,
            "events": self.events,
            "stopped": self.stopped,
            "waste": self.rebuilder.due.waste,
        }
        arrays = {"history": self._history(), "event_scores": self._scores()}
        if self.whole:
            arrays |= {"whole": self.whole.flat, "whole_sets": self.whole.sets}
        return {**arrays, **self.network.state()}, facts

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned.

        Args:
            arrays: The history, weights, momenta and scores, by name.
            facts: Steps and events so far, and the state of rebuilding.
        """
        self.rows = [tuple(int(w) for w in row) for row in arrays["history"]]
        # Older files have no scores: those events stay unknown.
        unknown = np.full((len(self.rows), len(self.seed_widths) + 2), np.nan)
        self.scores = [tuple(row) for row in arrays.get("event_scores", unknown)]
        if "whole" in arrays:
            parts = arrays["whole_sets"], arrays["whole"]
            self.whole = FilterScores.of(*parts, self.seed_widths)
        self.losses.start(facts.get("loss", 0.0))
        self.since = facts.get("since", 0)
        self.clock = Clock(facts.get("seconds", 0.0))
        self.network.restore(arrays)
        self.steps, self.events = facts["steps"], facts["events"]
        self.stopped = facts["stopped"]
        self.rebuilder.due.waste = facts.get("waste", 0.0)  # Not in older files.
