"""Layers of KerasHub that have weights of their own. ns_tf does not need KerasHub.

Its blocks that are made of layers alone are seen through (`ns_tf.graph.traced`).
"""

from ns_tf.graph.rules.effects import CHANNELWISE, MAKE, THROUGH, Effect, Kernel, rule
from ns_tf.graph.weights import names


@rule("PositionEmbedding")
def _position(walk, layer, inputs, shapes):
    """A vector a position, of as many channels as the input has."""
    _, kwargs = walk.arguments()
    if kwargs.get("positions") is not None:
        return None
    (name,) = names(layer).values()
    return Effect(CHANNELWISE, inputs[0], {name: (None, inputs[0])})


@rule("DINOV2LayerScale")
def _layer_scale(walk, layer, inputs, shapes):
    """Every channel times a weight, which may be negative."""
    channels = inputs[0]
    axes = {"lambda1": (channels,)}
    return Effect(THROUGH, channels, axes, settings={"hidden_dim": channels})


@rule("DINOV2DropPath", "DropPath")
def _drop_path(walk, layer, inputs, shapes):
    """Some examples lose all their channels in training."""
    return Effect(THROUGH, inputs[0], scales=True)


@rule("DINOV2Embedding", "DeiTEmbeddings", "ViTPatchingAndEmbedding")
def _patches(walk, layer, inputs, shapes):
    """A convolution, and vectors for positions and tokens that are added or put first.

    The last axis of all weights is that of the channels that are made.
    """
    if len(inputs) > 1:  # Masked patches, which only a pre-training has.
        return None
    output = walk.make(layer.name, layer.hidden_dim)
    called = names(layer)
    axes = {}
    for weight in layer.weights:
        *others, last = weight.shape
        if last != layer.hidden_dim:
            return None
        reads = inputs[0] if len(weight.shape) == 4 else None
        others = [None] * len(others)
        if reads is not None:
            others[-1] = reads
        axes[called[id(weight)]] = (*others, output)
    kernel = next(name for name in axes if name.partition(".")[0] == "kernel")
    settings = {"hidden_dim": output}
    return Effect(MAKE, output, axes, settings=settings, kernel=Kernel(kernel))
