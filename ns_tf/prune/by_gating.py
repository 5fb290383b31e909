"""Scores by a gating: the network is trained with gates that learn."""

import dataclasses
import functools

import keras
import numpy as np

from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import Dataset, augmented
from ns_tf.data.holdout import take
from ns_tf.engine import loop
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import criteria, filters, signals
from ns_tf.prune.bank import Bank, Noise
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.filters import Filters
from ns_tf.prune.formulas import (
    BankGates,
    GeneratedGates,
    KernelGates,
    NormGates,
    ScheduledGates,
)
from ns_tf.prune.gammas import Gammas
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.gatings import Gating
from ns_tf.prune.generated import Generated, Shares
from ns_tf.prune.learnable import check_learnable
from ns_tf.prune.learning import Learning, held_batch
from ns_tf.prune.method import Scored
from ns_tf.prune.norms import largest
from ns_tf.prune.pressure import RAMP, Pressure, Pull, gate_rates
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.scheduled import Scheduled
from ns_tf.prune.strength import strength_of
from ns_tf.prune.taught import Taught, signed
from ns_tf.prune.trained import copied
from ns_tf.train.config import TrainConfig

_STEP = "step"  # The schedule that divides the rate.
_DROPS = 0.5, 0.75  # Shares of the epochs after which it does, as in network slimming.
_HELD = 0x41D  # Keeps the draw of images for gates apart from other draws.


class ByGating:
    """A gating on a network that is pruned (`ns_tf.prune.method.Scorer`).

    Args:
        gating: The formulas.
        pruner: The network of n channels, its budgets, its data.
    """

    def __init__(self, gating: Gating, pruner: Pruner):
        self.gating, self.pruner = gating, pruner
        self.formulas = gating.formulas
        self.strength = strength_of(pruner.config.strength)

    @property
    def _by_norm(self) -> bool:
        """Whether the gates are gammas."""
        return isinstance(self.formulas, NormGates)

    @property
    def _by_kernel(self) -> bool:
        """Whether the gates are filters."""
        return isinstance(self.formulas, KernelGates)

    @property
    def _generated(self) -> bool:
        """Whether generators make the gates."""
        return isinstance(self.formulas, GeneratedGates)

    @property
    def _scheduled(self) -> bool:
        """Whether weights go by a schedule."""
        return isinstance(self.formulas, ScheduledGates)

    @property
    def _taught(self) -> bool:
        """Whether the outputs of the network as it was are learned."""
        return isinstance(self.formulas, BankGates) and self.formulas.taught

    @functools.cached_property
    def data(self) -> tuple[Dataset, Dataset | None]:
        """What the weights learn from, and the gates, if not from the same images."""
        dataset, share = self.pruner.problem.dataset, self.formulas.held_out
        if not share:
            return dataset, None
        count = len(dataset.train)
        order = np.random.default_rng([self.pruner.seed, _HELD]).permutation(count)
        held = min(count - 1, max(1, round(share * count)))
        parts = order[held:], order[:held]
        splits = (take(dataset.train, part) for part in parts)
        return tuple(dataclasses.replace(dataset, train=split) for split in splits)

    @functools.cached_property
    def settings(self) -> TrainConfig:
        """How the weights are trained."""
        config, (dataset, _) = self.pruner.config, self.data
        epochs = config.gate_epochs or self.gating.epochs
        settings = TrainConfig(
            epochs=epochs,
            batch=min(config.gate_batch, len(dataset.train)),
            rate=config.gate_rate,
            schedule=config.gate_schedule,
            momentum=FinetuneConfig.finetune_momentum,
            weight_decay=config.gate_weight_decay,
            augmentation=self.pruner.augmentation,
        )
        if config.gate_schedule != _STEP:
            return settings
        # Whole where they are whole, as names of scores that are kept have it.
        shares = (share * epochs for share in _DROPS)
        drops = tuple(int(x) if x == int(x) else x for x in shares)
        return dataclasses.replace(settings, rate_drops=drops)

    def check(self) -> None:
        """Refuses what gates cannot learn on (`ns_tf.prune.learnable`).

        Raises:
            InputError: names the layer, or the option.
        """
        check_learnable(self.gating, self.pruner)
        augmented(self.data[0], self.settings.augmentation)
        steps_per_epoch(self.data[0], self.settings.batch)

    @property
    def depends(self) -> tuple:
        """What the scores depend on; the budgets too, unless nothing reads them."""
        pruner, config = self.pruner, self.pruner.config
        own = (config.strength, self.settings)
        # Names of scores at the default have nothing of it, as older ones.
        if pruner.precision != ExecutionConfig.precision:
            own = (*own, pruner.precision)
        auto = self.strength is None
        if self._scheduled:
            own = (*own, pruner.allocation.name)
        elif self._generated:
            law = pruner.law_numbers
            own = (*own, pruner.allocation.name, config.weigh, config.least_share, law)
        elif not (auto or self.gating.units or self.formulas.priced):
            return own
        return (*own, sorted(pruner.budgets.targets.items()), pruner.grid)

    def checkpoints(self, checkpoint: str) -> list[str]:
        """As of `ns_tf.prune.method.Scorer`."""
        return [checkpoint]

    def score(self, runtime: Runtime, checkpoint: str) -> Scored:
        """Trains the network with its gates; scores and weights that it came to.

        Args:
            runtime: Shows progress, and continues a training that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            RunError: a loss is not finite.
        """
        keras.utils.set_random_seed(self.pruner.seed)  # Of layers that draw.
        work = self.learning(runtime)
        loop.run(work, work.total, runtime, label="gates", checkpoint=checkpoint)
        scores = self.pruner.joined(work.gates.scores())
        return Scored(scores, work.gates.weights(), work.table())

    def learning(self, runtime: Runtime) -> Learning:
        """The training, before its first step.

        Args:
            runtime: Devices, precision, seed.
        """
        dataset, held = self.data
        gates, pull = self._gates_and_pull(runtime)
        return Learning(
            gates,
            dataclasses.replace(self.pruner.problem, dataset=dataset),
            self.settings,
            self.pressure,
            pull,
            runtime,
            held=held,
        )

    def _gates_and_pull(self, runtime: Runtime) -> tuple[LearnedGates, Pull]:
        """The gates, and how hard they are pulled on."""
        if self._scheduled:
            model, structure = self.pruner.model, self.pruner.problem.structure
            execution = runtime.execution
            network = execution.build(lambda: copied(model, structure))
            gates = Scheduled(network, self.pruner, self.formulas, execution)
            return gates, Pull(0.0, auto=False, rates=np.empty(0))
        curvature = self.curvature()
        return self._gates(runtime, curvature), self._pull(curvature)

    @property
    def _seen(self) -> int:
        """Images of a step from which gates learn."""
        batch, held = self.settings.batch, self.data[1]
        return held_batch(batch, len(held.train)) if held else batch

    @property
    def _steps(self) -> int:
        """Of the training."""
        per_epoch = steps_per_epoch(self.data[0], self.settings.batch)
        return self.settings.epochs * per_epoch

    def _noise(self, curvature: np.ndarray) -> Noise | None:
        """What single weights' gates are moved by; None of other units."""
        if not self.pruner.noisy:
            return None
        formulas, pressure, scale = self.formulas, self.pressure, self.scale()

        def unit(squares: np.ndarray) -> float:
            held = formulas.against_noise(squares, RAMP * self._steps)
            return pressure.unit(held, scale)

        return Noise(curvature / self._seen, unit)

    def _pull(self, curvature: np.ndarray) -> Pull:
        """How hard gates are pulled on, by their curvatures [n]."""
        formulas = self.formulas
        unit = first = 1.0  # Of noise that is measured as gates learn.
        if not self.pruner.noisy:
            first = formulas.first
            unit = self.pressure.unit(curvature, self.scale())
        begin = first * (1.0 if self._generated else unit)
        if self.strength is not None:
            begin = self.strength * (unit if self.gating.units else 1.0)
        moved = isinstance(formulas, BankGates)
        pace = formulas.pace(self._steps) if moved else 1.0
        price = self.pressure.price(np.ones(self.pruner.size, bool))
        rates = gate_rates(curvature, unit * price, self._steps, pace)
        return Pull(begin, self.strength is None, rates)

    @functools.cached_property
    def pressure(self) -> Pressure:
        """The budgets as the gates feel them."""
        found = self.pruner.pressure(self.formulas.priced)
        if self._scheduled:
            return dataclasses.replace(found, course=self.formulas.gone)
        return found

    def curvature(self) -> np.ndarray:
        """[n]: the mean over proxy images of (dL_i/dg)^2, all gates open.

        Of a loss that has no derivative there, the second derivative.
        """
        formula, pruner = criteria.get("taylor_fg").formula, self.pruner
        network = pruner.read()
        if self._taught:
            network.loss = signed(pruner.model)
        reading = signals.Reading(network, pruner.seed)
        return signals.get("example_gradients").scores(formula, reading)

    def scale(self) -> np.ndarray:
        """[n]: by what a pull of strength 1 is multiplied: the size of a gate, or 1.

        A gate of size |gamma|, or of a filter's size, is closed by as much.
        """
        pruner = self.pruner
        if self._by_kernel:
            return filters.sizes(pruner.model, pruner.graph, self.formulas)
        if not self._by_norm:
            return np.ones(pruner.size)
        return largest(pruner.model, pruner.graph, np.abs)

    def _gates(self, runtime: Runtime, curvature: np.ndarray) -> LearnedGates:
        """The gates, on a copy of the network."""
        pruner, execution = self.pruner, runtime.execution
        model, graph, formulas = pruner.model, pruner.graph, self.formulas
        if self._by_norm or self._by_kernel:
            structure = pruner.problem.structure
            network = execution.build(lambda: copied(model, structure))
            kind = Gammas if self._by_norm else Filters
            return kind(network, graph, formulas, execution)
        if self._generated:
            shares = self._shares(curvature)
            network = execution.build(
                lambda: pruner.sites.generated(model, formulas.code, shares)
            )
            return Generated(network, model, formulas, execution, shares, pruner.size)
        network = execution.build(lambda: pruner.sites.network(model))
        slot = formulas.slot(curvature, self._seen)
        if self._taught:
            return Taught(network, pruner.sites, formulas, execution, slot, model)
        noise = self._noise(curvature)
        return Bank(network, pruner.sites, formulas, execution, slot, noise)

    def _shares(self, curvature: np.ndarray) -> Shares:
        """What the budgets leave of every layer, by curvatures [n] as scores."""
        pruner = self.pruner
        return pruner.shares(pruner.solve(pruner.joined(curvature)).widths)
