"""Training at widths that convolutions are fast at, whatever widths a network has.

A network of 61 filters takes longer than one of 64, as oneDNN has code for whole
vectors (docs/performance.md). So a training computes with a few channels more. All that
makes or reads them is zero, and nothing makes something of a zero: so their gradients
are zero too, they stay what they are, and the network computes and learns exactly what
it would without them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.engine.execution import Execution
from ns_tf.graph import rules
from ns_tf.graph import weights as graph_weights
from ns_tf.graph.calls import functional
from ns_tf.graph.channels import NONE, Call, ChannelGraph, match
from ns_tf.graph.remake import resized
from ns_tf.graph.rules import ADD, INPUT, JOIN, MAKE, THROUGH
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import Key, take, trainable_keys

# Convolutions of odd widths take up to a third longer, batch norms up to three times as
# long (docs/performance.md). From so many filters on: a few more, up to a multiple of
# this, cost less than that.
MULTIPLES = ((32, 8), (8, 4))
# Layers that are all that their configuration says.
KNOWN = {
    getattr(keras.layers, name)
    for name in (
        "InputLayer Rescaling Conv2D Dense DepthwiseConv2D Activation ReLU LeakyReLU"
        " ELU Softmax Identity Add Subtract Multiply Average Maximum Concatenate"
        " Flatten MaxPooling2D AveragePooling2D GlobalMaxPooling2D"
        " GlobalAveragePooling2D ZeroPadding2D Cropping2D UpSampling2D"
    ).split()
}


def fast_width(count: int) -> int:
    """The least width from `count` on that convolutions are fast at."""
    multiple = next((m for least, m in MULTIPLES if count >= least), 1)
    return count + -count % multiple


class Padded:
    """A copy of a network that has a few channels more and computes the same.

    Weights go in and out at the network's own shapes. `model` is the network itself
    where nothing is to be gained; on a GPU and under XLA, where it was not measured;
    and where a layer is none of Keras's plain ones: it may draw random numbers, or not
    be made again from its configuration.

    Args:
        own: The network; its weights are where the copy starts.
        execution: What it was built by.
    """

    def __init__(self, own: keras.Model, execution: Execution):
        self.model = own
        self._axes: Mapping[Key, tuple] = {}
        self._keep = np.ones(0, bool)  # [channels of the copy]: those of the network.
        self._order = range(len(own.trainable_variables))
        self._keys: list[Key | None] = [None] * len(self._order)
        if not (execution.on_gpu or execution.jit_compile) and _plain(own):
            with execution.strategy.scope():
                found = _wider(own)
            if found:
                self.model, self._axes, self._keep = found
                self._keys = trainable_keys(own)
                order = trainable_keys(self.model)
                self._order = [order.index(key) for key in self._keys]
                self.assign(graph_weights.values(own))
                execution.adapt(self.model)

    def pairs(self, values: Sequence) -> list[tuple[Key | None, Any]]:
        """What there is one of for every trainable variable of `model`, with its key.

        In the order of the network's own variables.
        """
        return [(k, values[i]) for k, i in zip(self._keys, self._order, strict=True)]

    def values(self) -> dict[Key, np.ndarray]:
        """All weights, at the network's own shapes."""
        return {k: self.own(k, v) for k, v in graph_weights.values(self.model).items()}

    def assign(self, arrays: Mapping[Key, np.ndarray]) -> None:
        """Sets the weights from arrays of the network's own shapes."""
        for key, weight in graph_weights.weights(self.model).items():
            weight.assign(self.padded(key, arrays[key]))

    def own(self, key: Key | None, array: np.ndarray) -> np.ndarray:
        """A weight of the copy (or its momentum) at the network's own shape."""
        return take(array, self._axes.get(key, ()), self._keep)

    def padded(self, key: Key | None, array: np.ndarray) -> np.ndarray:
        """The inverse of `own`: zero wherever there is a channel more."""
        for place, axis in enumerate(self._axes.get(key, ())):
            if axis is not None:
                stays = graph_weights.stays(axis, self._keep)
                shape = list(array.shape)
                shape[place] = len(stays)
                wider = np.zeros(shape, array.dtype)
                index = (slice(None),) * place + (stays,)
                wider[index] = array
                array = wider
        return array


def _plain(model: keras.Model) -> bool:
    """Whether a copy of the model can be made that surely computes the same."""
    weights = graph_weights.weights(model)
    shared = len({id(weight) for weight in weights.values()}) < len(weights)
    return (
        _of_keras(model)
        and not shared  # By hand: a layer that is called twice is one layer.
        and all(map(_known, functional(model).operations))
    )


def _of_keras(it) -> bool:
    return type(it).__module__.startswith("keras.")


def _known(operation) -> bool:
    """Whether this is a layer or an operation of Keras's, with nothing of its own."""
    if not isinstance(operation, keras.layers.Layer):
        return _of_keras(operation)
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    if type(operation) is keras.layers.BatchNormalization:
        return operation.epsilon > 0 and not operation.renorm  # Divides zero by it.
    return type(operation) in KNOWN and (
        activation is None or activation is getattr(keras.activations, name, None)
    )


def _wider(own: keras.Model):
    """(the copy, the axes of its weights, which channels are the network's), or None.

    The copy has fresh weights.
    """
    own = functional(own)
    graph = channel_graph(own)
    sizes = _sizes(own, graph)
    if all(size == group.size for size, group in zip(sizes, graph.groups, strict=True)):
        return None

    def length(axis: np.ndarray) -> int:
        # Of a flattened map an axis has every channel several times.
        owners = np.where(axis == NONE, NONE, graph.owner[axis])
        return sum(
            count if owner == NONE else count // graph.groups[owner].size * sizes[owner]
            for owner, count in zip(*np.unique(owners, return_counts=True), strict=True)
        )

    wide = keras.models.clone_model(
        own, clone_function=lambda layer: _copy(layer, graph, length)
    )
    wide_graph = channel_graph(wide)
    numbers = _numbers(graph, wide_graph)
    if not _agree(graph.axes, wide_graph.axes, numbers):
        return None
    if {*trainable_keys(own)} != {*trainable_keys(wide)}:
        return None  # One was frozen, which the configuration does not tell.
    return wide, wide_graph.axes, numbers != NONE


def _copy(layer, graph: ChannelGraph, length):
    if not isinstance(layer, keras.layers.Layer):
        return layer  # An operation of Keras's.
    # What a user may have written; values are copied, and training reads no others.
    left = {"initializer": "zeros", "regularizer": None, "constraint": None}
    changes = {
        name: left[name.rpartition("_")[2]]
        for name in layer.get_config()
        if name.rpartition("_")[2] in left
    }
    return resized(layer, graph, length, **changes)


def _sizes(model: keras.Model, graph: ChannelGraph) -> list[int]:
    """[groups]: how many channels each had best have."""
    operations = {operation.name: operation for operation in model.operations}
    fixed = graph.frozen
    for call in graph.calls:
        reads, makes = _keeps_zero(call, operations[call.name])
        for tensor, keeps in (*((t, reads) for t in call.inputs), (call.output, makes)):
            channels = graph.channels[tensor]
            if not keeps:
                fixed[channels[channels != NONE]] = True
    return [
        group.size if fixed[group.channels].any() else fast_width(group.size)
        for group in graph.groups
    ]


def _keeps_zero(call: Call, operation) -> tuple[bool, bool]:
    """Whether a call takes a zero channel for nothing, and makes zero of zeros."""
    active = rules.keeps_zero(getattr(operation, "activation", None))
    if call.kind == MAKE:
        return True, active
    if isinstance(operation, keras.layers.DepthwiseConv2D):
        return active, active
    channelwise = isinstance(operation, keras.layers.BatchNormalization) or (
        call.kind in (INPUT, THROUGH, ADD, JOIN)
    )
    return channelwise, channelwise


def _numbers(graph: ChannelGraph, wide: ChannelGraph) -> np.ndarray:
    """[channels of wide]: their numbers in `graph`; NONE for those that came."""
    numbers = np.full(len(wide.owner), NONE)
    for group in wide.groups:
        own = graph.groups[match(group, graph)]
        numbers[group.channels[: own.size]] = own.channels
    return numbers


def _agree(own: Mapping, wide: Mapping, numbers: np.ndarray) -> bool:
    """Whether the copy's axes, less what came, are the network's own in order."""

    def less(axis):
        if axis is None:
            return None
        return np.append(numbers, NONE)[
            axis[graph_weights.stays(axis, numbers != NONE)]
        ]

    return own.keys() == wide.keys() and all(
        np.array_equal(one, less(other))
        for key, axes in own.items()
        for one, other in zip(axes, wide[key], strict=True)
    )
