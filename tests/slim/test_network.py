"""All variables of a supernet, and which channels its members have."""

import numpy as np
import pytest
from supernets import TWO, work

from ns_tf.engine.execution import Execution
from ns_tf.slim.network import SlicedNetwork


@pytest.fixture(scope="module")
def network():
    problem = work()
    return SlicedNetwork(problem.build(), problem.structure, TWO, Execution())


def test_members_have_the_first_channels_of_every_layer(network):
    assert network.widths(1.0) == (8, 7) and network.widths(0.5) == (4, 3)
    keep = network.keep((4, 3))
    for group in network.graph.groups:
        if group.frozen is None:
            stays = np.flatnonzero(keep[group.channels])
            np.testing.assert_array_equal(stays, np.arange(group.size // 2))
    assert network.members[1.0].model is network.model


def test_values_of_own_norms_are_told_apart_and_go_in_again(network):
    values = network.values()
    assert {layer for layer, _ in values} >= {"bn1", "bn1@0.5"}
    assert ("bn1@1", "gamma") not in values  # The whole network's are its own.
    changed = {key: value + 1 for key, value in values.items()}
    network.assign(changed)
    for key, value in network.values().items():
        np.testing.assert_array_equal(value, changed[key])


def test_what_is_trained_is_the_whole_network_and_the_norms_of_switches(network):
    more = len(network.trained) - len(network.model.trainable_variables)
    assert more == 4  # gamma and beta of two norms of one smaller share.
    (pair,) = network.pairs([3])
    assert pair == (None, 3) and network.own(None, 5) == network.padded(None, 5) == 5
