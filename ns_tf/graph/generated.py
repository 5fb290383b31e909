"""A network whose gates are made of what it computes, by a layer for each group.

It is a network with gates (`ns_tf.graph.gated`) in which a layer replaces the entries
of a group of channels in the row of gates, where the group's first edge reads it. All
edges of the group read what was made there. Of whole blocks (`ns_tf.graph.blocks`) it
replaces the one entry of a block, where the block is added.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.blocks import Block, BlockNetwork, Weighing
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gated import GatedNetwork, Passing, gates_at

_LARGEST = 8  # Pixels along an axis of a map that a generator reads, at most.


class GeneratedNetwork(GatedNetwork):
    """A copy of a network that makes its own gates.

    Args:
        model: Functional or sequential; not changed.
        graph: Its channel graph, of n channels.
        groups: Numbers of the channels whose gates one layer makes.
        code: (what a layer puts out [1, channels], entries of the row of gates [1,
            channels]) -> gates [1, channels].

    Attributes:
        model: (inputs, row [1, n + 1]) -> (outputs, row), the entries of all `groups`
            replaced.
    """

    def __init__(
        self,
        model: keras.Model,
        graph: ChannelGraph,
        groups: Sequence[np.ndarray],
        code: Callable[[Any, Any], Any],
    ):
        self._groups, self._code = list(groups), code
        super().__init__(model, graph)
        self.model = _with_row(self.model, self._editor)

    def editor(self, row: keras.KerasTensor) -> "Passing":
        """What copies the network, its gates made on the way."""
        self._editor = _Making(self.graph, self.edges, row)
        self._editor.groups, self._editor.code = self._groups, self._code
        return self._editor


class GeneratedBlocks(BlockNetwork):
    """A copy of a network that makes the gates of its blocks.

    Args:
        model: Functional or sequential; not changed.
        graph: Its channel graph.
        found: Its blocks, n of them; a layer makes the gate of each.
        code: As of `GeneratedNetwork`.

    Attributes:
        model: (inputs, row [1, n + 1]) -> (outputs, row), the entries of all blocks
            replaced.
    """

    def __init__(
        self,
        model: keras.Model,
        graph: ChannelGraph,
        found: Sequence[Block],
        code: Callable[[Any, Any], Any],
    ):
        self._code = code
        super().__init__(model, graph, found)
        self.model = _with_row(self.model, self._editor)

    def editor(self, row: keras.KerasTensor) -> "Passing":
        """What copies the network, its gates made on the way."""
        self._editor = _MakingBlocks(self.graph, self.edges, row)
        self._editor.numbers = self.numbers
        self._editor.groups = [np.array([block]) for block in range(self.size)]
        self._editor.code = self._code
        return self._editor


def _with_row(model: keras.Model, editor: "_Making") -> keras.Model:
    """The model with the row of gates that were made as its second output."""
    return keras.Model(model.input, (model.output, editor.row), name=model.name)


class _Making(Passing):
    """Makes the gates of a group where it is first gated."""

    groups: list[np.ndarray]  # Those that have no gates yet.
    code: Callable[[Any, Any], Any]

    def gate(
        self, x: keras.KerasTensor, channels: np.ndarray, name: str, rows: int = 1
    ) -> keras.KerasTensor:
        """As of `Editor.gate`; x behind gates that are made of it, or were before."""
        here = [group for group in self.groups if np.isin(group, channels).any()]
        for number, group in enumerate(here):
            columns = np.flatnonzero(np.isin(channels, group))
            made = Generator(
                columns.tolist(),
                group.tolist(),
                self.code,
                name=f"{name}_{number}_generator",
                dtype=self.row.dtype,
            )
            self.row = made(x, self.row)
        done = {id(group) for group in here}
        self.groups = [group for group in self.groups if id(group) not in done]
        return super().gate(x, channels, name, rows)


class _MakingBlocks(Weighing, _Making):
    """Makes the gate of a block where the block is read."""


class Generator(keras.layers.Layer):
    """Makes gates of channels of the mean of their values over the batch.

    The mean is pooled by the maximum of 2 pixels along each axis, or of as many as
    leave at most 8, and convolved with a kernel as large as the map.

    Args:
        columns: Places of the channels along the last axis of what is read.
        numbers: [channels] their places in the row of gates.
        code: As of `GeneratedNetwork`.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(
        self,
        columns: list[int],
        numbers: list[int],
        code: Callable[[Any, Any], Any],
        **options: object,
    ):
        super().__init__(**options)
        self.columns, self.numbers, self.code = np.array(columns), numbers, code

    def build(self, x_shape: tuple, row_shape: tuple) -> None:
        """Makes the kernel [pixels · columns, channels], by Kaiming's fan-out."""
        del row_shape
        self.pool = tuple(max(2, -(-side // _LARGEST)) for side in x_shape[1:-1])
        pooled = [-(-s // p) for s, p in zip(x_shape[1:-1], self.pool, strict=True)]
        area = int(np.prod(pooled))
        spread = np.sqrt(2 / (area * len(self.numbers)))
        self.kernel = self.add_weight(
            shape=(area * len(self.columns), len(self.numbers)),
            initializer=keras.initializers.RandomNormal(stddev=spread, seed=0),
            name="kernel",
        )

    def call(self, x: keras.KerasTensor, row: keras.KerasTensor) -> keras.KerasTensor:
        """`row` [1, n + 1] with the gates of `x` [batch, ..., channels] in it."""
        mean = keras.ops.mean(x, axis=0, keepdims=True)
        mean = keras.ops.take(mean, self.columns, axis=-1)
        if self.pool:
            mean = keras.ops.max_pool(mean, self.pool, padding="same")
        made = keras.ops.matmul(keras.ops.reshape(mean, (1, -1)), self.kernel)
        own = gates_at(row, self.numbers)
        both = keras.ops.concatenate([row, self.code(made, own)], axis=-1)
        source = np.arange(row.shape[-1])
        source[self.numbers] = row.shape[-1] + np.arange(len(self.numbers))
        return keras.ops.take(both, source, axis=-1)

    def compute_output_spec(
        self, x: keras.KerasTensor, row: keras.KerasTensor
    ) -> keras.KerasTensor:
        """As the row."""
        return keras.KerasTensor(row.shape, row.dtype)
