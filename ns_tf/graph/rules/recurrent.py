"""Recurrent layers, and layers that apply another one at every step."""

import dataclasses

from ns_tf.graph.rules.effects import (
    CHANNELWISE,
    MAKE,
    NORM,
    STATISTICS,
    UNKNOWN,
    Effect,
    Walk,
    apply,
    rule,
)
from ns_tf.graph.weights import names

_RECURRENT = ("SimpleRNN", "GRU", "LSTM")


@rule(*_RECURRENT)
def _recurrent(walk, layer, inputs, shapes):
    """The kernel reads the input at every step; units read one another, so they stay.

    A gate on what leaves the layer would leave a unit's part in the next step.
    """
    output = walk.make(layer.name, layer.units)
    walk.freeze(output, f"the units of {layer.name!r} read one another")
    return Effect(MAKE, output, {"kernel": (inputs[0], None)})


@rule("Bidirectional")
def _bidirectional(walk, layer, inputs, shapes):
    """Two recurrent layers that read one input."""
    sides = layer.forward_layer, layer.backward_layer
    if not all(type(side).__name__ in _RECURRENT for side in sides):
        return None
    output = walk.make(layer.name, walk.output_shape()[-1])
    walk.freeze(output, f"the units of {layer.name!r} read one another")
    called = names(layer)
    kernels = [called[id(side.cell.kernel)] for side in sides]
    return Effect(MAKE, output, dict.fromkeys(kernels, (inputs[0], None)))


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
    kernel = effect.kernel and dataclasses.replace(effect.kernel, window=False)
    return dataclasses.replace(
        effect,
        kind=CHANNELWISE if effect.kind == NORM else effect.kind,
        settings={"layer": {"config": effect.settings}},
        kernel=kernel,
    )
