"""What channels contribute to the layers that read them, of a trained network."""

from collections.abc import Callable

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.channels import NONE, Group
from ns_tf.graph.rules import MAKE
from ns_tf.prune.readers import Reader, Views, readers
from ns_tf.prune.rebuilt import contributions
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal

_FILTERS = 0x6A  # Keeps the draw of filters apart from that of places.


def check(network: ScoredNetwork) -> None:
    """Refuses a network with filters that no plain convolution or dense layer reads.

    Filters that nothing reads have no worth, and are not refused.

    Args:
        network: Of its channels those that are asked for count.

    Raises:
        InputError: other layers alone read a filter; names them.
    """
    graph = network.graph
    read = np.zeros(len(network.alive), bool)
    for reader in readers(graph):
        read[reader.reads[reader.reads != NONE]] = True
    for call in graph.calls:
        kernel = graph.kernels.get(call.name)
        if kernel and kernel.window:
            continue
        places = range(len(call.inputs)) if call.kind == MAKE else call.reads
        reads = [
            graph.channels[call.inputs[place]]
            for place in places
            if place not in call.joins
        ]
        if call.gates is not None:  # Of what is within the layer.
            reads.append(call.gates)
        for channels in reads:
            bare = channels[channels != NONE]
            bare = bare[network.wanted[bare] & ~read[bare]]
            if len(bare):
                raise InputError(
                    "The criterion reads windows of convolutions and dense layers; "
                    f"the filters of {network.layer_of(bare[0])!r} are read by "
                    f"{call.name!r} alone. Use taylor_fo, or keep that layer."
                )


@signal("gram", shape="[channels, channels]", check=check)
def gram(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the Gram matrices X'X of contributions, a matrix a layer, [n].

    A row of X is a place of an image and one output of a reader, drawn at random; x_c
    is what channel c adds to it: sum over the window of K[., c, o] input_c. Of several
    readers the rows are stacked, those of each divided by the norm of their sums.
    Layers that nobody reads have score 0.

    Departure: all layers are read in the whole network. The papers prune layer after
    layer, and read each in what is left so far.

    Args:
        formula: X'X [channels, channels] of one layer -> scores [channels].
        reading: The trained network, and the images.

    Raises:
        InputError: as `check`.
    """
    network = reading.network
    check(network)
    graph = network.graph
    groups = {
        number: group
        for number, group in enumerate(graph.groups)
        if network.wanted[group.channels].any()
    }
    grams = {
        str(number): np.zeros((group.size, group.size))
        for number, group in groups.items()
    }
    views = Views(network.gated, network.proxy, seed=reading.seed, keep=network.alive)
    found = readers(graph)

    def read_by(reader):
        return [n for n, g in groups.items() if np.isin(reader.reads, g.channels).any()]

    def items(first):
        for reader in found[:first]:
            if read_by(reader):  # The next pass starts where it would have, to the bit.
                views.pass_over(reader)
        for reader in found[first:]:
            yield (reader,)

    def add(reader):
        for number in read_by(reader):
            grams[str(number)] += _gram(network, views, reader, groups[number])

    reading.tally(len(found), items, add, grams)
    scores = np.zeros(len(network.alive))
    for number, group in groups.items():
        if grams[str(number)].any():
            scores[group.channels] = formula(grams[str(number)])
    return scores


def _gram(
    network: ScoredNetwork, views: Views, reader: Reader, group: Group
) -> np.ndarray:
    """X'X of one reader and one layer, divided by the sum of squares of the rows' sums.

    Args:
        network: The trained network.
        views: Its windows.
        reader: A layer that reads the group.
        group: The channels, [channels].
    """
    place = {int(channel): i for i, channel in enumerate(group.channels)}
    columns = np.array([place.get(int(c), -1) for c in reader.reads])
    own = columns >= 0
    kernel = np.array(views.layer(reader).kernel, float)
    kernel = kernel.reshape(-1, *kernel.shape[-2:])
    total = np.zeros((group.size, group.size))
    for number, windows in enumerate(views.rows(reader)):
        rng = np.random.default_rng([reader.number, number, _FILTERS])
        chosen = rng.integers(0, kernel.shape[-1], len(windows))
        parts = contributions(windows[..., own], kernel[:, own], chosen)
        x = np.zeros((len(parts), group.size))
        np.add.at(x.T, columns[own], parts.T)  # A flattened map has a channel often.
        total += x.T @ x
    square = total.sum()
    return total / square if square > 0 else total
