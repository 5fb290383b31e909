"""What a builder makes of its widths: whose filters each one is, and what they cost.

Found by building the network, never from a table: at widths that are all different, so
that every projection exists and no two sizes agree by chance; once more at others,
which tells a width from a multiple of one; and with all widths equal, which tells the
layers that vanish. Only shapes are built; nothing is allocated.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from ns_tf.base import Architecture, InputError, Widths
from ns_tf.graph import ends as graph_ends
from ns_tf.graph.calls import functional, has_graph
from ns_tf.graph.channels import NONE, ChannelGraph
from ns_tf.graph.rules import MAKE
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.costs import ALWAYS, CostPolynomial


@dataclasses.dataclass(frozen=True)
class WeightSize:
    """How many entries a weight has, as a polynomial of the widths."""

    layer: str
    name: str  # "kernel", "gamma", ...
    trainable: bool
    positions: int  # Pixels that it is applied at, over the calls of its layer.
    terms: tuple[tuple[int, int, int], ...]  # (coefficient, width, width)
    differ: tuple[int, int]  # Widths that must differ for the layer to exist.


@dataclasses.dataclass(frozen=True)
class Structure:
    """An architecture at one image size and number of classes."""

    architecture: Architecture
    input_shape: tuple[int, int, int]
    classes: int
    reference: ChannelGraph  # At widths that are all different.
    sizes: dict[
        int, tuple[int, int]
    ]  # Group -> (width, factor): size = factor * width.
    primary: tuple[int, ...]  # [layers]: the group whose filters the width counts.
    names: tuple[str, ...]  # [layers]: the layer that makes them.
    weights: tuple["WeightSize", ...]
    scales_pixels: bool  # Networks do it themselves (`deployment.scales_pixels`).

    @functools.cached_property
    def params(self) -> CostPolynomial:
        """Trainable parameters of the built network: tau, as the paper counts it."""
        return CostPolynomial.collect(
            "parameters",
            (
                (*term, weight.differ)
                for weight in self.weights
                if weight.trainable
                for term in weight.terms
            ),
        )

    def build(self, widths: Sequence[int] | None = None) -> keras.Model:
        """The network of these widths."""
        return self.architecture.build(
            widths, input_shape=self.input_shape, classes=self.classes
        )

    def graph(self, model: keras.Model) -> ChannelGraph:
        """The channel graph of a network that `build` made."""
        return channel_graph(model, self.reference)


def shapes_only(build, *arguments, **keywords) -> keras.Model:
    """What the builder makes, without values: shapes cost a tenth of a network."""
    policy = keras.config.dtype_policy()

    def work():
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return build(*arguments, **keywords)

    # In a thread of its own, as Keras keeps the variables of such a scope in a list of
    # the thread's, and gives them values at the next chance.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


@functools.lru_cache(maxsize=32)
def analyse(
    architecture: Architecture, input_shape: tuple[int, int, int], classes: int
) -> Structure:
    """The structure of an architecture.

    Raises:
        InputError: if a width makes no layer's filters, or the parameters of what is
            built are no polynomial of the widths.
    """
    build = functools.partial(
        shapes_only, architecture.build, input_shape=input_shape, classes=classes
    )
    layers = len(architecture.widths)
    primes, others = _primes(2 * layers)[:layers], _primes(2 * layers)[layers:]
    model = build(primes)
    reference = channel_graph(model)
    sizes = _sizes(reference, primes, channel_graph(build(others)), others)
    present = {operation.name for operation in build([primes[0]] * layers).operations}
    vanishing = _vanishing(reference, sizes, present)
    primary = _primary(architecture, reference, sizes)
    found = Structure(
        architecture=architecture,
        input_shape=input_shape,
        classes=classes,
        reference=reference,
        sizes=sizes,
        primary=primary,
        names=_names(model, [reference.groups[g] for g in primary], present),
        weights=tuple(_weights(model, reference, sizes, vanishing, layers)),
        scales_pixels=graph_ends.scales_pixels(model),
    )
    _verify(found, build)
    return found


def count_params(model: keras.Model) -> int:
    """Trainable parameters of a built network, as the paper counts them."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_variables)


def _primes(count: int) -> list[int]:
    """Primes above 16: no multiple of one below 17 is a multiple of another."""
    candidates = (n for n in itertools.count(17) if all(n % d for d in range(2, n)))
    return list(itertools.islice(candidates, count))


def _sizes(one: ChannelGraph, widths, other: ChannelGraph, others) -> dict:
    """Group -> (width, factor) for every group whose size follows a width."""
    by_makers = {group.makers: group.size for group in other.groups}
    sizes = {}
    for number, group in enumerate(one.groups):
        pair = group.size, by_makers.get(group.makers)
        for width, (a, b) in enumerate(zip(widths, others, strict=True)):
            factor = group.size // a
            if factor and pair == (factor * a, factor * b):
                sizes[number] = (width, factor)
    return sizes


def _primary(architecture: Architecture, graph: ChannelGraph, sizes) -> tuple[int, ...]:
    """The first group of each width's own size that can lose channels."""
    primary = {}
    for number, (width, factor) in sizes.items():
        if factor == 1 and graph.groups[number].frozen is None:
            primary.setdefault(width, number)
    for width in range(len(architecture.widths)):
        if width not in primary:
            reasons = {
                graph.groups[g].frozen for g, (w, _) in sizes.items() if w == width
            } - {None}
            why = f": {reasons.pop()}" if reasons else ""
            raise InputError(
                f"Width {width + 1} of {architecture.name} makes no layer's filters "
                f"that could be removed{why}."
            )
    return tuple(primary[width] for width in range(len(architecture.widths)))


def _names(model: keras.Model, groups, present: set[str]) -> tuple[str, ...]:
    """Of every group the maker that most of a filter's weights are in.

    Of those that never vanish, and that make filters of no other group, as a layer
    that is added to a concatenation does.
    """
    count = collections.Counter(maker for group in groups for maker in group.makers)

    def weight(name: str) -> tuple:
        kernel = model.get_layer(name).kernel
        return name in present, count[name] == 1, int(np.prod(kernel.shape))

    return tuple(max(group.makers, key=weight) for group in groups)


def _vanishing(graph: ChannelGraph, sizes, present: set[str]) -> dict[str, tuple]:
    """Layer -> the two widths that must differ for it to exist."""
    vanishing: dict[str, tuple] = {}
    producer = {call.output: call for call in graph.calls}
    for call in graph.calls:
        if call.name in present:
            continue
        if call.kind == MAKE:
            ends = [
                _width(graph, sizes, tensor) for tensor in (call.inputs[0], call.output)
            ]
            if None not in ends:
                vanishing[call.name] = tuple(sorted(ends))
        else:  # A norm behind a projection goes when the projection goes.
            source = producer[call.inputs[0]].name
            if source in vanishing:
                vanishing[call.name] = vanishing[source]
    return vanishing


def _width(graph: ChannelGraph, sizes, tensor) -> int | None:
    channels = graph.channels[tensor]
    group = int(graph.owner[channels[0]]) if channels[0] != NONE else None
    return sizes[group][0] if group in sizes else None


def _axis(
    graph: ChannelGraph, sizes, channels: np.ndarray, layers: int
) -> dict[int, int]:
    """Length of an axis: {width: how many times}; `layers` is the constant 1."""
    length: dict[int, int] = {}
    owners, counts = np.unique(
        np.where(channels == NONE, NONE, graph.owner[channels]), return_counts=True
    )
    for owner, count in zip(owners, counts, strict=True):
        width, times = layers, int(count)
        if owner != NONE and owner in sizes:
            width, factor = sizes[owner]
            times = times // graph.groups[owner].size * factor
        length[width] = length.get(width, 0) + times
    return length


def _terms(graph, sizes, shape, axes, layers) -> Iterator[tuple[int, int, int]]:
    """(coefficient, width, width) of every term of a weight's size."""
    constant, lengths = 1, []
    for size, channels in zip(shape, axes or (None,) * len(shape), strict=True):
        if channels is None:
            constant *= size
        else:
            lengths.append(_axis(graph, sizes, channels, layers))
    lengths += [{layers: 1}] * (2 - len(lengths))
    for (one, a), (other, b) in itertools.product(
        lengths[0].items(), lengths[1].items()
    ):
        yield constant * a * b, one, other


def _positions(model: keras.Model, graph: ChannelGraph) -> dict[int, int]:
    """Pixels that every weight is applied at, over all calls, by the weight's id.

    Those that its layer puts out; a transposed convolution's kernel meets those that
    come in. Functional models within are looked into.
    """
    operations = {operation.name: operation for operation in model.operations}
    found: collections.Counter[int] = collections.Counter()
    for call in graph.calls:
        operation = operations[call.name]
        if has_graph(operation):
            shape = graph.shapes[call.inputs[0]][1:]
            found.update(_positions_within(operation, shape))
            continue
        transposed = "Transpose" in type(operation).__name__
        shape = graph.shapes[call.inputs[0] if transposed else call.output]
        pixels = int(np.prod([n or 1 for n in shape[1:-1]]))
        weights = getattr(operation, "weights", [])
        found.update({id(weight): pixels for weight in weights})
    return found


def _positions_within(model: keras.Model, shape: tuple) -> dict[int, int]:
    """The same of a model that is called on tensors of this shape."""
    inner = functional(model)
    if inner.inputs[0].shape[1:] == shape:
        return _positions(inner, channel_graph(inner))
    tensors = keras.tree.map_structure(
        lambda one: keras.Input(shape if one is inner.inputs[0] else one.shape[1:]),
        inner.input,
    )
    copy = keras.models.clone_model(inner, input_tensors=tensors)
    found = _positions(copy, channel_graph(copy))
    pairs = zip(inner.weights, copy.weights, strict=True)
    return {id(weight): found[id(copied)] for weight, copied in pairs}


def _weights(model, graph, sizes, vanishing, layers) -> Iterator[WeightSize]:
    positions = _positions(model, graph)
    for layer in model.layers:
        trainable = {id(weight) for weight in layer.trainable_variables}
        for weight in layer.weights:
            axes = graph.axes.get((layer.name, weight.name))
            yield WeightSize(
                layer=layer.name,
                name=weight.name,
                trainable=id(weight) in trainable,
                positions=positions[id(weight)],
                terms=tuple(_terms(graph, sizes, weight.shape, axes, layers)),
                differ=vanishing.get(layer.name, ALWAYS),
            )


def _verify(found: Structure, build) -> None:
    """Checks the count against networks with and without vanishing layers."""
    layers = len(found.primary)
    primes = _primes(layers + 1)
    alternating: Widths = tuple(primes[(place + 1) // 2] for place in range(layers))
    for widths in (found.architecture.widths, alternating):
        counted, built = (
            int(found.params(np.array(widths))),
            count_params(build(widths)),
        )
        if counted != built:
            raise InputError(
                f"{found.architecture.name} of widths {widths} has {built} parameters, "
                f"not the {counted} of its cost polynomial. A width must set the "
                "filters of layers, or a multiple of them, and a layer may be missing "
                "only where its input and its output have the same width."
            )
