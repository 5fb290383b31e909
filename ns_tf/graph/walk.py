"""Reads the channel graph off a model.

`channel_graph` visits the calls in an order in which they can be computed. The rule of
each (`ns_tf.graph.rules`) numbers new channels, ties channels that joins make one, and
names reasons to keep channels. Tied channels become one by connected components;
channels of the same makers become a group.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.graph import rules
from ns_tf.graph.calls import (
    arguments,
    functional,
    graph_config,
    nodes,
    ordered,
    tensors_in,
)
from ns_tf.graph.channels import NONE, Axes, Call, ChannelGraph, Tensor, whole_of
from ns_tf.graph.grouping import by_layers, components, groups_of, whole
from ns_tf.graph.rows import Rows
from ns_tf.graph.rules import ADD, CHANNELWISE, INPUT, JOIN, STATISTICS
from ns_tf.graph.rules.effects import hold_unread
from ns_tf.graph.weights import frozen, names

OUTPUT = "it is the model's output"  # Why the last channels stay.


class _Walk:
    """Visits the calls in order and collects channels, ties and reasons to freeze."""

    def __init__(self, model: keras.Model, reference: ChannelGraph | None):
        config = graph_config(model)
        self.operations = {operation.name: operation for operation in model.operations}
        self.nodes = list(nodes(config))
        self.outputs = tuple(tensors_in(config["output_layers"]))
        self.written = {  # (operation, call) -> its arguments, as the model saves them.
            (layer["name"], number): node
            for layer in config["layers"]
            for number, node in enumerate(layer["inbound_nodes"])
        }
        self.output: Tensor = ()  # Of the call that is visited.
        self.reference, self.shapes = reference, {}
        self.rows = Rows(model)
        for _, inputs, _ in self.nodes:
            self.shapes.update(dict(inputs))
        for tensor, key in zip(model.outputs, self.outputs, strict=True):
            self.shapes[key] = tuple(tensor.shape)
        self.reference_groups = _made_by(reference) if reference else None
        self.channels: dict[Tensor, np.ndarray] = {}
        self.axes: dict[tuple[str, str], Axes] = {}
        self.settings: dict[str, Mapping] = {}
        self.arguments_of: dict[str, Mapping] = {}
        self.kernels: dict[str, rules.Kernel] = {}
        self.scaled: dict[tuple[str, str], np.ndarray] = {}
        self.calls: list[Call] = []
        self.maker: list[str] = []  # [channels so far]: the layer that made it.
        self.by_maker: dict[str, np.ndarray] = {}  # Layer -> its channels.
        # Layer -> the channels of the tensors that its first call reads.
        self.first_read: dict[str, list[np.ndarray]] = {}
        self.ties: list[tuple[np.ndarray, np.ndarray]] = []
        self.parts: list[np.ndarray] = []
        self.reasons: list[tuple[np.ndarray, str]] = []

    # What rules call: `rules.Walk`.

    def make(self, name: str, size: int) -> np.ndarray:
        """New channels [size] of layer `name`; the same ones if it is called again."""
        if name not in self.by_maker:
            first = len(self.maker)
            self.maker.extend([name] * size)
            self.by_maker[name] = np.arange(first, first + size)
        return self.by_maker[name]

    def tie(self, one: np.ndarray, other: np.ndarray) -> None:
        """Makes channels [size] and [size] live or die together."""
        self.ties.append((one, other))

    def part(self, channels: np.ndarray) -> None:
        """Makes channels that stand here, before a slice's end, groups of their own."""
        self.parts.append(channels)

    def freeze(self, channels: np.ndarray, reason: str) -> None:
        """Keeps the channels from being removed."""
        self.reasons.append((channels, reason))

    def same_group(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether a join may tie these: not if the reference has them in two groups."""
        if self.reference_groups is None:
            return True
        pairs = {
            (self._maker(a), self._maker(b)) for a, b in zip(one, other, strict=True)
        }
        # The same join of the reference may join what is no channel.
        bare = NONE in self.reference_groups.get(self.output[0], ())
        return all(
            self._groups_of(a) & self._groups_of(b) or (bare and None in (a, b))
            for a, b in pairs
        )

    def _groups_of(self, maker: str | None) -> set[int]:
        """Groups of the reference that a maker makes; {NONE} for what is no channel."""
        return self.reference_groups.get(maker, {NONE} if maker is None else set())

    def joined_in_reference(self, name: str, inputs: list[np.ndarray]) -> int:
        """Which input of the join `name` has the group of the join's output."""
        if self.reference_groups is None:
            return 0
        target = self._groups_of(name) - {NONE}
        for place, channels in enumerate(inputs):
            makers = {self._maker(channel) for channel in channels}
            if all(self._groups_of(maker) & target for maker in makers):
                return place
        return 0

    def follows(self, name: str, entry: str, otherwise: bool) -> bool:
        """Whether a setting of a layer follows channels in the reference, if any."""
        return self.reference.follows(name, entry) if self.reference else otherwise

    def arguments(self) -> tuple[list, dict[str, Any]]:
        """The arguments of the call that is visited, tensors as their places."""
        return arguments(self.written[self.output[:2]])

    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the first output of the call that is visited."""
        return self.shapes[self.output]

    # The walk.

    def visit(self, name: str, inputs: list[tuple], outputs: tuple[Tensor, ...]):
        """Records one call: applies the rule of its operation."""
        operation, (output, *others) = self.operations[name], outputs
        tensors = tuple(tensor for tensor, _ in inputs)
        if not tensors:  # An input of the model.
            shape = tuple(operation.batch_shape)
            self.shapes.setdefault(output, shape)
            self.channels[output] = np.full(shape[-1] or 0, NONE)
            self.rows.enter(output, shape)
            self.calls.append(Call(name, INPUT, (), output))
            return
        arrays = [self.channels[tensor] for tensor in tensors]
        # Tokens are no channels; an embedding that reverses reads features as well.
        tokens = isinstance(operation, keras.layers.Embedding)
        if getattr(operation, "weights", None) and not tokens:
            # A shared layer: one kernel reads what all its calls read.
            self._tie_reads(name, arrays)
        shapes = [self.shapes[tensor] for tensor in tensors]
        self.output, earlier = output, len(self.ties)
        shape = self._shape(output, operation)
        effect = rules.apply(self, operation, arrays, shapes, shape)
        self.channels[output] = effect.output
        self.rows.note(operation, tensors, outputs, self.shapes)
        self.axes |= {(name, weight): axes for weight, axes in effect.axes.items()}
        self.scaled |= {(name, weight): own for weight, own in effect.scaled.items()}
        self._note_settings(name, effect)
        if effect.kernel:
            self.kernels[name] = effect.kernel
        self.kernels.update(effect.within)
        self._hold_frozen(operation, effect)
        gates = effect.gates
        if effect.kind == STATISTICS and gates is None:
            gates = effect.output
        call = Call(
            name,
            effect.kind,
            tensors,
            output,
            crossing=effect.crossing,
            reads=effect.reads,
            joins=effect.joins,
            scales=effect.scales,
            gates=gates,
        )
        self.calls.append(call)
        self.rows.hold(self, call, arrays, effect)
        if isinstance(operation, keras.Layer):
            hold_unread(self, name, arrays, effect, self.ties[earlier:])
        known = dict(enumerate(effect.others, start=1))
        for other in others:
            unknown = np.full(self._shape(other, operation)[-1] or 0, NONE)
            self.channels[other] = known.get(other[2], unknown)

    def _tie_reads(self, name: str, arrays: list[np.ndarray]) -> None:
        """Ties what a call of a layer reads to what its first call read."""
        earlier = self.first_read.setdefault(name, arrays)
        pairs = list(zip(earlier, arrays, strict=False))
        if len(earlier) != len(arrays) or any(len(a) != len(b) for a, b in pairs):
            reason = f"calls of {name!r} read tensors of different shapes"
            for channels in (*earlier, *arrays):
                self.freeze(channels, reason)
            return
        for one, other in pairs:
            if one is not other:
                self.tie(one, other)

    def _note_settings(self, name: str, effect: rules.Effect) -> None:
        """Notes what of a configuration, and of a call, follows channels.

        A layer that is called several times has one configuration for all calls.
        """
        if effect.settings:
            first = self.settings.setdefault(name, effect.settings)
            every = zip(
                rules.arrays_in(first), rules.arrays_in(effect.settings), strict=True
            )
            for one, other in every:
                if one is not other:
                    self.tie(one, other)
        if (name, 1) in self.written:  # Called again, perhaps with other arguments.
            for axis in rules.arrays_in(effect.arguments):
                self.freeze(axis, f"{name!r} is called several times")
        elif effect.arguments:
            self.arguments_of[name] = effect.arguments

    def _hold_frozen(self, operation: keras.Operation, effect: rules.Effect) -> None:
        """Keeps the channels that the kernels of a frozen layer read and make.

        No training would fill a kernel of another shape. Vectors, as a norm's gamma,
        follow their channels.
        """
        if not isinstance(operation, keras.Layer):
            return
        called = names(operation)
        for weight in frozen(operation):
            if len(weight.shape) > 1:
                for axis in effect.axes.get(called[id(weight)], ()):
                    if axis is not None:
                        self.freeze(axis, f"layer {operation.name!r} is not trainable")

    def _shape(self, output: Tensor, operation) -> tuple:
        """The output's shape, even where nothing but the model's end reads it."""
        if output not in self.shapes:
            tensors = keras.tree.flatten(operation.output)
            self.shapes[output] = tuple(tensors[output[2]].shape)
        return self.shapes[output]

    def _maker(self, channel: int) -> str | None:
        """The layer that made a channel."""
        return None if channel == NONE else self.maker[channel]

    def graph(self) -> ChannelGraph:
        """What the walk collected, tied channels renumbered as one."""
        label, fixed = components(len(self.maker), self.ties)
        self.freeze(fixed, "it is joined with what cannot go")
        # NONE is -1, so the appended entry maps it to itself.
        relabelled = np.append(label, NONE)

        def relabel(array):
            return None if array is None else relabelled[array]

        def within(setting):
            return rules.mapped(relabel, setting)

        groups, owner = groups_of(label, self.maker, self.reasons, self.parts)
        places = [self.axes, self.settings, self.arguments_of]
        axes = {id(axis): axis for axis in rules.arrays_in(places)}  # Many are one.
        groups = whole(groups, owner, [relabel(axis) for axis in axes.values()])
        own = self.operations.items()
        groups = by_layers(
            groups, {n for n, one in own if isinstance(one, keras.Layer)}
        )
        kernels = {
            maker: self.kernels[whole_of(maker)]
            for group in groups
            for maker in group.makers
            if whole_of(maker) in self.kernels
        }
        return ChannelGraph(
            calls=tuple(
                dataclasses.replace(call, gates=relabel(call.gates))
                for call in self.calls
            ),
            channels={
                tensor: relabel(array) for tensor, array in self.channels.items()
            },
            shapes=self.shapes,
            axes={
                key: tuple(relabel(axis) for axis in axes)
                for key, axes in self.axes.items()
            },
            groups=groups,
            owner=owner,
            outputs=self.outputs,
            settings=within(self.settings),
            arguments=within(self.arguments_of),
            kernels=self.kernels | kernels,
            rows=self.rows.counted,
            scaled={key: relabel(channels) for key, channels in self.scaled.items()},
        )


def channel_graph(
    model: keras.Model, reference: ChannelGraph | None = None, free: bool = False
) -> ChannelGraph:
    """The channel graph of a functional or sequential model.

    A layer without a rule freezes the channels that it reads, with its name as the
    reason; so does the model's output. A model within the model has no rule: see
    `ns_tf.graph.flat`.

    Args:
        model: Built; not changed. Subclasses whose constructor makes a functional
            model are read as that model.
        reference: The graph of the same network at widths that are all different. Where
            two widths happen to agree, a shortcut may add channels of two groups with
            nothing between; the reference tells them apart. Such an input is a
            *crossing*, and the groups stay two.
        free: Leave the channels of the output removable (for parts of networks).

    Returns:
        The graph; its channels are numbered in the order in which they are made.

    Raises:
        InputError: the model has no graph (a subclassed model), is not built, or
            overrides `call`.
    """
    walk = _Walk(functional(model), reference)
    for name, inputs, outputs in ordered(walk.nodes):
        walk.visit(name, inputs, outputs)
    if not free:
        for output in walk.outputs:
            walk.freeze(walk.channels[output], OUTPUT)
    return walk.graph()


def _made_by(graph: ChannelGraph) -> dict[str, set[int]]:
    """Layer or join -> places of the groups that it makes or puts out.

    NONE is among those of a join that reads what is no channel.
    """
    groups: dict[str, set[int]] = {}
    for number, group in enumerate(graph.groups):
        for maker in group.makers:
            groups.setdefault(whole_of(maker), set()).add(number)
    for call in graph.calls:
        channels = graph.channels[call.output]
        several = call.kind == CHANNELWISE and len(call.inputs) > 1
        if call.kind in (ADD, JOIN) or several:
            owners = graph.owner[channels[channels != NONE]]
            found = groups.setdefault(call.name, {int(owner) for owner in owners})
            arrays = [graph.channels[tensor] for tensor in call.inputs]
            if any(array.ndim > 1 or (array == NONE).any() for array in arrays):
                found.add(NONE)
    return groups
