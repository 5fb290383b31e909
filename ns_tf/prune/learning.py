"""The training in which gates learn: one loop for all of them.

A step trains weights and gates on a batch. Every ten steps the trainer looks which
channels are alive, weighs them by what they cost there, and steers the strength so that
their cost follows a plan from the whole network to the budgets.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import Dataset, augmented
from ns_tf.engine import loop
from ns_tf.engine.loop import Losses
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph import weights
from ns_tf.problem.problem import Problem
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.pressure import Pressure, Pull
from ns_tf.train.config import TrainConfig

EVERY = 10  # Steps between two looks at what is alive.
HELD = 4  # Images of a step of the weights by those of a step of gates alone.
_DRAW = 0x6A7E  # Keeps the draws of gates apart from those of batches.
_VERSION = 3  # Of the state, since gammas and filters keep what they were.


class Learning:
    """The state of such a training between two steps (`ns_tf.engine.loop.Stepper`).

    Args:
        gates: Of the network that is trained.
        problem: Data and task.
        config: Epochs, batch, rate of the weights.
        pressure: The budgets, and what channels cost.
        pull: How hard gates are pulled on, and how fast they move.
        runtime: Its seed draws batches.
        held: Data from whose training images the gates learn; None if from those of the
            weights. Weights and gates take turns then.

    Raises:
        InputError: the batch is larger than the training set.
    """

    def __init__(
        self,
        gates: LearnedGates,
        problem: Problem,
        config: TrainConfig,
        pressure: Pressure,
        pull: Pull,
        runtime: Runtime,
        *,
        held: Dataset | None = None,
    ):
        self.gates, self.pressure, self.config = gates, pressure, config
        self.pull, self.strength, self.runtime = pull, pull.strength, runtime
        self.dataset = augmented(problem.dataset, config.augmentation)
        self._per_epoch = steps_per_epoch(self.dataset, config.batch)
        self.total = config.epochs * self._per_epoch
        network, execution = gates.network, runtime.execution
        with execution.strategy.scope():
            self.sgd = Sgd(
                gates.variables,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
                undecayed=gates.undecayed,
                masks=gates.masks,
            )
        self.loss_scale = execution.loss_scale(network)
        self.held = held and augmented(held, config.augmentation)
        self.held_batch = config.batch
        if held:
            self.held_batch = held_batch(config.batch, len(held.train))
        step = TrainStep(
            gates.forward,
            self.sgd,
            gates.objective(problem.task),
            config.batch,
            execution,
            probe=gates.probe,
            watch=gates.watch,
            loss_scale=self.loss_scale,
            teacher=gates.teacher,
        )
        parts = _parts(step, self.held_batch, held)
        self._compiled = [part.compiled() for part in parts]
        self.steps = 0
        self.price = np.zeros(pressure.size)
        self.losses = Losses()
        self.rows: list[list[float]] = []  # Of `columns`.

    @property
    def columns(self) -> list[str]:
        """Names of what is seen at every look; costs are shares of the network's."""
        kinds = ("planned", "alive")
        costs = [f"{kind}_{name}" for name in self.pressure.limits for kind in kinds]
        return ["step", "loss", "strength", "closed", *costs]

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps >= self.total

    @property
    def progress(self) -> float:
        """Share of the steps that are done."""
        return self.steps / self.total

    def batches(self) -> Iterable[tuple]:
        """Endless batches from the next step on: of the weights, then of the gates."""
        streams = [(self.dataset, self.config.batch)]
        streams += [] if self.held is None else [(self.held, self.held_batch)]
        runtime, first = self.runtime, self.steps
        return zip(
            *(loop.batches(*one, runtime, first) for one in streams), strict=True
        )

    def step(self, *batches: tuple) -> None:
        """One step of weights and gates.

        Args:
            *batches: (inputs [batch, ...], targets [batch, ...]); two of them where
                gates have images of their own.

        Raises:
            RunError: a loss is not finite.
        """
        if self.steps % EVERY == 0:
            self._look()
        draw, floatx = self._draw(), keras.config.floatx()
        self.gates.before(draw, self.progress)
        rate = tf.constant(self.config.rate_at(self.steps, self._per_epoch), floatx)
        losses = []
        for step, batch in zip(self._compiled, batches, strict=True):
            applied = self._applied()
            losses.append(step(*batch, rate))
        # The last part is that of the gates. One that overflows has no derivatives:
        # those that were kept are of a step before, and of no checkpoint.
        if not self.loss_scale or self._applied() > applied:
            pull = self.strength * self.price
            self.gates.after(pull, self.pull.rates, draw, self.progress)
        self.steps += 1
        self.losses.add(self.steps, losses[0])
        if self.finished:
            self.gates.hold(self.sgd, self.progress)
            self._note()

    def _applied(self) -> int:
        """How many compiled steps did not overflow; 0 where none can."""
        return int(self.loss_scale.applied) if self.loss_scale else 0

    def _draw(self) -> np.ndarray:
        """[n] uniform in (0, 1), by seed and step; empty if the gates read none."""
        if not self.gates.drawn:
            return np.empty(0)
        generator = np.random.default_rng([self.runtime.seed, _DRAW, self.steps])
        return generator.uniform(np.finfo(float).tiny, 1.0, self.pressure.size)

    def _look(self) -> None:
        """Sets prices by what is alive, and the strength by what that costs."""
        alive = self.gates.alive()
        if self.pull.auto and self.steps:
            left = self.gates.left()
            excess = self.pressure.felt(alive, left, self.progress)
            start = self.pull.strength
            self.strength = self.gates.steered(self.strength, start, excess)
        self.price = self.pressure.price(alive)
        self.gates.press(self.strength, self.price)
        self.gates.hold(self.sgd, self.progress)
        self._note()

    def _note(self) -> None:
        """Adds a row of what is alive."""
        self.losses.check()
        alive, pressure = self.gates.alive(), self.pressure
        shares, planned = pressure.shares(alive), pressure.planned(self.progress)
        closed = sum((~alive[own]).sum() for own in self.pressure.prunable.widths)
        costs = [v for name in shares for v in (planned[name], shares[name])]
        row = [self.steps, self.losses.last, self.strength, float(closed), *costs]
        self.rows.append(row)

    def shown(self) -> dict[str, float]:
        """For progress: the last loss, the strength, and the share alive."""
        row = dict(zip(self.columns, self.rows[-1], strict=True))
        alive = {n: v for n, v in row.items() if n.startswith("alive_")}
        return {**self.losses.shown(), "strength": self.strength, **alive}

    def table(self) -> dict[str, np.ndarray]:
        """The rows of all looks, by column."""
        rows = np.array(self.rows, float).reshape(-1, len(self.columns))
        return dict(zip(self.columns, rows.T, strict=True))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts that `restore` continues from.

        Raises:
            RunError: a loss is not finite; such a state is not saved.
        """
        total = self.losses.total()
        network = self.gates.network
        arrays = {f"slot/{i}": slot.numpy() for i, slot in enumerate(self.sgd.slots)}
        arrays |= weights.named("now", weights.values(network))
        arrays |= weights.named("draw", weights.draws(network))
        arrays |= {f"gate/{name}": a for name, a in self.gates.state().items()}
        arrays |= {"price": self.price, "rows": np.array(self.rows, float)}
        if self.loss_scale:
            arrays["loss_scale"] = self.loss_scale.state()
        last = None if np.isnan(self.losses.last) else self.losses.last
        facts = {"version": _VERSION, "steps": self.steps, "strength": self.strength}
        return arrays, {**facts, "loss": total, "last": last}

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned.

        Args:
            arrays: Momenta, weights, gates, prices, by name.
            facts: Steps, strength, losses.

        Raises:
            ValueError: of a network that had its gates elsewhere.
        """
        if facts.get("version") != _VERSION:
            raise ValueError("an earlier ns_tf wrote it")
        network, kinds = self.gates.network, weights.by_kind(arrays)
        for i, slot in enumerate(self.sgd.slots):
            slot.assign(arrays[f"slot/{i}"])
        weights.assign(network, kinds["now"])
        weights.assign_draws(network, kinds.get("draw", {}))
        if self.loss_scale:
            self.loss_scale.restore(arrays["loss_scale"])
        self.price, self.strength = arrays["price"], facts["strength"]
        self.rows = arrays["rows"].tolist()
        self.steps = facts["steps"]
        self.losses.start(facts["loss"])
        self.losses.last = np.nan if facts["last"] is None else facts["last"]
        self.gates.press(self.strength, self.price)
        named = [n for n in arrays if n.startswith("gate/")]
        self.gates.restore({n.removeprefix("gate/"): arrays[n] for n in named})


def held_batch(batch: int, images: int) -> int:
    """Images of a step from which gates alone learn: a quarter of those of the weights.

    So the two steps that weights and gates take in turns cost little more than one.

    >>> held_batch(128, 5000), held_batch(128, 20), held_batch(3, 20)
    (32, 20, 1)

    Args:
        batch: Of the weights.
        images: That are held for the gates.
    """
    return min(max(1, batch // HELD), images)


def _parts(step: TrainStep, batch: int, held: Dataset | None) -> list[TrainStep]:
    """A step of all, or one of the weights and one of the gates.

    Args:
        step: Of weights and gates.
        batch: Images that gates learn from, where they have images of their own.
        held: These images; None if there are none.
    """
    if held is None:
        return [step]
    nothing = Sgd([], momentum=0.0, weight_decay=0.0)
    weights_alone = dataclasses.replace(step, probe=None, watch=())
    return [weights_alone, dataclasses.replace(step, sgd=nothing, batch_size=batch)]
