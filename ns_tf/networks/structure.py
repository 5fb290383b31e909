"""What a builder makes of its widths: whose filters each one is, and what they cost.

The network itself is built and read; there is no table. It is built

* at widths that are all different primes: every projection exists, and no two sizes
  agree by chance;
* at other primes, which tells a width from a multiple of one and from a constant;
* with all widths equal, which tells the layers that vanish.

Only shapes are built; nothing is allocated.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Architecture, InputError, Widths
from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.ends import scales_pixels
from ns_tf.graph.flat import flat
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import learnable
from ns_tf.networks.costs import CostPolynomial
from ns_tf.networks.weight_sizes import (
    Sizes,
    WeightSize,
    vanishing_layers,
    weight_sizes,
)


@dataclasses.dataclass(frozen=True)
class Structure:
    """An architecture at one image size and number of classes.

    Attributes:
        architecture: What builds the network.
        input_shape: (height, width, channels) of an image.
        classes: Number of classes.
        reference: The channel graph at widths that are all different.
        sizes: Group of the reference -> (width, factor); the group has factor * width
            channels. Groups of a constant size are absent.
        primary: [layers] for every width the group whose filters it counts.
        names: [layers] for every width the layer that makes them.
        weights: The sizes of all weights.
        scales_pixels: Whether the networks scale pixels themselves
            (`ns_tf.graph.ends.scales_pixels`).
    """

    architecture: Architecture
    input_shape: tuple[int, int, int]
    classes: int
    reference: ChannelGraph
    sizes: dict[int, tuple[int, int]]
    primary: tuple[int, ...]
    names: tuple[str, ...]
    weights: tuple[WeightSize, ...]
    scales_pixels: bool

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """[widths]: the layers that make the filters of each width.

        The one that the width is named after comes first; layers of a multiple of the
        width are among the others.
        """
        groups = self.reference.groups
        makers = [dict.fromkeys((name,)) for name in self.names]
        for group in sorted(self.sizes, key=lambda group: group not in self.primary):
            makers[self.sizes[group][0]].update(dict.fromkeys(groups[group].makers))
        return tuple(tuple(names) for names in makers)

    @functools.cached_property
    def params(self) -> CostPolynomial:
        """Parameters of the built network: tau, as the paper counts it.

        All that can be trained: gamma and beta of batch norms count, moving statistics
        do not. Layers with `trainable=False` count like any other: they take as much
        room, and a width that they follow would cost nothing otherwise.
        """
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
        """The network of these widths `[layers]`; of the default widths if None.

        Raises:
            InputError: widths that are not as many positive whole numbers, or images
                too small for the network.
        """
        return flat(
            self.architecture.build(
                widths, input_shape=self.input_shape, classes=self.classes
            )
        )

    def graph(self, model: keras.Model) -> ChannelGraph:
        """The channel graph of a network that `build` made.

        The reference keeps groups apart whose widths happen to agree.
        """
        return channel_graph(model, self.reference)


def shapes_only(
    build: Callable[..., keras.Model], *arguments: Any, **keywords: Any
) -> keras.Model:
    """The model that a builder makes, its variables without values.

    Shapes, names and graph are all there; models within the model are flat. It takes a
    tenth of the time of a network with weights, and no memory for them.

    Args:
        build: Called under the present dtype policy.
        *arguments: For `build`.
        **keywords: For `build`.
    """
    policy = keras.config.dtype_policy()

    def work():
        keras.config.set_dtype_policy(policy)
        with keras.StatelessScope(initialize_variables=False):
            return flat(build(*arguments, **keywords), values=False)

    # Keras lists the variables of such a scope by thread, and gives all in the list
    # values when it next can. The list of a thread that ends is never read.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


@functools.lru_cache(maxsize=32)
def analyse(
    architecture: Architecture, input_shape: tuple[int, int, int], classes: int
) -> Structure:
    """The structure of an architecture: its widths, their layers, their costs.

    Args:
        architecture: What builds the network.
        input_shape: (height, width, channels) of an image.
        classes: Number of classes.

    Returns:
        The structure; the same object for the same arguments.

    Raises:
        InputError: a width makes no layer's filters, or the parameters of the built
            network are no polynomial of the widths.
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
    vanishing = vanishing_layers(reference, sizes, present)
    primary = _primary(architecture, reference, sizes)
    structure = Structure(
        architecture=architecture,
        input_shape=input_shape,
        classes=classes,
        reference=reference,
        sizes=sizes,
        primary=primary,
        names=_names(model, reference, primary, present),
        weights=tuple(weight_sizes(model, reference, sizes, vanishing, layers)),
        scales_pixels=scales_pixels(model),
    )
    _verify(structure, build)
    return structure


def as_it_is(architecture: Architecture) -> Structure:
    """The structure of a model of the user's, read off the model alone.

    Nothing is built: each width is a group of the model's own graph. `analyse` finds
    the same and checks it on networks of other widths.

    Args:
        architecture: As `ns_tf.networks.from_model.from_model` makes it, nothing kept.
    """
    model = architecture.source
    graph = channel_graph(model)
    free = [i for i, group in enumerate(graph.groups) if group.frozen is None]
    sizes = {group: (width, 1) for width, group in enumerate(free)}
    present = {operation.name for operation in model.operations}
    return Structure(
        architecture=architecture,
        input_shape=tuple(model.inputs[0].shape[1:]),
        classes=model.outputs[0].shape[-1],
        reference=graph,
        sizes=sizes,
        primary=tuple(free),
        names=_names(model, graph, free, present),
        weights=tuple(weight_sizes(model, graph, sizes, {}, len(free))),
        scales_pixels=scales_pixels(model),
    )


def count_params(model: keras.Model) -> int:
    """Parameters of a built network, as the paper counts them.

    Those of frozen layers count as well: see `Structure.params`.
    """
    return sum(int(np.prod(w.shape)) for w in learnable(model))


def _primes(count: int) -> list[int]:
    """The first primes above 16, at which a builder is probed.

    A size tells its factor and its prime: k p is no multiple of another prime q > 16
    for any factor k <= 16.

    >>> _primes(5)
    [17, 19, 23, 29, 31]
    """
    candidates = (n for n in itertools.count(17) if all(n % d for d in range(2, n)))
    return list(itertools.islice(candidates, count))


def _sizes(
    one: ChannelGraph, widths: Sequence[int], other: ChannelGraph, others: Sequence[int]
) -> Sizes:
    """The groups whose size is a multiple of a width in both builds.

    Args:
        one: The graph at `widths`.
        widths: [layers].
        other: The graph at `others`.
        others: [layers].
    """
    by_makers = {group.makers: group.size for group in other.groups}
    sizes = {}
    for number, group in enumerate(one.groups):
        pair = group.size, by_makers.get(group.makers)
        for width, (a, b) in enumerate(zip(widths, others, strict=True)):
            factor = group.size // a
            if factor and pair == (factor * a, factor * b):
                sizes[number] = (width, factor)
    return sizes


def _primary(
    architecture: Architecture, graph: ChannelGraph, sizes: Sizes
) -> tuple[int, ...]:
    """[layers]: the first group of each width's own size that can lose channels."""
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


def _names(
    model: keras.Model,
    graph: ChannelGraph,
    primary: Sequence[int],
    present: set[str],
) -> tuple[str, ...]:
    """Of every group the layer that its width is named after.

    Layers that never vanish come first; among them those that make filters of no other
    group (a layer that is added to a concatenation does); among them the one of the
    largest kernel.

    Args:
        model: At widths that are all different.
        graph: Its channel graph.
        primary: Places of the groups, one a width.
        present: Layers that exist at all widths.
    """
    groups = [graph.groups[place] for place in primary]
    by_key = weights.weights(model)
    count = collections.Counter(maker for group in groups for maker in group.makers)

    def weight(name: str) -> tuple:
        kernel = by_key[name, graph.kernels[name].name]
        return name in present, count[name] == 1, int(np.prod(kernel.shape))

    return tuple(max(group.makers, key=weight) for group in groups)


def _verify(structure: Structure, build: Callable[..., keras.Model]) -> None:
    """Checks the count against networks with and without vanishing layers.

    Raises:
        InputError: a network has another number of parameters than its polynomial says.
    """
    layers = len(structure.primary)
    primes = _primes(layers + 1)
    # p0, p1, p1, p2, p2, ...: neighbours agree at every other place.
    alternating: Widths = tuple(primes[(place + 1) // 2] for place in range(layers))
    architecture = structure.architecture
    for widths in (architecture.widths, alternating):
        counted = int(structure.params(np.array(widths)))
        built = count_params(build(widths))
        if counted != built:
            raise InputError(
                f"{architecture.name} of widths {widths} has {built} parameters, "
                f"not the {counted} of its cost polynomial. A width must set the "
                "filters of layers, or a multiple of them, and a layer may be missing "
                "only where its input and its output have the same width."
            )
