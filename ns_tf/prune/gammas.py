"""Gates that are the gammas of batch norms."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ns_tf.graph.weights import Key
from ns_tf.prune.norms import gammas, largest
from ns_tf.prune.penalised import Penalised


class Gammas(Penalised):
    """The gammas of a network as its gates."""

    def penalised(self) -> Iterator[tuple[Key, int]]:
        """(gamma, its axis of channels) of every norm."""
        return ((key, -1) for key, *_ in gammas(self.network, self.graph))

    @property
    def raw(self) -> np.ndarray:
        """[n]: |gamma|, of several norms of a channel the largest."""
        return largest(self.network, self.graph, np.abs)

    def pull(self, variable: keras.Variable, axis: int, price: Any) -> Any:
        """As of `Penalised`.

        Args:
            variable: A gamma [channels].
            axis: Its only one.
            price: [channels], a tensor.
        """
        del axis
        return self.formulas.pull(variable, price)
