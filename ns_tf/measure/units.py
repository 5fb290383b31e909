"""The layers of a network as they run: each with what follows it in one kernel.

A *unit* is a layer that multiplies by a kernel, with the norms and activations behind
it, which runtimes fold into it; or what else a network computes. Units of equal type
and configuration that read images of equal size are one *layer shape*, whatever their
widths are.
"""

import collections
import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from ns_tf.base import InputError, refusing
from ns_tf.devices.cost import Form, told
from ns_tf.graph.calls import Tensor, uncompiled
from ns_tf.graph.channels import NONE, Call, ChannelGraph
from ns_tf.graph.remake import recalled, resized
from ns_tf.graph.rules import INPUT
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.costs import ALWAYS
from ns_tf.networks.python_models import nameless
from ns_tf.networks.structure import Structure, shapes_only
from ns_tf.networks.weight_sizes import axis_length

_CANONICAL = 8  # Channels of each kind at which layer shapes are compared.
_LEAST_JOINED = 2  # Channels; a join of one channel is timed as one of two.
# Endings of settings that say nothing of how long a layer takes.
_IDLE = ("_initializer", "_regularizer", "_constraint")


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """A layer with what runs in one kernel with it, at any number of channels.

    Attributes:
        model: From what it reads to what it makes; shapes alone.
        graph: Of the whole network.
        layers: The names of its layers.
        inputs: [inputs] channel numbers of what it reads.
        reads: Channel numbers by which its size is told, and those that it makes.
        makes: Of a unit that works within channels: none, and `reads` tells its size.
        forms: How many channels these two are, as sums of widths.
        differ: Widths that must differ for it to exist.
    """

    model: keras.Model
    graph: ChannelGraph
    layers: tuple[str, ...]
    inputs: tuple[np.ndarray, ...]
    reads: np.ndarray
    makes: np.ndarray
    forms: tuple[Form, Form]
    differ: tuple[int, int]

    def built(self, reads: int, makes: int) -> keras.Model:
        """The unit at other numbers of channels, with fresh weights.

        Raises:
            InputError: Keras cannot make it again.
        """
        if len(self.inputs) > 1 and not len(self.makes):
            # Keras adds [1, n, 1] as a bias of n channels, which converters refuse.
            reads = max(reads, _LEAST_JOINED)
        lengths = functools.partial(self._length, reads, makes)
        sizes = _parts(self.inputs, lengths, self.reads, reads)
        tensors = [
            keras.Input((*tensor.shape[1:-1], size), dtype=tensor.dtype)
            for tensor, size in zip(self.model.inputs, sizes, strict=True)
        ]
        with refusing(f"{self.layers[0]!r} cannot be made at other widths"):
            return keras.models.clone_model(
                uncompiled(self.model),
                input_tensors=keras.tree.pack_sequence_as(self.model.input, tensors),
                clone_function=lambda one: resized(one, self.graph, lengths),
                call_function=recalled(self.graph, lengths),
            )

    def weights(self, reads: int, makes: int) -> int:
        """How many weights the unit has at other numbers of channels.

        Raises:
            InputError: Keras cannot make it again.
        """
        model = shapes_only(self.built, reads, makes)
        return sum(math.prod(weight.shape) for weight in model.weights)

    @functools.cached_property
    def key(self) -> str:
        """Equal for units of one layer shape."""
        sizes = (
            form.constant + _CANONICAL * sum(times for _, times in form.times)
            for form in self.forms
        )
        config = nameless(shapes_only(self.built, *sizes).get_config(), {})
        return json.dumps(_without_idle(config), sort_keys=True, default=str)

    @property
    def about(self) -> str:
        """The unit for people: "conv1: Conv2D+BatchNormalization, 32x32"."""
        kinds = [
            type(layer).__name__
            for layer in self.model.operations
            if not isinstance(layer, keras.layers.InputLayer)
        ]
        size = "x".join(str(n) for n in self.model.inputs[0].shape[1:-1])
        return f"{self.layers[0]}: {'+'.join(kinds)}{f', {size}' if size else ''}"

    def _length(self, reads: int, makes: int, axis: np.ndarray) -> int:
        """The new length of an axis of channels."""
        for channels, size in ((self.makes, makes), (self.reads, reads)):
            if np.array_equal(axis, channels):
                return size
        if any(form.times for form in self.forms):
            for whole, size in ((self.makes, makes), (self.reads, reads)):
                if _meet(axis, whole):
                    return max(1, round(len(axis) * size / len(whole)))
        return len(axis)


def units_of(structure: Structure) -> tuple[Unit, ...]:
    """The units of a network, in the order in which they are computed.

    Args:
        structure: Of the network.

    Raises:
        InputError: the network takes windows of an example into the axis of
            examples.
    """
    groups = structure.reference.groups
    widths = [groups[place].size for place in structure.primary]
    units = _units(structure, widths)
    own = held(units, structure)
    known = [own.get(width, size) for width, size in enumerate(widths)]
    # Those that differ from the network's own were drawn to tell channels apart.
    return units if known == widths else _units(structure, known)


def _units(structure: Structure, widths: Sequence[int]) -> tuple[Unit, ...]:
    """The units of the network of these widths."""
    model = shapes_only(structure.build, widths)
    graph = channel_graph(model)
    if _layers(graph) != _layers(structure.reference):
        raise InputError(
            f"{structure.architecture.name} names its layers otherwise when it is "
            "built again; give every layer a name."
        )
    _check_rows(graph)
    tensors = _tensors(model)
    differ = {size.layer: size.differ for size in structure.weights}
    return tuple(
        _unit(calls, graph, structure, tensors, differ)
        for calls in _grouped(graph, _heavy(model))
    )


def _layers(graph: ChannelGraph) -> list[tuple[str, ...]]:
    """The layers of every group; operations may have other names in every build."""
    return [graph.layers_of(group) for group in graph.groups]


def held(units: Sequence[Unit], structure: Structure) -> dict[int, int]:
    """The widths that no layer reads or makes, as the heads of an attention.

    Tables tell a layer's time by what it reads and makes. A layer with further widths
    is timed as it is.

    Args:
        units: Of the network.
        structure: Of the network.

    Returns:
        Width -> what it is where the layer is timed: the network's own.

    Raises:
        InputError: there are widths, and all are such.
    """
    known = told(form for unit in units for form in unit.forms)
    own = structure.architecture.widths
    if own and not known:
        raise InputError(
            f"No layer of {structure.architecture.name} reads or makes one of its "
            "widths, so tables tell nothing. Plan latency_ms without --device, which "
            "measures whole networks."
        )
    return {width: size for width, size in enumerate(own) if width not in known}


def _unit(
    calls: Sequence[Call],
    graph: ChannelGraph,
    structure: Structure,
    tensors: Mapping[Tensor, keras.KerasTensor],
    differ: Mapping[str, tuple[int, int]],
) -> Unit:
    """The unit of calls that follow one another."""
    first, last = calls[0], calls[-1]
    sources = list(dict.fromkeys(first.inputs))
    model = keras.Model([tensors[t] for t in sources], tensors[last.output])
    inputs = tuple(graph.channels[tensor] for tensor in sources)
    made, none = graph.channels[first.output], np.zeros(0, int)
    heavy = bool(_heavy(model))
    within = np.isin(made, inputs[0]).all()
    if heavy and not within:
        reads, makes = inputs[0], made
    else:  # Of a flattened map the channels come again and again.
        known = made[made != NONE]
        repeated = len(np.unique(known)) < len(known)
        reads, makes = (inputs[0] if heavy or repeated else made), none

    def form(channels: np.ndarray) -> Form:
        layers = len(structure.primary)
        sizes = axis_length(graph, structure.sizes, channels, layers)
        constant = sizes.pop(layers, 0)
        return Form(constant, tuple(sorted(sizes.items())))

    # A second stream, as what a decoder attends to, counts with the first.
    known = np.concatenate([reads, makes])
    others = [one for one in inputs if form(one).times and not _meet(one, known)]
    if others:
        own = [reads] if form(reads).times else []
        reads = np.concatenate([*own, *others])
    return Unit(
        model=model,
        graph=graph,
        layers=tuple(dict.fromkeys(call.name for call in calls)),
        inputs=inputs,
        reads=reads,
        makes=makes,
        forms=(form(reads), form(makes) if len(makes) else Form(1)),
        differ=differ.get(first.name, ALWAYS),
    )


def _meet(axis: np.ndarray, channels: np.ndarray) -> bool:
    """Whether an axis has any of these channels."""
    return bool(np.isin(axis[axis != NONE], channels).any())


def _grouped(graph: ChannelGraph, heavy: set[str]) -> Iterator[list[Call]]:
    """The calls of every unit.

    A call joins the unit before it if it works on each number alone, and nothing else
    reads what that unit makes.
    """
    readers = collections.Counter(t for call in graph.calls for t in call.inputs)
    readers.update(graph.outputs)
    units: dict[Tensor, list[Call]] = {}
    for call in graph.calls:
        if call.kind == INPUT:
            continue
        source, *others = call.inputs
        same = graph.shapes[source] == graph.shapes[call.output]
        alone = not others and readers[source] == 1 and call.name not in heavy
        before = units.pop(source) if source in units and same and alone else []
        units[call.output] = [*before, call]
    return iter(sorted(units.values(), key=lambda unit: graph.calls.index(unit[0])))


def _heavy(model: keras.Model) -> set[str]:
    """The operations that multiply by a kernel: a weight of two or more axes."""
    return {
        operation.name
        for operation in model.operations
        if any(len(w.shape) > 1 for w in getattr(operation, "weights", ()))
    }


def _tensors(model: keras.Model) -> dict[Tensor, keras.KerasTensor]:
    """The tensors of a functional model by operation, call and output."""
    own = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    found = {}
    for operation in model.operations:
        nodes = [node for node in operation._inbound_nodes if id(node) in own]
        for call, node in enumerate(nodes):
            for place, tensor in enumerate(node.output_tensors):
                found[operation.name, call, place] = tensor
    return found


def _check_rows(graph: ChannelGraph) -> None:
    """Refuses windows that are examples of a layer: tables are of one example.

    Raises:
        InputError: naming what takes them there.
    """
    for tensor, rows in graph.rows.items():
        if rows > 1:
            raise InputError(
                f"{tensor[0]!r} takes {rows} parts of an example into the axis of "
                "examples, so its time is no table of one example. Plan latency_ms "
                "without --device, which measures whole networks."
            )


def _parts(
    inputs: Sequence[np.ndarray],
    length: functools.partial,
    whole: np.ndarray,
    size: int,
) -> list[int]:
    """New lengths of what a unit reads; parts of a concatenation add up to `size`.

    Args:
        inputs: Channel numbers of each input.
        length: Of an axis -> its new length.
        whole: Channel numbers whose new length is `size`.
        size: Likewise.
    """
    sizes = [length(channels) for channels in inputs]
    concatenated = len(inputs) > 1 and sum(map(len, inputs)) == len(whole)
    if concatenated:
        sizes[-1] = max(1, size - sum(sizes[:-1]))
    return sizes


def _without_idle(value: object) -> object:
    """A configuration without what says nothing of how long a layer takes."""
    if isinstance(value, dict):
        return {
            key: _without_idle(part)
            for key, part in value.items()
            if not key.endswith(_IDLE) and key not in ("trainable", "build_config")
        }
    if isinstance(value, (list, tuple)):
        return [_without_idle(part) for part in value]
    return value
