"""Layers that identities join are one set, and what follows counts with them."""

import itertools

import numpy as np
import pytest
from small import problem, residual

from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse
from ns_tf.prune.joined import filter_scores, joined_layers
from ns_tf.prune.removal import Prunable


def channels(structure, widths):
    """(what the widths count, the graph) of a network."""
    graph = structure.graph(structure.build(widths))
    return Prunable.of(structure, graph), graph


@pytest.mark.parametrize(
    "widths, sets", [((11, 7, 11), [0, 1, 0]), ((11, 7, 5), [0, 1, 2])]
)
def test_an_identity_joins_layers_of_one_width(widths, sets):
    structure = problem(residual, widths).structure
    assert joined_layers(*channels(structure, widths)).tolist() == sets


def test_scores_of_a_set_are_those_of_its_channels_highest_first(rng):
    structure = problem(residual, (11, 7, 11)).structure
    prunable, graph = channels(structure, (11, 7, 11))
    scores = rng.random(len(graph.owner))
    found = filter_scores(scores, prunable, graph)
    assert found.sets.tolist() == [0, 1, 0] and found.widths.tolist() == [11, 7, 11]
    for own, layer in zip(found.scores, (0, 1), strict=True):
        np.testing.assert_array_equal(
            own, sorted(scores[prunable.widths[layer]], reverse=True)
        )


@pytest.mark.slow
def test_stages_of_mobilenet_v2_are_one_each():
    """Expansions follow; no bottleneck gets a convolution in place of its identity."""
    builder = architectures.get("mobilenet_v2(ratio=0.125)")
    structure = analyse(builder, (32, 32, 3), 7)
    graph = structure.graph(structure.build(builder.widths))
    prunable = Prunable.of(structure, graph)
    sets = joined_layers(prunable, graph)
    stages = [1, 2, 3, 4, 3, 3, 1]  # Bottlenecks in each.
    counted = [len(list(same)) for _, same in itertools.groupby(sets.tolist())]
    assert counted == [1, *stages, 1]
