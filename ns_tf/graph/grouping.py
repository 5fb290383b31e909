"""Which channels are one, and which the same layers make: a graph's groups."""

import collections
import dataclasses
from collections.abc import Container, Iterable, Sequence

import numpy as np
import scipy.sparse.csgraph

from ns_tf.graph.channels import NONE, Group, layer_of

Ties = Sequence[tuple[np.ndarray, np.ndarray]]


def components(size: int, ties: Ties) -> tuple[np.ndarray, np.ndarray]:
    """The channels that ties make one.

    >>> label, fixed = components(4, [(np.array([0, 1]), np.array([3, -1]))])
    >>> label.tolist(), fixed.tolist()
    ([0, 1, 2, 0], [1])

    Args:
        size: Channels that were made.
        ties: Pairs of arrays of channels; -1 is no channel.

    Returns:
        [size] -> number of the channel that each became, counted in the order of their
        first ones, so that a group keeps its layer's order; and the channels that are
        tied to what is no channel.
    """
    pairs = [np.empty((2, 0), int), *(np.stack(tie) for tie in ties)]
    one, other = np.concatenate(pairs, axis=1)
    fixed = [a[(b < 0) & (a >= 0)] for a, b in ((one, other), (other, one))]
    real = (one >= 0) & (other >= 0)
    matrix = scipy.sparse.coo_matrix(
        (np.ones(real.sum()), (one[real], other[real])), shape=(size, size)
    )
    count, label = scipy.sparse.csgraph.connected_components(matrix, directed=False)
    first = np.full(count, size)
    np.minimum.at(first, label, np.arange(size))
    return np.argsort(np.argsort(first))[label], np.concatenate(fixed)


def groups_of(
    label: np.ndarray,
    makers: Sequence[str],
    reasons: Iterable[tuple[np.ndarray, str]],
    parts: Sequence[np.ndarray] = (),
) -> tuple[tuple[Group, ...], np.ndarray]:
    """The channels of the same makers and of the same parts, as groups.

    >>> groups, owner = groups_of(
    ...     np.array([0, 1, 2, 0]), ["a", "a", "b", "b"], [(np.array([2]), "it stays")])
    >>> [(g.makers, g.channels.tolist(), g.frozen) for g in groups]
    [(('a', 'b'), [0], None), (('a',), [1], None), (('b',), [2], 'it stays')]
    >>> owner.tolist()
    [0, 1, 2]
    >>> label, parts = np.array([0, 1, 2]), [np.array([2]), np.array([0, 1, 2])]
    >>> groups, _ = groups_of(label, ["a", "a", "a"], [], parts)
    >>> [(g.makers, g.channels.tolist()) for g in groups]
    [(('a/1',), [0, 1]), (('a/2',), [2])]

    Args:
        label: [made] the channel that each channel became.
        makers: [made] the layer that made it.
        reasons: Channels that stay, with the reason; one that stays keeps its group.
        parts: Channels, as they were made, that are apart from others: those before
            the end of a slice.

    Returns:
        Groups in the order of their first channels, each with the first of its reasons;
        and [channels] the place of each channel's group. Groups of the same makers are
        parts of these, and are numbered from 1.
    """
    names = list(dict.fromkeys(makers))
    place = {name: number for number, name in enumerate(names)}
    made = np.array([place[name] for name in makers], int)
    # One entry for each channel and maker, ordered by channel, then by maker.
    channel, by = np.divmod(np.unique(label * len(names) + made), max(1, len(names)))
    count = int(label.max(initial=-1)) + 1
    ends = np.searchsorted(channel, np.arange(count + 1)).tolist()
    # The makers of a group, and the parts that it is in -> its place.
    numbers: dict[tuple[bytes, int], int] = {}
    owner = np.array(
        [
            numbers.setdefault((by[start:end].tobytes(), side), len(numbers))
            for start, end, side in zip(
                ends[:-1], ends[1:], _sides(label, count, parts), strict=True
            )
        ],
        int,
    )
    why: dict[int, str] = {}
    for channels, reason in reasons:
        for group in np.unique(owner[label[channels[channels >= 0]]]):
            why.setdefault(int(group), reason)
    order = np.argsort(owner, kind="stable")
    members = np.split(order, np.searchsorted(owner[order], range(1, len(numbers))))
    total = collections.Counter(key for key, _ in numbers)
    met: collections.Counter[bytes] = collections.Counter()
    groups = []
    for (key, _), number in numbers.items():
        own = tuple(names[maker] for maker in np.frombuffer(key, by.dtype))
        met[key] += 1
        if total[key] > 1:
            own = tuple(f"{name}/{met[key]}" for name in own)
        groups.append(Group(own[0], own, members[number], why.get(number)))
    return tuple(groups), owner


def _sides(label: np.ndarray, count: int, parts: Sequence[np.ndarray]) -> list[int]:
    """[channels]: a number that is the same for channels as often in all parts.

    Args:
        label: [made] the channel that each channel became.
        count: Channels.
        parts: Channels, as they were made; -1 is no channel.
    """
    within = np.zeros((count, len(parts)), int)
    for number, channels in enumerate(parts):
        np.add.at(within[:, number], label[channels[channels >= 0]], 1)
    if not within.size:
        return [0] * count
    return np.unique(within, axis=0, return_inverse=True)[1].reshape(-1).tolist()


def whole(
    groups: Sequence[Group], owner: np.ndarray, axes: Iterable[np.ndarray]
) -> tuple[Group, ...]:
    """The groups; those of which an axis has a part alone are frozen.

    The size of a group would not say how long such an axis is.

    >>> group = Group("a", ("a",), np.array([0, 1]), None)
    >>> [one.frozen for one in whole([group], np.array([0, 0]), [np.array([1, 0])])]
    [None]
    >>> [one.frozen for one in whole([group], np.array([0, 0]), [np.array([1])])]
    ['a layer reads a part of it alone']

    Args:
        groups: All of a graph.
        owner: [channels] the place of each channel's group.
        axes: Channel numbers along axes; -1 is no channel.
    """
    size = np.array([group.size for group in groups], int)
    partial: set[int] = set()
    for channels in axes:
        found, count = np.unique(channels[channels != NONE], return_counts=True)
        if not len(found):
            continue
        of, start = np.unique(owner[found], return_inverse=True)
        present = np.bincount(start)
        least, most = np.full(len(of), count.max()), np.zeros(len(of), int)
        np.minimum.at(least, start, count)
        np.maximum.at(most, start, count)
        partial.update(of[(present != size[of]) | (least != most)].tolist())
    return tuple(
        dataclasses.replace(group, frozen="a layer reads a part of it alone")
        if number in partial and group.frozen is None
        else group
        for number, group in enumerate(groups)
    )


def by_layers(groups: Sequence[Group], layers: Container[str]) -> tuple[Group, ...]:
    """The groups, named after layers; those of zeros that no layer adds to are frozen.

    >>> channels, layers = np.array([0]), {"conv"}
    >>> groups = [Group("pad", makers, channels, None)
    ...           for makers in (("pad", "conv"), ("pad",))]
    >>> [(one.name, one.frozen) for one in by_layers(groups, layers)]
    [('conv', None), ('pad', "'pad' makes it of zeros")]

    Args:
        groups: All of a graph; an operation that pads may be among their makers.
        layers: Names of the layers.
    """
    found = []
    for group in groups:
        makers = sorted(group.makers, key=lambda maker: layer_of(maker) not in layers)
        why = group.frozen
        if layer_of(makers[0]) not in layers:
            why = why or f"{makers[0]!r} makes it of zeros"
        changes = {"name": makers[0], "makers": tuple(makers), "frozen": why}
        found.append(dataclasses.replace(group, **changes))
    return tuple(found)
