"""From a Keras model to the operations of its LiteRT file.

One function a layer type says which operations it becomes, in float32 and in int8. A
layer type that is not here has no operations that are known, and a network with one has
no schedule: nothing is guessed.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras

from ns_tf.base import InputError
from ns_tf.graph.activations import name_of, of_library
from ns_tf.graph.calls import Tensor
from ns_tf.graph.channels import ChannelGraph
from ns_tf.networks.lowering import FLOAT, Lowering
from ns_tf.networks.schedule import (
    CONV,
    NONE,
    NORM,
    OTHER,
    PAD,
    RELU,
    SUM,
    Schedule,
    Step,
)
from ns_tf.networks.weight_sizes import Sizes

# Activations that are one operation.
_ALONE = "sigmoid tanh softmax hard_silu hard_swish leaky_relu".split()
layers = keras.layers
# (what is collected, the layer, places of what it reads, its output) -> the place of
# what it makes.
Layer, Places = keras.Layer, list[int]
Lower = Callable[[Lowering, Layer, Places, Tensor], int]


def schedule_of(
    model: keras.Model,
    graph: ChannelGraph,
    sizes: Sizes,
    vanishing: Mapping[str, tuple[int, int]],
    layers: int,
    *,
    equal: ChannelGraph | None = None,
    scaled: bool = False,
    probabilities: bool = False,
    int8: bool = True,
) -> Schedule:
    """The operations of a network's LiteRT file.

    Args:
        model: At widths that are all different.
        graph: Its channel graph.
        sizes: Group -> (width, factor).
        vanishing: Layer -> the two widths that must differ for it to exist.
        layers: Number of widths.
        equal: The graph at widths that are all equal, if some layer vanishes.
        scaled: Whether the network scales pixels itself.
        probabilities: Whether it gives probabilities itself.
        int8: Whether the file computes in int8; else in float32.

    Raises:
        InputError: a layer whose operations are not known; names it.
    """
    if len(model.inputs) > 1 or len(model.outputs) > 1:
        raise InputError("it has several inputs or outputs")
    lowering = Lowering(graph, sizes, vanishing, layers, int8)
    lowering.entry(scaled)
    operations = {operation.name: operation for operation in model.operations}
    for call in graph.calls:
        if not call.inputs:
            continue
        operation = operations[call.name]
        lower = _lower_of(operation)
        lowering.layer, lowering.count = call.name, 0
        reads = [lowering.places[tensor] for tensor in call.inputs]
        lowering.places[call.output] = lower(lowering, operation, reads, call.output)
    _pads(lowering, operations)
    steps = _with_alternatives(lowering, equal)
    output = lowering.answer(lowering.places[graph.outputs[0]], probabilities)
    steps += lowering.steps[len(steps) :]
    return Schedule(tuple(lowering.buffers), tuple(steps), output)


def _with_alternatives(lowering: Lowering, equal: ChannelGraph | None) -> list[Step]:
    """The steps, those that may be missing with what is read in their place.

    At equal widths the readers of a layer that vanishes read another tensor: the
    identity of a residual block.
    """
    instead: dict[int, int] = {}
    known = {call.output[:2]: call for call in equal.calls} if equal else {}
    for call in lowering.graph.calls:
        other = known.get(call.output[:2])
        pairs = zip(call.inputs, other.inputs, strict=True) if other else ()
        for read, bare in pairs:
            if read[0] in lowering.vanishing:
                instead[lowering.places[read]] = lowering.places[bare]
    return [
        dataclasses.replace(step, instead=instead.get(step.makes, NONE))
        for step in lowering.steps
    ]


def _pads(lowering: Lowering, operations: Mapping[str, keras.Operation]) -> None:
    """Zeros that a convolution would add itself are marked, to be left out.

    That is where its stride is 1 and half of its kernel, rounded down, lies on each
    side.
    """
    by_place = {place: name for (name, *_), place in lowering.places.items()}
    readers = {place: step for step in lowering.steps for place in step.reads}
    for number, step in enumerate(lowering.steps):
        if step.kind != PAD:
            continue
        reader = readers.get(step.makes)
        pad = operations[by_place[step.makes]]
        conv = operations.get(reader.name.rpartition("_1/")[0]) if reader else None
        same = (
            isinstance(conv, layers.Conv2D | layers.DepthwiseConv2D)
            and conv.padding == "valid"
            and set(conv.strides) == {1}
            and all(
                tuple(sides) == (size // 2, size // 2) and size % 2
                for sides, size in zip(pad.padding, conv.kernel_size, strict=True)
            )
        )
        kind = PAD if same else OTHER
        lowering.steps[number] = dataclasses.replace(step, kind=kind)


def _lower_of(operation: keras.Operation) -> Lower:
    """Says which operations an operation of Keras becomes.

    Raises:
        InputError: they are not known.
    """
    kind = type(operation)
    own = kind.__module__.partition(".")[0] != "keras"
    lower = None if own else LAYERS.get(kind.__name__)
    if lower is None:
        raise _unknown(operation, kind.__name__)
    return lower


def _unknown(layer: keras.Operation, what: str) -> InputError:
    """The error for a layer whose operations are not known."""
    return InputError(f"the operations of {layer.name!r}, {what}, are not known")


def _unary(
    lowering: Lowering, x: int, activation: Callable | None, output: Tensor
) -> int:
    """The operations of an activation, which may be a layer.

    Args:
        lowering: What is collected.
        x: The place of what it reads.
        activation: As a layer holds it.
        output: Of the layer that holds it.

    Raises:
        InputError: one that is not known.
    """
    if isinstance(activation, keras.layers.Layer):
        return _lower_of(activation)(lowering, activation, [x], output)
    name = name_of(activation) if of_library(activation) else "mine"
    terms = lowering.buffers[x].terms
    if name == "linear":
        return x
    if name in ("relu", "relu6"):
        return lowering.step(RELU, [x], terms)
    if name in _ALONE:
        return lowering.step(OTHER, [x], terms)
    if name in ("silu", "swish"):
        return lowering.step(SUM, [x, lowering.step(OTHER, [x], terms)], terms)
    if name == "hard_sigmoid":  # relu6(x + 3) / 6; a bias takes the 3.
        before = next(step.kind for step in lowering.steps if step.makes == x)
        y = lowering.step(NORM if before == CONV else SUM, [x], terms)
        return lowering.step(SUM, [lowering.step(RELU, [y], terms)], terms)
    raise InputError(f"the activation {name!r} is not known")


def _same(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """Nothing: dropout and its like, in inference."""
    return reads[0]


def _other(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """One operation."""
    return lowering.step(OTHER, reads, lowering.terms(output))


def _mean(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A mean over pixels, which int8 sums in whole numbers."""
    terms = lowering.terms(output)
    scratch = (*lowering.indices(), *lowering.sums(terms))
    return lowering.step(OTHER, reads, terms, scratch=scratch)


def _largest(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """The largest value over pixels."""
    terms = lowering.terms(output)
    return lowering.step(OTHER, reads, terms, scratch=lowering.indices())


def _conv(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A convolution, with its activation."""
    if set(layer.dilation_rate) != {1} or getattr(layer, "groups", 1) != 1:
        raise _unknown(layer, "a convolution in groups or dilated")
    x = lowering.step(CONV, reads, lowering.terms(output))
    return _unary(lowering, x, layer.activation, output)


def _separable(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A depthwise convolution, then one of 1x1."""
    if set(layer.dilation_rate) != {1}:
        raise _unknown(layer, "a dilated convolution")
    height, width = lowering.graph.shapes[output][1:3]
    tensor = next(t for t, place in lowering.places.items() if place == reads[0])
    before = lowering.graph.shapes[tensor][1:3]
    terms = tuple(
        (n * layer.depth_multiplier * height * width // (before[0] * before[1]), w)
        for n, w in lowering.buffers[reads[0]].terms
    )
    x = lowering.step(CONV, [lowering.step(CONV, reads, terms)], lowering.terms(output))
    return _unary(lowering, x, layer.activation, output)


def _transposed(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """The shape of its output is computed first; int8 sums in whole numbers."""
    terms = lowering.terms(output)
    shape = _shape(lowering, reads[0])
    x = lowering.step(CONV, [reads[0], shape], terms, scratch=lowering.sums(terms))
    return _unary(lowering, x, layer.activation, output)


def _shape(lowering: Lowering, x: int) -> int:
    """A shape, which is computed, as the batch is not known: three operations."""
    one = ((1, lowering.widths),)
    for _ in range(3):
        x = lowering.step(OTHER, [x], one, size=FLOAT)
    return x


def _reshaped(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A copy in another shape."""
    (tensor,) = [t for t, place in lowering.places.items() if place == reads[0]][:1]
    if len(lowering.graph.shapes[tensor]) == len(lowering.graph.shapes[output]) == 2:
        return reads[0]
    shape = _shape(lowering, reads[0])
    return lowering.step(OTHER, [reads[0], shape], lowering.terms(output))


def _dense(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A dense layer of vectors."""
    if len(lowering.graph.shapes[output]) != 2:
        raise _unknown(layer, "a dense layer of more than vectors")
    x = lowering.step(CONV, reads, lowering.terms(output))
    return _unary(lowering, x, layer.activation, output)


def _norm(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A product and a sum, unless a convolution takes them."""
    return lowering.step(NORM, reads, lowering.terms(output))


def _relu(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A ReLU, with or without a cap of 6."""
    plain = not layer.negative_slope and not layer.threshold
    kind = RELU if plain and layer.max_value in (None, 6) else None
    if kind is None:
        raise _unknown(layer, "a ReLU with a slope, a threshold or a cap")
    return lowering.step(kind, reads, lowering.buffers[reads[0]].terms)


def _activation(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """An activation as a layer."""
    return _unary(lowering, reads[0], layer.activation, output)


def _joined(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """Sums and products, of two at a time."""
    terms, x = lowering.terms(output), reads[0]
    for read in reads[1:]:
        x = lowering.step(SUM, [x, read], terms)
    return x


def _average(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A sum, and a product with a constant."""
    total = _joined(lowering, layer, reads, output)
    return lowering.step(SUM, [total], lowering.terms(output))


def _pad(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """Zeros at the border."""
    return lowering.step(PAD, reads, lowering.terms(output))


def _scaled(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """A product, and a sum if there is an offset."""
    terms = lowering.terms(output)
    x = lowering.step(SUM, reads, terms)
    offset = layer.offset if isinstance(layer.offset, list | tuple) else [layer.offset]
    return lowering.step(SUM, [x], terms) if any(offset) else x


def _upsampled(lowering: Lowering, layer: Layer, reads: Places, output: Tensor) -> int:
    """An interpolation."""
    if layer.interpolation != "bilinear":
        raise _unknown(layer, "an upsampling that is not bilinear")
    return _other(lowering, layer, reads, output)


# By the class of a layer: what its operations are.
LAYERS: dict[str, Lower] = {
    **dict.fromkeys(
        "Dropout SpatialDropout2D GaussianNoise GaussianDropout ActivityRegularization "
        "Identity".split(),
        _same,
    ),
    **dict.fromkeys(
        "MaxPooling2D AveragePooling2D Concatenate Maximum Minimum Softmax Cropping2D "
        "LeakyReLU".split(),
        _other,
    ),
    "GlobalAveragePooling2D": _mean,
    "GlobalMaxPooling2D": _largest,
    **dict.fromkeys(["Conv2D", "DepthwiseConv2D"], _conv),
    **dict.fromkeys(["Add", "Multiply", "Subtract"], _joined),
    **dict.fromkeys(["Flatten", "Reshape"], _reshaped),
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "BatchNormalization": _norm,
    "ReLU": _relu,
    "Activation": _activation,
    "Average": _average,
    "ZeroPadding2D": _pad,
    "Rescaling": _scaled,
    "UpSampling2D": _upsampled,
}
