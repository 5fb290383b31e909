"""Which layers of a network epitomes may replace."""

from collections.abc import Sequence

import keras

from ns_tf.base import InputError
from ns_tf.graph.rules import MAKE
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.layers import EpitomeConv1D, EpitomeConv2D, EpitomeDense
from ns_tf.registry import fitting, no_layer

Node = tuple[str, int]  # (operation, call).
# By the class of a layer: what replaces it.
REPLACED: dict[type, type] = {
    keras.layers.Conv1D: EpitomeConv1D,
    keras.layers.Conv2D: EpitomeConv2D,
    keras.layers.Dense: EpitomeDense,
}
# Options that layers of epitomes do not have.
_NOT_TAKEN = (
    *("kernel_regularizer", "bias_regularizer", "activity_regularizer"),
    *("kernel_constraint", "bias_constraint", "lora_rank", "quantization_mode"),
)


def chosen(model: keras.Model, where: Sequence[str]) -> list[keras.Layer]:
    """The layers whose kernels are to be epitomes.

    Args:
        model: Flat.
        where: Names of layers, or patterns of names. If there are none: all that can be
            but those that read the inputs and those that make the outputs.

    Raises:
        InputError: a name fits no convolution or dense layer, or a layer that it fits
            cannot be replaced; or there is no layer to replace.
    """
    known = {one.name: one for one in model.layers if type(one) in REPLACED}
    if not where:
        ends = _ends(model)
        found = [
            one
            for name, one in known.items()
            if name not in ends and _hindrance(one) is None
        ]
        if not found:
            raise InputError(
                f"{model.name!r} has no convolution or dense layer between the first "
                "and the last whose kernel an epitome could be; name layers by where."
            )
        return found
    names = set()
    for pattern in where:
        fits = fitting(known, pattern)
        if not fits:
            raise no_layer(f"where={pattern!r}", pattern, list(known))
        names.update(fits)
    for name in sorted(names):
        hindrance = _hindrance(known[name])
        if hindrance:
            raise InputError(
                f"The kernel of {name!r} cannot be an epitome: it has {hindrance}. "
                "Leave it out of where."
            )
    return [one for name, one in known.items() if name in names]


def _hindrance(layer: keras.Layer) -> str | None:
    """What a layer has that a layer of an epitome has not; None if nothing."""
    groups = getattr(layer, "groups", 1)
    if groups != 1:
        return f"{groups} groups"
    if getattr(layer, "data_format", None) == "channels_first":
        return "its channels first"
    if not layer.trainable:
        return "a frozen kernel"
    options = [name for name in _NOT_TAKEN if getattr(layer, name, None) is not None]
    return f"a {options[0]}" if options else None


def _ends(model: keras.Model) -> set[str]:
    """Layers with kernels that no other lies before, or none behind.

    Args:
        model: Flat.
    """
    calls = channel_graph(model).calls
    behind: set[Node] = set()  # Calls that a kernel is before, or in.
    before: set[Node] = set()  # Calls that a kernel is behind.
    first, last = set(), set()
    for call in calls:
        if any(tensor[:2] in behind for tensor in call.inputs):
            behind.add(call.output[:2])
        elif call.kind == MAKE:
            first.add(call.name)
            behind.add(call.output[:2])
    for call in reversed(calls):
        if call.kind == MAKE and call.output[:2] not in before:
            last.add(call.name)
        if call.kind == MAKE or call.output[:2] in before:
            before.update(tensor[:2] for tensor in call.inputs)
    return first | last


def front_layers(model: keras.Model) -> set[str]:
    """Layers before the second halving of images: over a quarter of the input's height.

    Args:
        model: Flat; of one input of images or sequences.

    Raises:
        InputError: the length of its input is open, or it has no positions.
    """
    graph, given = channel_graph(model), model.inputs[0].shape
    if len(given) < 3 or given[1] is None:
        raise InputError(
            f"front is a factor for layers at the image's first sizes; {model.name!r} "
            f"takes inputs of {given[1:]}. Leave it out."
        )
    shapes = ((call.name, graph.shapes[call.output]) for call in graph.calls)
    return {
        name
        for name, shape in shapes
        if len(shape) == len(given) and 4 * (shape[1] or 0) > given[1]
    }
