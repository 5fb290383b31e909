"""Which widths set the sizes of which groups: a builder is probed at prime widths."""

import itertools
from collections.abc import Sequence

from ns_tf.base import Architecture, InputError
from ns_tf.graph.channels import ChannelGraph
from ns_tf.networks.weight_sizes import Sizes


def primes_of(count: int) -> list[int]:
    """The first primes above 16, at which a builder is probed.

    A size tells its factor and its prime: k p is no multiple of another prime q > 16
    for any factor k <= 16.

    Args:
        count: How many.

    >>> primes_of(5)
    [17, 19, 23, 29, 31]
    """
    candidates = (n for n in itertools.count(17) if all(n % d for d in range(2, n)))
    return list(itertools.islice(candidates, count))


def sizes_of(
    one: ChannelGraph, widths: Sequence[int], other: ChannelGraph, others: Sequence[int]
) -> Sizes:
    """The groups whose size is a multiple of a width in both builds.

    Args:
        one: The graph at `widths`.
        widths: [layers].
        other: The graph at `others`.
        others: [layers].

    Returns:
        Place of a group in `one` -> (width, factor).
    """
    found = zip(_keys(other), other.groups, strict=True)
    by_key = {key: group.size for key, group in found}
    sizes = {}
    for number, key in enumerate(_keys(one)):
        group = one.groups[number]
        pair = group.size, by_key.get(key)
        for width, (a, b) in enumerate(zip(widths, others, strict=True)):
            factor = group.size // a
            if factor and pair == (factor * a, factor * b):
                sizes[number] = (width, factor)
    return sizes


def _keys(graph: ChannelGraph) -> list[tuple[str, ...]]:
    """By what each group is known in another build: its layers, if no other has them.

    Operations, which make zeros, may have other names in every build.
    """
    layers = [graph.layers_of(group) for group in graph.groups]
    return [
        own if own and layers.count(own) == 1 else group.makers
        for own, group in zip(layers, graph.groups, strict=True)
    ]


def primary_of(
    architecture: Architecture, graph: ChannelGraph, sizes: Sizes
) -> tuple[int, ...]:
    """[layers]: the first group of each width's own size that can lose channels.

    Args:
        architecture: Named in errors.
        graph: At widths that are all different.
        sizes: As `sizes_of` finds them.

    Raises:
        InputError: a width has none; says why.
    """
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
