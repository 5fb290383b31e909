"""Where the gates of a bank are: at channels, or at whole blocks."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.blocks import Block, BlockNetwork
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.fold import Fold, folded, folds
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.rules import NORM
from ns_tf.graph.weights import Key

Pins = list[tuple[np.ndarray, tuple[Key, ...]]]


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelSites:
    """A gate a channel, on every edge by which it leaves.

    Args:
        graph: Of the network, of n channels.
    """

    graph: ChannelGraph

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

    def network(self, model: keras.Model) -> keras.Model:
        """A copy of a network that takes gates, for an execution to build.

        Args:
            model: Not changed.
        """
        return GatedNetwork(model, self.graph).model

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

    def folded(
        self, arrays: Mapping[Key, np.ndarray], gates: np.ndarray
    ) -> dict[Key, np.ndarray]:
        """Weights by which the network computes what it did with gates.

        Args:
            arrays: All weights.
            gates: [n].
        """
        return folded(arrays, self.folds, gates)

    def pins(self) -> Pins:
        """(channels, kernels without a norm behind them) of layers that can shrink."""
        return list(_pins(self.graph, self.folds))

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
    """A gate a block, where its branch is added.

    Args:
        graph: Of the network.
        blocks: Of the network, n of them.
    """

    graph: ChannelGraph
    blocks: tuple[Block, ...]

    @property
    def free(self) -> np.ndarray:
        """[n] bool: all gates move."""
        return np.ones(len(self.blocks), bool)

    def check(self) -> None:
        """Nothing: blocks are such that gates can be put into their ends."""

    def network(self, model: keras.Model) -> keras.Model:
        """As of `ChannelSites`."""
        return BlockNetwork(model, self.graph, self.blocks).model

    def opened(self, gates: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """The gates [n]: all blocks may be closed."""
        del raw
        return gates

    def folded(
        self, arrays: Mapping[Key, np.ndarray], gates: np.ndarray
    ) -> dict[Key, np.ndarray]:
        """As of `ChannelSites`: the ends of a block are multiplied by its gate."""
        result = dict(arrays)
        for block, gate in zip(self.blocks, gates, strict=True):
            for key in block.ends:
                result[key] = (gate * arrays[key]).astype(arrays[key].dtype)
        return result

    def pins(self) -> Pins:
        """None: beside a branch runs an identity, so no factor is free."""
        return []


Sites = ChannelSites | BlockSites


def _pins(
    graph: ChannelGraph, kernels: tuple[Fold, ...]
) -> Iterator[tuple[np.ndarray, tuple[Key, ...]]]:
    """(channels, kernels without a norm behind them) of every group that can shrink."""
    for group in graph.groups:
        reading = [k for k in kernels if np.isin(k.channels, group.channels).any()]
        if group.frozen is None and reading:
            keys = tuple(k.key for k in reading if not _normed(graph, k.key[0]))
            yield group.channels, keys


def _normed(graph: ChannelGraph, layer: str) -> bool:
    """Whether batch norms alone read what a layer makes."""
    made = {call.output for call in graph.calls if call.name == layer}
    users = [c for c in graph.calls if made & set(c.inputs)]
    return bool(users) and all(call.kind == NORM for call in users)
