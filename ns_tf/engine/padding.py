"""Training at widths that convolutions are fast at, whatever widths a network has.

A convolution of 61 filters takes longer than one of 64, as oneDNN has code for whole
vectors (docs/performance.md). So a training may compute with a few channels more. The
weights that make or read an added channel are zero. Where every operation between them
maps zero to zero, the gradients of these weights are zero as well, so they stay zero:
the network computes and learns exactly what it would without the added channels.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.activations import keeps_zero
from ns_tf.graph.calls import functional
from ns_tf.graph.channels import NONE, Call, ChannelGraph, match
from ns_tf.graph.remake import recalled, resized
from ns_tf.graph.rules import ADD, INPUT, JOIN, MAKE, THROUGH
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import Key, stays, take, trainable_keys

# (filters, multiple): from so many filters on, rounding up to this multiple is faster
# than an odd width, at which convolutions take up to a third longer and batch norms up
# to three times as long (docs/performance.md).
MULTIPLES = ((32, 8), (8, 4))
# Layers fully described by `get_config()`: no subclass, no state.
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
    """The least width from `count` on that convolutions are fast at.

    >>> [fast_width(count) for count in (7, 9, 31, 61, 64)]
    [7, 12, 32, 64, 64]
    """
    multiple = next((m for least, m in MULTIPLES if count >= least), 1)
    return count + -count % multiple


class Padded:
    """A copy of a network that has a few more channels and computes the same.

    Weights go in and out at the network's own shapes. `model` is the network itself if
    all widths are fast already; on a GPU and under XLA, where the gain was not
    measured; and if a layer is not one of Keras's plain ones, as it may draw random
    numbers or not be described by its configuration.

    Args:
        own: The network; the copy starts with its weights.
        execution: What the network was built by.
    """

    def __init__(self, own: keras.Model, execution: Execution):
        self.model = own
        self._axes: Mapping[Key, tuple] = {}
        self._keep = np.ones(0, bool)  # [channels of the copy]: those of the network.
        self._order = range(len(own.trainable_variables))
        self._keys: list[Key | None] = [None] * len(self._order)
        if not (execution.on_gpu or execution.jit_compile) and _plain(own):
            with execution.strategy.scope():
                copy = _wider(own)
            if copy:
                self.model, self._axes, self._keep = copy
                self._keys = trainable_keys(own)
                order = trainable_keys(self.model)
                self._order = [order.index(key) for key in self._keys]
                self.assign(weights.values(own))
                execution.adapt(self.model)

    def pairs(self, values: Sequence) -> list[tuple[Key | None, Any]]:
        """Values of the model's trainable variables, in the network's own order.

        Args:
            values: One for each of `model.trainable_variables`, as its optimizer's
                slots are.

        Returns:
            (key of the variable, value), in the order of the network's own trainable
            variables. The keys are None if `model` is the network itself.
        """
        return [(k, values[i]) for k, i in zip(self._keys, self._order, strict=True)]

    def values(self) -> dict[Key, np.ndarray]:
        """All weights of the model, at the network's own shapes."""
        return {k: self.own(k, v) for k, v in weights.values(self.model).items()}

    def assign(self, arrays: Mapping[Key, np.ndarray]) -> None:
        """Sets the model's weights.

        Args:
            arrays: All weights, at the network's own shapes.
        """
        for key, weight in weights.weights(self.model).items():
            weight.assign(self.padded(key, arrays[key]))

    def own(self, key: Key | None, array: np.ndarray) -> np.ndarray:
        """The part of a weight that the network has.

        Args:
            key: Of the weight; None leaves the array as it is.
            array: The weight of the copy, or its momentum.

        Returns:
            The array at the network's own shape.
        """
        return take(array, self._axes.get(key, ()), self._keep)

    def padded(self, key: Key | None, array: np.ndarray) -> np.ndarray:
        """The inverse of `own`: the array with zeros for the added channels.

        Args:
            key: Of the weight; None leaves the array as it is.
            array: The weight, or its momentum, at the network's own shape.
        """
        for place, axis in enumerate(self._axes.get(key, ())):
            if axis is not None:
                stay = stays(axis, self._keep)
                shape = list(array.shape)
                shape[place] = len(stay)
                wider = np.zeros(shape, array.dtype)
                index = (slice(None),) * place + (stay,)
                wider[index] = array
                array = wider
        return array


def _plain(model: keras.Model) -> bool:
    """Whether a clone of the model is sure to compute the same."""
    by_key = weights.weights(model)
    # Variables that two layers share; a layer that is called twice is one layer.
    shared = len({id(weight) for weight in by_key.values()}) < len(by_key)
    return (
        _of_keras(model)
        and not shared
        and all(map(_known, functional(model).operations))
    )


def _of_keras(it: Any) -> bool:
    """Whether it is of a class of Keras's own."""
    return type(it).__module__.startswith("keras.")


def _known(operation: keras.Operation) -> bool:
    """Whether this is Keras's own, and its configuration says all about it."""
    if not isinstance(operation, keras.layers.Layer):
        return _of_keras(operation)
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", "")
    if type(operation) is keras.layers.BatchNormalization:
        # A zero channel is divided by the square root of epsilon.
        return operation.epsilon > 0 and not operation.renorm
    return type(operation) in KNOWN and (
        activation is None or activation is getattr(keras.activations, name, None)
    )


def _wider(
    own: keras.Model,
) -> tuple[keras.Model, Mapping[Key, tuple], np.ndarray] | None:
    """A copy at fast widths, with fresh weights.

    Returns:
        (the copy, channel numbers of the axes of its weights, [channels of the copy]
        bool: those that the network has); None if there is nothing to widen, or if the
        copy's channels do not match the network's.
    """
    own = functional(own)
    graph = channel_graph(own)
    sizes = _sizes(own, graph)
    if all(size == group.size for size, group in zip(sizes, graph.groups, strict=True)):
        return None

    def length(axis: np.ndarray) -> int:
        """Length of an axis of these channels in the copy."""
        # An axis of a flattened map holds every channel once a pixel.
        owners = np.where(axis == NONE, NONE, graph.owner[axis])
        return sum(
            count if owner == NONE else count // graph.groups[owner].size * sizes[owner]
            for owner, count in zip(*np.unique(owners, return_counts=True), strict=True)
        )

    wide = keras.models.clone_model(
        own,
        clone_function=lambda layer: _copy(layer, graph, length),
        call_function=recalled(graph, length),
    )
    wide_graph = channel_graph(wide)
    numbers = _numbers(graph, wide_graph)
    if not _agree(graph.axes, wide_graph.axes, numbers):
        return None
    if {*trainable_keys(own)} != {*trainable_keys(wide)}:
        return None  # A frozen variable is not in the configuration.
    return wide, wide_graph.axes, numbers != NONE


def _copy(
    layer: keras.Operation, graph: ChannelGraph, length: Callable[[np.ndarray], int]
) -> keras.Operation:
    """A layer at the lengths of the copy; an operation without weights is itself."""
    if not isinstance(layer, keras.layers.Layer):
        return resized(layer, graph, length)
    # A user's initializer may fit one shape alone. The step loop reads none of these.
    neutral = {"initializer": "zeros", "regularizer": None, "constraint": None}
    changes = {
        name: neutral[name.rpartition("_")[2]]
        for name in layer.get_config()
        if name.rpartition("_")[2] in neutral
    }
    return resized(layer, graph, length, **changes)


def _sizes(model: keras.Model, graph: ChannelGraph) -> list[int]:
    """[groups]: channels of each group in the copy.

    A group is widened unless an operation makes something of its zeros.
    """
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


def _keeps_zero(call: Call, operation: keras.Operation) -> tuple[bool, bool]:
    """(whether zero channels of its inputs add nothing, whether its output is zero).

    The second is asked of an output channel whose weights and inputs are zero.
    """
    active = keeps_zero(getattr(operation, "activation", None))
    if call.kind == MAKE:
        return True, active
    if isinstance(operation, keras.layers.DepthwiseConv2D):
        return active, active
    channelwise = isinstance(operation, keras.layers.BatchNormalization) or (
        call.kind in (INPUT, THROUGH, ADD, JOIN)
    )
    return channelwise, channelwise


def _numbers(graph: ChannelGraph, wide: ChannelGraph) -> np.ndarray:
    """[channels of wide]: their numbers in `graph`; NONE for added channels."""
    numbers = np.full(len(wide.owner), NONE)
    for group in wide.groups:
        own = graph.groups[match(group, graph)]
        numbers[group.channels[: own.size]] = own.channels
    return numbers


def _agree(own: Mapping, wide: Mapping, numbers: np.ndarray) -> bool:
    """Whether the copy's axes without added channels are the network's, in order."""

    def without_added(axis):
        if axis is None:
            return None
        return np.append(numbers, NONE)[axis[stays(axis, numbers != NONE)]]

    return own.keys() == wide.keys() and all(
        np.array_equal(one, without_added(other))
        for key, axes in own.items()
        for one, other in zip(axes, wide[key], strict=True)
    )
