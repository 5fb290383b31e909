"""Recurrent layers, and layers that apply another one at every step."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.rules.convolutions import alike
from ns_tf.graph.rules.effects import (
    CHANNELWISE,
    MAKE,
    NORM,
    STATISTICS,
    UNKNOWN,
    Effect,
    Kernel,
    Walk,
    apply,
    opaque,
    rule,
)
from ns_tf.graph.weights import names

# Blocks of units along the last axis of a cell's kernel: one a gate of the unit.
_BLOCKS = {
    keras.layers.SimpleRNNCell: 1,
    keras.layers.GRUCell: 3,
    keras.layers.LSTMCell: 4,
}

_TWINS = (keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM)


@rule("SimpleRNN", "GRU", "LSTM", "RNN")
def _recurrent(walk, layer, inputs, shapes):
    """The kernel reads the input at every step, the recurrent kernel the units."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        reason = f"{layer.name!r} has several cells"
        return opaque(walk, reason, inputs, walk.output_shape()[-1])
    if type(layer.cell) not in _BLOCKS:
        return None
    output = walk.make(layer.name, layer.cell.units)
    _hold_stateful(walk, layer, [output, *inputs[1:]])
    _hold_mixed(walk, layer, output)
    called = names(layer)
    settings = {"units": output}
    if type(layer) is keras.layers.RNN:
        settings = {"cell": {"config": settings}}
    return Effect(
        MAKE,
        output,
        _axes(layer, called, inputs[0], output),
        settings=settings,
        kernel=Kernel(called[id(layer.cell.kernel)]),
        gates=output,
    )


def _axes(
    layer: keras.layers.RNN,
    called: dict[int, str],
    reads: np.ndarray,
    units: np.ndarray,
) -> dict[str, tuple]:
    """The axes of a recurrent layer's weights.

    Args:
        layer: Built.
        called: Names of the weights, by id.
        reads: [channels] of the input.
        units: [units]
    """
    cell, made = layer.cell, np.tile(units, _BLOCKS[type(layer.cell)])
    axes = {
        called[id(cell.kernel)]: (reads, made),
        called[id(cell.recurrent_kernel)]: (units, made),
    }
    if cell.bias is not None:  # A GRU may have two rows of it.
        axes[called[id(cell.bias)]] = (*(None,) * (len(cell.bias.shape) - 1), made)
    return axes


def _hold_stateful(
    walk: Walk, layer: keras.Layer, channels: Sequence[np.ndarray]
) -> None:
    """Freezes the units of a layer whose states come from or go to others.

    Args:
        walk: Takes the reasons.
        layer: Recurrent.
        channels: Its units, and what it reads beside the sequence.
    """
    args, kwargs = walk.arguments()
    given = [kwargs[name] for name in kwargs if name not in ("training", "mask")]
    reasons = {
        "starts from states that it is given": args[1:]
        or any(one is not None for one in given),
        "puts out its states": layer.return_state,
        "keeps its states between two batches": layer.stateful,
    }
    for reason, holds in reasons.items():
        for array in channels if holds else ():
            walk.freeze(array, f"{layer.name!r} {reason}")


def _hold_mixed(walk: Walk, layer: keras.layers.RNN, units: np.ndarray) -> None:
    """Freezes the units of a layer if one of its activations reads several."""
    for name in ("activation", "recurrent_activation"):
        reason = activations.mixing(layer.cell, name)
        if reason:
            walk.freeze(units, reason)


@rule("Bidirectional")
def _bidirectional(walk, layer, inputs, shapes):
    """Two recurrent layers that read one input; unit j of both is one channel."""
    sides = layer.forward_layer, layer.backward_layer
    if layer.merge_mode is None or not _twins(*sides):
        return None
    output = walk.make(layer.name, walk.output_shape()[-1])
    units = alike(walk, output, len(output) // sides[0].units)
    _hold_stateful(walk, layer, [output, *inputs[1:]])
    called, axes = names(layer), {}
    for side in sides:
        _hold_mixed(walk, side, output)
        axes |= _axes(side, called, inputs[0], units)
    within = {"config": {"units": units}}
    return Effect(
        MAKE,
        output,
        axes,
        settings={"layer": within, "backward_layer": within},
        kernel=Kernel(called[id(sides[0].cell.kernel)]),
        gates=np.tile(units, 2),
    )


def _twins(one: keras.Layer, other: keras.Layer) -> bool:
    """Whether two layers are recurrent, of one kind and of as many units."""
    if type(one) is not type(other) or type(one) not in _TWINS:
        return False
    return one.units == other.units


class _Step:
    """A walk in which a layer within another goes by the name of the outer one."""

    def __init__(self, walk: Walk, name: str):
        self._walk, self._name = walk, name

    def __getattr__(self, name: str):
        return getattr(self._walk, name)

    def make(self, name: str, size: int):
        """New channels of the outer layer."""
        return self._walk.make(self._name, size)

    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of what comes out at one step."""
        return _at_once(self._walk.output_shape())


def _at_once(shape: tuple) -> tuple:
    """The shape of one step of a sequence: [batch, steps, ...] -> [batch, ...]."""
    return (shape[0], *shape[2:])


@rule("TimeDistributed")
def _every_step(walk, layer, inputs, shapes):
    """As the layer within, whose weights are the outer one's."""
    step = _Step(walk, layer.name)
    reads = [_at_once(shape) for shape in shapes]
    effect = apply(step, layer.layer, inputs, reads, step.output_shape())
    if effect.kind in (STATISTICS, UNKNOWN):
        return None  # A norm of open channels would have to be within as well.
    if effect.gates is not None:
        walk.freeze(effect.gates, f"{layer.name!r} applies its layer at every step")
    kernel = effect.kernel and dataclasses.replace(effect.kernel, window=False)
    return dataclasses.replace(
        effect,
        kind=CHANNELWISE if effect.kind == NORM else effect.kind,
        settings={"layer": {"config": effect.settings}},
        kernel=kernel,
        gates=None,
    )
