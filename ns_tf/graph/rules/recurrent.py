"""Recurrent layers."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.calls import Place
from ns_tf.graph.rules.convolutions import alike
from ns_tf.graph.rules.effects import MAKE, Effect, Kernel, Walk, rule
from ns_tf.graph.weights import names

# Blocks of units along the last axis of the kernel of Keras's cells: one a gate of the
# unit.
_BLOCKS = {"SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4, "ConvLSTMCell": 4}


def _blocks(cell: keras.Layer) -> int:
    """Blocks of units of a cell; 0 for one of the user's."""
    known = type(cell).__module__.partition(".")[0] == "keras"
    return _BLOCKS.get(type(cell).__name__, 0) if known else 0


def _states(cell: keras.Layer) -> int:
    """How many states a cell has: an LSTM's output and its carry."""
    return 2 if _blocks(cell) == 4 else 1


def _units(cell: keras.Layer) -> int:
    """Units, or filters, of a cell."""
    return cell.recurrent_kernel.shape[-2]


def _cells(layer: keras.layers.RNN) -> list[keras.Layer] | None:
    """The cells of a recurrent layer, in order; None if one of them is not known."""
    cell = layer.cell
    stacked = type(cell) is keras.layers.StackedRNNCells
    cells = list(cell.cells) if stacked else [cell]
    return cells if all(map(_blocks, cells)) else None


@rule(*"SimpleRNN GRU LSTM RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split())
def _recurrent(walk, layer, inputs, shapes):
    """The kernel reads the input at every step, the recurrent kernel the units.

    Of several cells each reads the units of the one before.
    """
    cells = _cells(layer)
    if cells is None:
        return None
    makers = [f"{layer.name}/cell_{n}" for n in range(1, len(cells))] + [layer.name]
    units = [
        walk.make(maker, _units(cell))
        for maker, cell in zip(makers, cells, strict=True)
    ]
    called, axes = names(layer), {}
    for cell, reads, own in zip(cells, [inputs[0], *units], units, strict=False):
        axes |= _axes(cell, called, reads, own)
        _hold_mixed(walk, cell, own)
    states = [
        own
        for cell, own in zip(cells, units, strict=True)
        for own in [own] * _states(cell)
    ]
    _hold_stateful(walk, layer, units)
    kernels = {
        maker: Kernel(called[id(cell.kernel)])
        for maker, cell in zip(makers, cells, strict=True)
    }
    return Effect(
        MAKE,
        units[-1],
        axes,
        joins=_joined_states(walk, layer, inputs, states),
        settings=_settings(layer, units),
        kernel=kernels.pop(layer.name),
        within=kernels,
        others=tuple(states) if layer.return_state else (),
        gates=np.concatenate(units),
    )


def _settings(layer: keras.layers.RNN, units: Sequence[np.ndarray]) -> dict[str, Any]:
    """Entries of a recurrent layer's configuration that its units set.

    Args:
        layer: Recurrent.
        units: [units] of each cell.
    """
    if type(layer) is not keras.layers.RNN:
        return {"filters" if hasattr(layer, "filters") else "units": units[-1]}
    cells = [{"config": {"units": own}} for own in units]
    if type(layer.cell) is keras.layers.StackedRNNCells:
        return {"cell": {"config": {"cells": cells}}}
    return {"cell": cells[0]}


def _axes(
    cell: keras.Layer, called: dict[int, str], reads: np.ndarray, units: np.ndarray
) -> dict[str, tuple]:
    """The axes of a cell's weights.

    Args:
        cell: Built.
        called: Names of the layer's weights, by id.
        reads: [channels] of the input.
        units: [units]
    """
    made = np.tile(units, _blocks(cell))
    window = (None,) * (len(cell.kernel.shape) - 2)  # Of a convolution.
    axes = {
        called[id(cell.kernel)]: (*window, reads, made),
        called[id(cell.recurrent_kernel)]: (*window, units, made),
    }
    if cell.bias is not None:  # A GRU may have two rows of it.
        axes[called[id(cell.bias)]] = (*(None,) * (len(cell.bias.shape) - 1), made)
    return axes


def _given_states(walk: Walk) -> list:
    """The states that a call starts from, in order: `Place`s or constants."""
    args, kwargs = walk.arguments()
    given = args[1] if len(args) > 1 else kwargs.get("initial_state")
    return [one for one in keras.tree.flatten(given) if one is not None]


def _joined_states(
    walk: Walk,
    layer: keras.layers.RNN,
    inputs: Sequence[np.ndarray],
    states: Sequence[np.ndarray],
) -> tuple[int, ...]:
    """Ties units to the channels of the states that they start from.

    A unit's own state acts on others by the recurrent kernel alone.

    Args:
        walk: Takes the ties.
        layer: Recurrent.
        inputs: Channels of all inputs of the call.
        states: [units] of each state.

    Returns:
        The places of the states among the inputs.
    """
    given = _given_states(walk)
    if not all(isinstance(one, Place) for one in given):
        for own in states:
            walk.freeze(own, f"{layer.name!r} starts from constants")
        return ()
    places = tuple(one.number for one in given)
    for place, own in zip(places, states, strict=bool(places)):
        walk.tie(own, inputs[place])
    return places


def _hold_stateful(
    walk: Walk, layer: keras.Layer, channels: Sequence[np.ndarray]
) -> None:
    """Freezes the units of a layer whose states outlive a batch."""
    for array in channels if layer.stateful else ():
        walk.freeze(array, f"{layer.name!r} keeps its states between two batches")


def _hold_mixed(walk: Walk, cell: keras.Layer, units: np.ndarray) -> None:
    """Freezes the units of a cell if one of its activations reads several."""
    for name in ("activation", "recurrent_activation"):
        reason = activations.mixing(cell, name)
        if reason:
            walk.freeze(units, reason)


@rule("Bidirectional")
def _bidirectional(walk, layer, inputs, shapes):
    """Two recurrent layers that read one input; unit j of both is one channel."""
    sides = layer.forward_layer, layer.backward_layer
    if not _twins(*sides):
        return None
    output = walk.make(layer.name, walk.output_shape()[-1])
    units = alike(walk, output, len(output) // _units(sides[0].cell))
    _hold_stateful(walk, layer, [output])
    if _given_states(walk):
        for channels in (output, *inputs[1:]):
            walk.freeze(channels, f"{layer.name!r} starts from states that it is given")
    called, axes = names(layer), {}
    for side in sides:
        _hold_mixed(walk, side.cell, output)
        axes |= _axes(side.cell, called, inputs[0], units)
    return Effect(
        MAKE,
        output,
        axes,
        settings={
            "layer": {"config": _settings(sides[0], [units])},
            "backward_layer": {"config": _settings(sides[1], [units])},
        },
        kernel=Kernel(called[id(sides[0].cell.kernel)]),
        others=tuple(_further(layer, units)),
        gates=np.tile(units, 2),
    )


def _further(
    layer: keras.layers.Bidirectional, units: np.ndarray
) -> Iterator[np.ndarray]:
    """Channels of what a layer of two sides puts out behind its first output."""
    if layer.merge_mode is None:
        yield units  # Of the other side.
    if layer.return_state:
        yield from [units] * 2 * _states(layer.forward_layer.cell)


def _twins(one: keras.Layer, other: keras.Layer) -> bool:
    """Whether two layers are recurrent, of one known cell each and as many units."""
    if not isinstance(one, keras.layers.RNN) or type(one) is not type(other):
        return False
    cells = one.cell, other.cell
    formats = [getattr(side, "data_format", None) for side in (one, other)]
    if "channels_first" in formats or not all(map(_blocks, cells)):
        return False
    return type(cells[0]) is type(cells[1]) and _units(cells[0]) == _units(cells[1])
