"""Layers that apply another one: at every step, or with a kernel of norm one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.graph.rules.effects import (
    CHANNELWISE,
    NORM,
    STATISTICS,
    UNKNOWN,
    Effect,
    apply,
    rule,
)
from ns_tf.graph.weights import names


class _Within:
    """A walk in which a layer within another goes by the name of the outer one."""

    def __init__(self, walk, name: str):
        self._walk, self._name = walk, name

    def __getattr__(self, name: str):
        return getattr(self._walk, name)

    def make(self, name: str, size: int) -> np.ndarray:
        """New channels of the outer layer, or within it."""
        _, *within = name.split("/")
        return self._walk.make("/".join((self._name, *within)), size)

    def follows(self, name: str, entry: str, otherwise: bool) -> bool:
        """Whether a setting of the layer within the outer one follows channels."""
        return self._walk.follows(self._name, entry, otherwise)


class _Step(_Within):
    """The same, at one step of a sequence."""

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
    kind = CHANNELWISE if effect.kind == NORM else effect.kind
    return dataclasses.replace(_of_outer(layer, effect), kind=kind, gates=None)


@rule("SpectralNormalization")
def _spectral_norm(walk, layer, inputs, shapes):
    """As the layer within; a vector has the channels of the last axis of its kernel.

    A training divides the kernel, as it is stored, by its largest singular value.
    """
    within = _Within(walk, layer.name)
    effect = apply(within, layer.layer, inputs, shapes, walk.output_shape())
    if effect.kind == UNKNOWN:
        return None
    called = names(layer)
    *_, last = effect.axes[names(layer.layer)[id(layer.kernel)]]
    effect = _of_outer(layer, effect)
    axes = {**effect.axes, called[id(layer.vector_u)]: (None, last)}
    return dataclasses.replace(effect, axes=axes)


def _of_outer(layer: keras.layers.Wrapper, effect: Effect) -> Effect:
    """The effect of the layer within, as one of the outer layer."""
    called = names(layer)
    outer = {name: called[key] for key, name in names(layer.layer).items()}

    def renamed(weights: Mapping[str, Any]) -> dict[str, Any]:
        # A rule may name weights that the layer was made without, as a bias.
        return {outer[name]: own for name, own in weights.items() if name in outer}

    kernel = effect.kernel and dataclasses.replace(
        effect.kernel, name=outer[effect.kernel.name], window=False
    )
    return dataclasses.replace(
        effect,
        axes=renamed(effect.axes),
        scaled=renamed(effect.scaled),
        settings={"layer": {"config": effect.settings}},
        kernel=kernel,
        within={
            maker: dataclasses.replace(own, name=outer[own.name])
            for maker, own in effect.within.items()
        },
    )
