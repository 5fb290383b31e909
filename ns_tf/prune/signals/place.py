"""The place of a channel among those of its layer."""

from collections.abc import Callable

import numpy as np

from ns_tf.prune.signals import Reading, signal


@signal("place", shape="[channels]")
def place(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the places of channels in their groups, from 0, [n].

    Args:
        formula: Places [n] -> scores [n].
        reading: Its network's graph says which channels a layer makes, in order.
    """
    graph = reading.network.graph
    places = np.zeros(len(graph.owner))
    for group in graph.groups:
        places[group.channels] = np.arange(group.size)
    return formula(places)
