"""Single weights that go on a schedule while the others train."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.engine.execution import Execution
from ns_tf.engine.sgd import Sgd
from ns_tf.graph import weights
from ns_tf.prune.formulas import ScheduledGates
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.pressure import ramped

if TYPE_CHECKING:
    from ns_tf.prune.weight_pruner import WeightPruner


class Scheduled(LearnedGates):
    """The weights of a network, of which more and more are 0 for good.

    What stays at a moment is what the pruner would keep of the weights as they are, if
    the budget were what the schedule says.

    Args:
        network: Trained in place; built by the execution.
        pruner: Of the network; n weights may go.
        formulas: The schedule.
        execution: Its strategy holds the masks.
    """

    def __init__(
        self,
        network: keras.Model,
        pruner: "WeightPruner",
        formulas: ScheduledGates,
        execution: Execution,
    ):
        self.network, self.pruner, self.formulas = network, pruner, formulas
        self.keep = np.ones(pruner.size, bool)
        self._keys = weights.trainable_keys(network)
        shapes = pruner.kernels.shapes
        with execution.strategy.scope():
            self.masks = [
                tf.Variable(tf.ones(shapes[key], bool), trainable=False)
                if key in shapes
                else None
                for key in self._keys
            ]

    @property
    def forward(self) -> Callable:
        """(inputs, training) -> outputs."""
        return self.network

    def alive(self) -> np.ndarray:
        """[n] bool: the weights that are not held at 0."""
        return self.keep

    def scores(self) -> np.ndarray:
        """[n]: the size of each weight; below all sizes if it is held at 0."""
        size = np.abs(self.pruner.kernels.flat(weights.values(self.network)))
        return np.where(self.keep, size, -1.0)

    def probe(self, own: list, others: list) -> list:
        """The gradients of the weights as they are.

        Args:
            own: Of the trainable variables.
            others: None.
        """
        del others
        return own

    def hold(self, sgd: Sgd, progress: float) -> None:
        """Sets to 0 what the schedule takes, with its momentum.

        Args:
            sgd: Moves the weights, by `masks`.
            progress: Share of the steps that are done.
        """
        pruner = self.pruner
        goes = self.formulas.gone(ramped(progress)) * (pruner.size - pruner.room)
        room = pruner.size - int(goes)
        if room < np.count_nonzero(self.keep):
            self._mask(pruner.staying(self.scores(), room))
            for variable, slot, mask in zip(
                sgd.variables, sgd.slots, self.masks, strict=True
            ):
                if mask is not None:
                    variable.assign(np.where(mask, np.array(variable), 0))
                    slot.assign(np.where(mask, slot, 0))

    def _mask(self, keep: np.ndarray) -> None:
        """Says which weights move, [n] bool."""
        self.keep = keep
        own = self.pruner.kernels.shaped(keep)
        for key, mask in zip(self._keys, self.masks, strict=True):
            if mask is not None:
                mask.assign(own[key])

    def state(self) -> dict[str, np.ndarray]:
        """Which weights are not held at 0."""
        return {"keep": self.keep}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self._mask(arrays["keep"])
