"""What layers of epitomes do to channels."""

import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.rules import MAKE, Effect, Kernel, Walk, rule
from ns_tf.graph.rules.convolutions import alike
from ns_tf.networks.costs import EPITOME
from ns_tf.networks.layers.base import EpitomeLayer
from ns_tf.networks.layers.sampling import FIXED, LEARNED, WRAPPED

# Why no channel can be taken from an epitome, by sampling.
_OVERLAPS = {
    LEARNED: "blocks of the kernel overlap in",
    FIXED: "filters overlap in",
    WRAPPED: "a tile is cut off of",
}


@rule("EpitomeConv1D", "EpitomeConv2D", "EpitomeDense")
def _epitome(
    walk: Walk, layer: EpitomeLayer, inputs: list[np.ndarray], shapes: list[tuple]
) -> Effect:
    """Channels of whole tiles go with their copies; those that overlap stay."""
    output = walk.make(layer.name, layer.channels)
    mixing = activations.mixing(layer)
    if mixing:
        walk.freeze(output, mixing)
    if not layer.how.tied:
        reason = f"{_OVERLAPS[layer.sampling]} the epitome of {layer.name!r}"
        walk.freeze(inputs[0], reason)
        walk.freeze(output, reason)
        return Effect(MAKE, output, {"bias": (output,)})
    made, read = layer.how.blocks
    ends = alike(walk, inputs[0], read), alike(walk, output, made)
    axes = {EPITOME: (*(None for _ in layer.window), *ends), "bias": (output,)}
    name = "filters" if layer.window else "units"
    settings = {name: output, "epitome": (*layer.window, *ends)}
    return Effect(MAKE, output, axes, settings=settings, kernel=Kernel(EPITOME))
