"""Which layers lose filters together, and what their filters are worth.

The builder of a network may give a width to every layer although identity shortcuts
join some: one filter less in one of them alone would put a convolution into a shortcut.
"""

import numpy as np

from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.inherit import crossings
from ns_tf.prune.ranking import worth_of
from ns_tf.prune.removal import Prunable
from ns_tf.scores import FilterScores


def filter_scores(
    scores: np.ndarray, prunable: Prunable, graph: ChannelGraph
) -> FilterScores:
    """What the filters of a whole network are worth.

    Args:
        scores: [n]; channels that identities join have one, as of
            `ns_tf.prune.trained.joined`.
        prunable: Which channels the widths count.
        graph: Of the network.

    Raises:
        InputError: a score is not a number.
    """
    sets = joined_layers(prunable, graph)
    merged = _merged(prunable, sets)
    ends = np.cumsum([len(own) for own in merged.widths])[:-1]
    each = np.split(worth_of(scores, merged), ends)
    return FilterScores(sets, tuple(np.sort(own)[::-1] for own in each))


def joined_layers(prunable: Prunable, graph: ChannelGraph) -> np.ndarray:
    """[layers]: the set of each, counted from 0; identities join layers of a set.

    Args:
        prunable: Which channels the widths count.
        graph: Of the network.
    """
    sizes = [len(channels) for channels in prunable.widths]
    layer = dict.fromkeys(range(len(graph.owner)))
    for number, channels in enumerate(prunable.widths):
        layer.update(dict.fromkeys(channels.tolist(), number))
    first = np.arange(len(sizes))
    for target, source in crossings(graph).items():
        one, other = layer.get(target), layer.get(source)
        # Of two widths, as behind a shortcut that is padded, each has its own number.
        if None not in (one, other) and sizes[one] == sizes[other]:
            ends = first[one], first[other]
            first[first == max(ends)] = min(ends)
    return np.unique(first, return_inverse=True)[1]


def _merged(prunable: Prunable, sets: np.ndarray) -> Prunable:
    """One width for every set.

    Channels that identities join have one score, so those of the first layer of a set
    stand for all. What follows any of its layers follows the set.

    Args:
        prunable: Which channels the widths count.
        sets: [layers]: as of `joined_layers`.
    """
    firsts = np.unique(sets, return_index=True)[1]
    return Prunable(
        tuple(prunable.widths[layer] for layer in firsts),
        tuple((own, int(sets[n]), factor) for own, n, factor in prunable.followers),
    )
