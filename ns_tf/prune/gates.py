"""What the trainer of gates asks of a network whose gates learn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.engine.sgd import Sgd
from ns_tf.graph import weights
from ns_tf.graph.weights import Key
from ns_tf.networks.layers.base import starts_in
from ns_tf.problem.tasks import Task
from ns_tf.prune.pressure import steered


class LearnedGates:
    """The gates of a network that is trained, n of them.

    `Gammas`, `Filters`, `Bank`, `Taught`, `Generated` and `Scheduled` say what differs
    from what is here.

    Attributes:
        network: Whose weights are trained.
        forward: (inputs, training) -> outputs.
        watch: Variables beside those of SGD whose gradients `probe` reads.
        teacher: Whose outputs the objective takes as its third argument, if any.
        drawn: Whether `before` or `after` read random draws.
        masks: As of `Sgd`, of `variables`.
    """

    network: keras.Model
    forward: Callable
    watch: Sequence = ()
    teacher: keras.Model | None = None
    drawn: bool = False
    masks: Sequence = ()

    @property
    def variables(self) -> list[keras.Variable]:
        """What SGD moves."""
        return list(self.network.trainable_variables)

    @property
    def undecayed(self) -> list[keras.Variable]:
        """Those of `variables` that have no weight decay.

        All gammas and betas, and where blocks of learned epitomes begin.
        """
        return [*scales(self.network), *starts_in(self.network.trainable_variables)]

    def objective(self, task: Task) -> Callable:
        """(targets, outputs of `forward`, teacher's) -> losses [batch].

        Args:
            task: Whose targets the data have.
        """
        return task.loss(self.network)

    def steered(self, strength: float, start: float, excess: float) -> float:
        """The next strength, where it follows the budgets.

        Args:
            strength: Now.
            start: At the beginning.
            excess: Share of the whole cost by which the network is above its plan.
        """
        return steered(strength, start, excess)

    def alive(self) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        raise NotImplementedError

    def left(self) -> np.ndarray:
        """[n], 0 to 1: what the pull has left of each gate.

        It falls before a gate closes, and says how many are on their way. Where gates
        are only open or closed, it is `alive`.
        """
        return self.alive().astype(float)

    def scores(self) -> np.ndarray:
        """[n]: the higher, the longer a channel is kept."""
        raise NotImplementedError

    def press(self, strength: float, price: np.ndarray) -> None:
        """Sets the pull of the steps that follow.

        Args:
            strength: Of the penalty.
            price: [n].
        """

    def hold(self, sgd: Sgd, progress: float) -> None:
        """Sets what does not move in the steps that follow.

        Args:
            sgd: Moves `variables`.
            progress: Share of the steps that are done.
        """

    def probe(self, own: list, others: list) -> list:
        """As of `ns_tf.engine.step.TrainStep`."""
        raise NotImplementedError

    def before(self, draw: np.ndarray, progress: float) -> None:
        """Sets the gates of the forward pass.

        Args:
            draw: [n] uniform in (0, 1); empty unless `drawn`.
            progress: Share of the steps that are done.
        """

    def after(
        self, pull: np.ndarray, rate: np.ndarray, draw: np.ndarray, progress: float
    ) -> None:
        """Moves the gates by the derivatives of the step.

        Args:
            pull: [n]: strength times price.
            rate: [n].
            draw: [n], as of `before`.
            progress: As of `before`.
        """

    def weights(self) -> dict[Key, np.ndarray]:
        """Of the network without gates that computes the same."""
        return weights.values(self.network)

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs, beside the weights of the network."""
        return {}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""


def scales(network: keras.Model) -> list[keras.Variable]:
    """The trainable gammas and betas, which have no weight decay while gates learn.

    Args:
        network: That is trained.
    """
    keys = zip(
        weights.trainable_keys(network), network.trainable_variables, strict=True
    )
    return [variable for key, variable in keys if key[1] in ("gamma", "beta")]
