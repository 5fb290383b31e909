"""A network without the channels that go, and with gates: the seed's graph, copied.

There are two ways to a smaller network, for two uses:

* `rebuild`, here, copies the *seed's graph* at smaller sizes. An identity shortcut
  stays an identity. Where the two widths that it joins differ now, a fixed 0/1
  selection matrix takes its place, so the thin network computes exactly what the
  masked one does. Pruning while training needs this.
* `ns_tf.graph.inherit.inherit` fills what the *builder* makes at the new widths: the
  network that a user trains. A projection that the builder makes where an identity was
  starts as the selection matrix.
"""

from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.graph.calls import functional, input_names, uncompiled
from ns_tf.graph.channels import Call, ChannelGraph, Tensor
from ns_tf.graph.gates import WITHIN, Gate, Gates
from ns_tf.graph.remake import recalled, resized
from ns_tf.graph.rules import STATISTICS
from ns_tf.graph.weights import Key, stays
from ns_tf.graph.within import opened

SELECT = "select"  # In the names of selection layers: "JOIN_selectPLACE".


def rebuild(
    model: keras.Model, graph: ChannelGraph, keep: np.ndarray, gates: Gates
) -> tuple[keras.Model, dict[Key, tuple]]:
    """The seed's graph with the channels `keep` alone; weights are not set.

    Args:
        model: The seed network.
        graph: Its channel graph.
        keep: [channels] bool, never all False within a group.
        gates: Where `Gate` layers go.

    Returns:
        The new model, and the axes of the weights that it has beside the seed's: of
        `Gate` layers (layer, "gate") and of selection matrices (layer, "kernel"), in
        the seed's channel numbers, so `weights.take` thins them as it thins the seed's.
        With no channel to remove and no `Gate` to place the seed itself and no axes.

    Raises:
        InputError: a layer cannot be made again from its configuration.
    """
    editor = Editor(graph, keep, gates)
    if not editor.changes:
        return model, {}
    return editor.copied(model), editor.extra


class Editor:
    """The two functions that `keras.models.clone_model` takes.

    Args:
        graph: The channel graph of the model that is copied.
        keep: [channels] bool: what the copy has.
        gates: Where gates go. A subclass says in `gate` what a gate is.
    """

    def __init__(self, graph: ChannelGraph, keep: np.ndarray, gates: Gates):
        self.graph = graph
        self.keep = keep
        self.gates = gates
        self.gated: dict[tuple, keras.KerasTensor] = {}
        # id of a copied tensor -> (the copy, its name; several if a shared layer is
        # called twice on one tensor). Holding it keeps the id unique.
        self.copies: dict[int, tuple] = {}
        self.by_name = {}
        self.recalled = recalled(graph, self._length)
        for call in graph.calls:
            self.by_name.setdefault(call.name, []).append(call)
        self.extra: dict[Key, tuple] = {}
        self.changes = bool(gates.edges) or not keep.all()

    def copied(self, model: keras.Model) -> keras.Model:
        """A copy of the model, weights not set.

        Args:
            model: Functional or sequential; not changed.

        Raises:
            InputError: a layer cannot be made again from its configuration.
        """
        model = uncompiled(functional(model))
        inputs = [
            keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
            for tensor, name in zip(model.inputs, input_names(model), strict=True)
        ]
        self.note_inputs(model, inputs)
        return keras.models.clone_model(
            model,
            input_tensors=keras.tree.pack_sequence_as(model.input, inputs),
            clone_function=self.clone,
            call_function=self.call,
        )

    def note_inputs(
        self, model: keras.Model, inputs: Sequence[keras.KerasTensor]
    ) -> None:
        """Notes which inputs of the copy stand for which of the model.

        Args:
            model: Functional.
            inputs: In the order of `model.inputs`.
        """
        for name, tensor in zip(input_names(model), inputs, strict=True):
            self.copies[id(tensor)] = (tensor, {(name, 0, 0)})

    def clone(self, layer: keras.Operation) -> keras.Operation:
        """The layer at its new size; operations that are no layers are shared."""
        copy = resized(layer, self.graph, self._length)
        calls = enumerate(self.by_name.get(layer.name, ()))
        takes = any(self._takes_gates(call, number) for number, call in calls)
        return opened(copy, layer) if takes else copy

    def _length(self, channels: np.ndarray) -> int:
        """What is left of an axis."""
        return int(stays(channels, self.keep).sum())

    def _takes_gates(self, call: Call, number: int) -> bool:
        """Whether call `number` of a layer takes gates beside its inputs."""
        place = 0 if call.kind == STATISTICS else WITHIN
        return (call.name, number, place) in self.gates.edges

    def call(self, layer: keras.Operation, *args, **kwargs):
        """Calls the layer, its inputs gated and aligned where that is due."""
        arguments = keras.tree.flatten((args, kwargs))
        tensors = [x for x in arguments if isinstance(x, keras.KerasTensor)]
        calls = self._which(layer.name, tensors)
        number, call = next(iter(calls.items()))
        places = iter(range(len(tensors)))

        def edit(x):
            if not isinstance(x, keras.KerasTensor):
                return x
            return self._edge(x, call, number, next(places))

        args, kwargs = keras.tree.map_structure(edit, (args, kwargs))
        if self._takes_gates(call, number):
            x, *_ = keras.tree.flatten((args, kwargs))
            kwargs = {**kwargs, "gates": self._beside(x, call, number)}
        output = self.recalled(layer, *args, **kwargs)
        for place, one in enumerate(keras.tree.flatten(output)):
            names = {(*call.output[:2], place) for call in calls.values()}
            self.copies[id(one)] = (one, names)
        return output

    def _which(self, name: str, tensors: list) -> dict[int, Call]:
        """The calls, by number, that read copies of these tensors.

        Keras copies the calls of a shared layer in an order of its own, so counting
        them would not do. Calls that read the same have the same channels.
        """
        found = {}
        for number, call in enumerate(self.by_name[name]):
            pairs = zip(tensors, call.inputs, strict=True)
            if all(t in self.copies[id(x)][1] for x, t in pairs):
                found[number] = call
        assert found, f"no call of {name!r} reads what its copy reads"
        return found

    def _edge(self, x: keras.KerasTensor, call: Call, number: int, place: int):
        """The tensor x as call `number` of its layer reads it at this input."""
        tensor = call.inputs[place]
        gated = (call.name, number, place) in self.gates.edges
        if gated and call.kind != STATISTICS:
            if tensor not in self.gated:
                channels = self.graph.channels[tensor]
                self.gated[tensor] = self.gate(
                    x, channels, gate_name(tensor), self._rows(tensor)
                )
            x = self.gated[tensor]
        if place in call.crossing:
            x = self._select(x, tensor, call, place)
        return x

    def _beside(self, x: keras.KerasTensor, call: Call, number: int):
        """Gates [batch, gates] that a layer takes beside its first input x."""
        ones = keras.ops.ones_like(x[(slice(None), *(0,) * (len(x.shape) - 2))][:, :1])
        count = int(stays(call.gates, self.keep).sum())
        name = gate_name((call.name, number, "within"))
        rows = self._rows(call.inputs[0])
        return self.gate(keras.ops.tile(ones, (1, count)), call.gates, name, rows)

    def _rows(self, tensor: Tensor) -> int:
        """How many entries of the first axis of a tensor are one example's."""
        return self.graph.rows.get(tensor, 1)

    def gate(
        self, x: keras.KerasTensor, channels: np.ndarray, name: str, rows: int = 1
    ) -> keras.KerasTensor:
        """x behind its gate, which all edges of the tensor share.

        Args:
            x: [..., channels], of the copy.
            channels: Their numbers, those that go included.
            name: Of the layer that gates it.
            rows: How many entries of its first axis are one example's.
        """
        self.extra[name, "gate"] = (channels,)
        return Gate(name=name, dtype=policy_of(x))(x)

    def _select(self, x: keras.KerasTensor, tensor: Tensor, call: Call, place: int):
        """x with the channels of the call's output; zeros where x lacks a channel."""
        source, target = self.graph.channels[tensor], self.graph.channels[call.output]
        before, after = stays(source, self.keep), stays(target, self.keep)
        if np.array_equal(before, after):
            return x
        name = f"{call.name}_{SELECT}{place}"
        layer = keras.layers.Conv2D(
            int(after.sum()),
            1,
            use_bias=False,
            trainable=False,
            name=name,
            dtype=policy_of(x),
        )
        self.extra[name, "kernel"] = (None, None, source, target)
        return layer(x)


def gate_name(edge: Sequence[str | int]) -> str:
    """The name of the layer that gates a tensor, or what a call takes beside it.

    >>> gate_name(("relu", 0, 0))
    'relu_0_0_gate'
    """
    return "_".join(str(part) for part in edge) + "_gate"


def policy_of(x: keras.KerasTensor) -> str:
    """The dtype policy of a layer that leaves the dtype of its input as it is."""
    return f"mixed_{x.dtype}" if x.dtype in ("bfloat16", "float16") else x.dtype


def selection(size: int) -> np.ndarray:
    """The kernel [1, 1, size, size] of a 1x1 convolution that changes nothing.

    `weights.take` makes of it the selection matrix of any channels that stay.

    >>> from ns_tf.graph.weights import take
    >>> source = target = np.array([0, 1, 2])
    >>> keep = np.array([True, False, True])
    >>> take(selection(3), (None, None, source, target), keep)[0, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return np.eye(size, dtype=np.float32)[None, None]
