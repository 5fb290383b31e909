"""Where the gates of a bank are: at channels, at whole blocks, or in kernels."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.blocks import Block
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.fold import Fold, folded, folds
from ns_tf.graph.gates import WITHIN, edges
from ns_tf.graph.generated import GeneratedBlocks, GeneratedNetwork
from ns_tf.graph.masks import Kernels, MaskedNetwork
from ns_tf.graph.normed import absorbing, as_large
from ns_tf.graph.rules import STATISTICS
from ns_tf.graph.substituted import WeighedNetwork
from ns_tf.graph.weights import Key
from ns_tf.networks.structure import Structure
from ns_tf.prune.trained import copied

Pins = list[tuple[np.ndarray, tuple[Key, ...]]]


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelSites:
    """A gate a channel, on every edge by which it leaves.

    While they learn, gates are factors of the kernels that read these edges: that is
    the same network, without an operation on its maps.

    Args:
        graph: Of the network, of n channels.
        structure: Of the network.
    """

    graph: ChannelGraph
    structure: Structure

    @property
    def free(self) -> np.ndarray:
        """[n] bool: the gates that move."""
        return ~self.graph.frozen

    @functools.cached_property
    def folds(self) -> tuple[Fold, ...]:
        """The kernels that gates are put into.

        Raises:
            InputError: a gate is on an edge without such a kernel.
        """
        return folds(self.graph)

    def check(self) -> None:
        """Refuses a network whose gates cannot be put into its weights.

        Raises:
            InputError: names the layer.
        """
        folds(self.graph)

    def check_generated(self) -> None:
        """Refuses a network whose gates cannot be made of the maps that they gate.

        Raises:
            InputError: names the layer.
        """
        weighed = {c.name for c in self.graph.calls if c.kind == STATISTICS}
        for layer, _, place in edges(self.graph):
            if place == WITHIN or layer in weighed:
                raise InputError(
                    "Generators make gates of the maps that layers read; channels that "
                    f"{layer!r} reads act on one another in it. Use a criterion, as "
                    "taylor_fo."
                )

    def network(self, model: keras.Model) -> keras.Model:
        """A copy of a network, which knows nothing of gates, for an execution to build.

        Args:
            model: Not changed.
        """
        return copied(model, self.structure)

    def generated(
        self, model: keras.Model, code: Callable, shares: Sequence[tuple]
    ) -> keras.Model:
        """A copy of a network that makes its own gates, for an execution to build.

        Args:
            model: Not changed.
            code: As of `ns_tf.graph.generated.GeneratedNetwork`.
            shares: As of `ns_tf.prune.level.Level.shares`; of each layer the channels.
        """
        groups = [channels for channels, _ in shares]
        return GeneratedNetwork(model, self.graph, groups, code).model

    def forward(self, network: keras.Model, gates: keras.Variable) -> Callable:
        """(inputs, training) -> outputs of a network by its gates.

        Args:
            network: As `network` made it.
            gates: [n + 1], the last one 1.
        """
        last, own = len(self.free), weights.weights(network)
        numbers = {
            fold.key: fold.along(fold.channels % (last + 1), len(own[fold.key].shape))
            for fold in self.folds  # NONE, -1, is the last gate.
        }
        return WeighedNetwork(network, numbers, gates)

    def opened(self, gates: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Gates [n] of which every layer has one that is open.

        Args:
            gates: [n].
            raw: [n]: the highest of a layer is opened.
        """
        gates = np.where(self.free, gates, 1.0)
        for group in self.graph.groups:
            if not gates[group.channels].any():
                gates[group.channels[raw[group.channels].argmax()]] = 1.0
        return gates

    def folded(self, network: keras.Model, gates: np.ndarray) -> dict[Key, np.ndarray]:
        """Weights by which a network infers what it did with gates.

        Args:
            network: As `network` made it.
            gates: [n].
        """
        arrays = weights.values(network)
        keys = [fold.key for fold in self.folds]
        gated = folded(arrays, self.folds, gates)
        return as_large(gated, arrays, keys, network, self.graph)

    def pins(self, network: keras.Model) -> Pins:
        """(channels, kernels without a norm behind them) of layers that can shrink.

        Args:
            network: As `network` made it.
        """
        return list(_pins(network, self.graph, self.folds))

    def scale(
        self, network: keras.Model, keys: tuple[Key, ...], gates: np.ndarray
    ) -> None:
        """Multiplies kernels by the gates of what they read.

        Args:
            network: Changed in place.
            keys: Of the kernels.
            gates: [n].
        """
        variables = weights.weights(network)
        for fold in self.folds:
            if fold.key in keys:
                kernel = variables[fold.key]
                kernel.assign(kernel * fold.factors(gates, kernel.ndim))


@dataclasses.dataclass(frozen=True, eq=False)
class BlockSites:
    """A gate a block, a factor of the weights that its branch ends in.

    Args:
        graph: Of the network.
        structure: Of the network.
        blocks: Of the network, n of them.
    """

    graph: ChannelGraph
    structure: Structure
    blocks: tuple[Block, ...]

    @property
    def free(self) -> np.ndarray:
        """[n] bool: all gates move."""
        return np.ones(len(self.blocks), bool)

    def check(self) -> None:
        """Nothing: blocks are such that gates can be put into their ends."""

    def check_generated(self) -> None:
        """Nothing: a branch ends in a map."""

    def network(self, model: keras.Model) -> keras.Model:
        """As of `ChannelSites`."""
        return copied(model, self.structure)

    def generated(
        self, model: keras.Model, code: Callable, shares: Sequence[tuple]
    ) -> keras.Model:
        """As of `ChannelSites`: every block has a layer that makes its gate."""
        del shares
        return GeneratedBlocks(model, self.graph, self.blocks, code).model

    def forward(self, network: keras.Model, gates: keras.Variable) -> Callable:
        """As of `ChannelSites`."""
        own = weights.weights(network)
        numbers = {
            key: np.full((1,) * len(own[key].shape), number)
            for number, block in enumerate(self.blocks)
            for key in block.ends
        }
        return WeighedNetwork(network, numbers, gates)

    def opened(self, gates: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """The gates [n]: all blocks may be closed."""
        del raw
        return gates

    def folded(self, network: keras.Model, gates: np.ndarray) -> dict[Key, np.ndarray]:
        """As of `ChannelSites`: the ends of a block are multiplied by its gate."""
        result = weights.values(network)
        for block, gate in zip(self.blocks, gates, strict=True):
            for key in block.ends:
                result[key] = (gate * result[key]).astype(result[key].dtype)
        return result

    def pins(self, network: keras.Model) -> Pins:
        """None: beside a branch runs an identity, so no factor is free."""
        del network
        return []


@dataclasses.dataclass(frozen=True, eq=False)
class WeightSites:
    """A gate a weight, in the kernels.

    Args:
        structure: Of the network.
        kernels: Of the network, n weights.
    """

    structure: Structure
    kernels: Kernels

    @property
    def free(self) -> np.ndarray:
        """[n] bool: all gates move."""
        return np.ones(self.kernels.size, bool)

    def check(self) -> None:
        """Nothing: any kernel can be masked."""

    def network(self, model: keras.Model) -> keras.Model:
        """As of `ChannelSites`."""
        return copied(model, self.structure)

    def forward(self, network: keras.Model, gates: keras.Variable) -> Callable:
        """As of `ChannelSites`."""
        return MaskedNetwork(network, self.kernels, gates)

    def opened(self, gates: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """As of `ChannelSites`, for kernels in place of layers."""
        parts = np.split(gates, np.cumsum(self.kernels.sizes)[:-1])
        closed = [number for number, own in enumerate(parts) if not own.any()]
        gates = gates.copy() if closed else gates
        for own in (self.kernels.places[number] for number in closed):
            gates[own[raw[own].argmax()]] = 1.0
        return gates

    def folded(self, network: keras.Model, gates: np.ndarray) -> dict[Key, np.ndarray]:
        """The weights as they are: the cut sets to zero what goes, and no more."""
        del gates
        return weights.values(network)

    def pins(self, network: keras.Model) -> Pins:
        """None: a factor that weights have in common is their own."""
        del network
        return []


Sites = ChannelSites | BlockSites | WeightSites


def _pins(
    network: keras.Model, graph: ChannelGraph, kernels: tuple[Fold, ...]
) -> Iterator[tuple[np.ndarray, tuple[Key, ...]]]:
    """(channels, kernels without a norm behind them) of every group that can shrink."""
    free = [k for k in kernels if not absorbing(network, graph, k.key[0])]
    for group in graph.groups:
        reading = [k for k in kernels if np.isin(k.channels, group.channels).any()]
        if group.frozen is None and reading:
            yield group.channels, tuple(k.key for k in reading if k in free)
