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
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Architecture, InputError, Widths
from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph, layer_of
from ns_tf.graph.ends import ends_in_softmax, scales_pixels
from ns_tf.graph.flat import flat
from ns_tf.graph.shapes import shape_of
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import learnable
from ns_tf.networks.costs import CostPolynomial
from ns_tf.networks.layer_steps import schedule_of
from ns_tf.networks.probing import primary_of, primes_of, sizes_of
from ns_tf.networks.schedule import Schedule
from ns_tf.networks.weight_sizes import WeightSize, vanishing_layers, weight_sizes
from ns_tf.parts import Parts


@dataclasses.dataclass(frozen=True)
class Structure:
    """An architecture at one image size and number of classes.

    Attributes:
        architecture: What builds the network.
        input_shape: (height, width, channels) of an image; `Parts` of shapes of several
            inputs.
        classes: Number of classes; of several outputs, values of the first.
        reference: The channel graph at widths that are all different.
        sizes: Group of the reference -> (width, factor); the group has factor * width
            channels. Groups of a constant size are absent.
        primary: [layers] for every width the group whose filters it counts.
        names: [layers] for every width the layer that makes them.
        weights: The sizes of all weights.
        scales_pixels: Whether the networks scale pixels themselves
            (`ns_tf.graph.ends.scales_pixels`).
        schedule: (int8) -> the operations of the LiteRT file, in int8 or in float32.
            It raises an `InputError` where they are not known.
    """

    architecture: Architecture
    input_shape: tuple[int, ...] | Parts
    classes: int
    reference: ChannelGraph
    sizes: dict[int, tuple[int, int]]
    primary: tuple[int, ...]
    names: tuple[str, ...]
    weights: tuple[WeightSize, ...]
    scales_pixels: bool | Parts
    schedule: Callable[[bool], Schedule] = dataclasses.field(repr=False, compare=False)

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """[widths]: the layers that make the filters of each width.

        The one that the width is named after comes first; layers of a multiple of the
        width are among the others.
        """
        graph = self.reference
        makers = [dict.fromkeys((name,)) for name in self.names]
        for group in sorted(self.sizes, key=lambda group: group not in self.primary):
            made = graph.layers_of(graph.groups[group])
            makers[self.sizes[group][0]].update(dict.fromkeys(made))
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
    if not isinstance(architecture, Architecture):
        raise InputError(f"Expected an Architecture; got {architecture!r}.")
    build = functools.partial(
        shapes_only, architecture.build, input_shape=input_shape, classes=classes
    )
    built = {}
    if architecture.source is not None:
        built[architecture.widths] = model = build(architecture.widths)
        structure = _of_groups(architecture, model)
        if len(structure.primary) != len(architecture.widths):  # Some are kept.
            structure = _probed(architecture, input_shape, classes, build)
    else:
        structure = _probed(architecture, input_shape, classes, build)
    _verify(structure, build, built)
    return structure


def _probed(
    architecture: Architecture,
    input_shape: tuple[int, int, int],
    classes: int,
    build: Callable[..., keras.Model],
) -> Structure:
    """The structure that networks of other widths show: primes tell widths apart."""
    layers = len(architecture.widths)
    primes, others = primes_of(2 * layers)[:layers], primes_of(2 * layers)[layers:]
    model = build(primes)
    reference = channel_graph(model)
    sizes = sizes_of(reference, primes, channel_graph(build(others)), others)
    equal = build(primes[:1] * layers)
    present = {operation.name for operation in equal.operations}
    vanishing = vanishing_layers(reference, sizes, present)
    primary = primary_of(architecture, reference, sizes)
    return Structure(
        architecture=architecture,
        input_shape=input_shape,
        classes=classes,
        reference=reference,
        sizes=sizes,
        primary=primary,
        names=_names(model, reference, primary, present),
        weights=tuple(weight_sizes(model, reference, sizes, vanishing, layers)),
        scales_pixels=scales_pixels(model),
        schedule=_schedules(model, reference, sizes, vanishing, layers, equal),
    )


def as_it_is(architecture: Architecture) -> Structure:
    """The structure of a model of the user's, read off the model alone.

    Nothing is built. `analyse` finds the same, but for statistics of a Normalization
    that become constants, and checks it on a network of other widths.

    Args:
        architecture: As `ns_tf.networks.from_model.from_model` makes it, nothing kept.
    """
    return _of_groups(architecture, architecture.source)


def _of_groups(architecture: Architecture, model: keras.Model) -> Structure:
    """The structure of a model of the user's: each width is a group of its graph.

    Args:
        architecture: Of the user's model.
        model: That model, or what the architecture builds at its widths.
    """
    graph = channel_graph(model)
    free = [i for i, group in enumerate(graph.groups) if group.frozen is None]
    sizes = {group: (width, 1) for width, group in enumerate(free)}
    present = {operation.name for operation in model.operations}
    return Structure(
        architecture=architecture,
        input_shape=shape_of(model),
        classes=model.outputs[0].shape[-1],
        reference=graph,
        sizes=sizes,
        primary=tuple(free),
        names=_names(model, graph, free, present),
        weights=tuple(weight_sizes(model, graph, sizes, {}, len(free))),
        scales_pixels=scales_pixels(model),
        schedule=_schedules(model, graph, sizes, {}, len(free)),
    )


def _schedules(
    model: keras.Model,
    graph: ChannelGraph,
    sizes: Mapping[int, tuple[int, int]],
    vanishing: Mapping[str, tuple[int, int]],
    layers: int,
    equal: keras.Model | None = None,
) -> Callable[[bool], Schedule]:
    """Makes `Structure.schedule`; the arguments are those of `schedule_of`."""

    def schedule(int8: bool) -> Schedule:
        return schedule_of(
            model,
            graph,
            sizes,
            vanishing,
            layers,
            equal=channel_graph(equal) if vanishing else None,
            scaled=scales_pixels(model) is True,
            probabilities=ends_in_softmax(model),
            int8=int8,
        )

    return functools.lru_cache(schedule)


def count_params(model: keras.Model) -> int:
    """Parameters of a built network, as the paper counts them.

    Those of frozen layers count as well: see `Structure.params`.
    """
    return sum(int(np.prod(w.shape)) for w in learnable(model))


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
        layer = layer_of(name)
        kernel = by_key[layer, graph.kernels[name].name]
        return layer in present, count[name] == 1, int(np.prod(kernel.shape))

    return tuple(max(graph.layers_of(group), key=weight) for group in groups)


def _verify(
    structure: Structure,
    build: Callable[..., keras.Model],
    built: Mapping[Widths, keras.Model],
) -> None:
    """Checks the count against networks with and without vanishing layers.

    Args:
        structure: To check.
        build: Makes a network of given widths.
        built: Those that were made already, by their widths.

    Raises:
        InputError: a network has another number of parameters than its polynomial says.
    """
    layers = len(structure.primary)
    primes = primes_of(layers + 1)
    # p0, p1, p1, p2, p2, ...: neighbours agree at every other place.
    alternating: Widths = tuple(primes[(place + 1) // 2] for place in range(layers))
    architecture = structure.architecture
    for widths in (architecture.widths, alternating):
        counted = int(structure.params(np.array(widths)))
        own = count_params(built.get(widths) or build(widths))
        if counted != own:
            raise InputError(
                f"{architecture.name} of widths {widths} has {own} parameters, "
                f"not the {counted} of its cost polynomial. A width must set the "
                "filters of layers, or a multiple of them, and a layer may be missing "
                "only where its input and its output have the same width."
            )
