"""The channel graph as arrays: numbers, owners, and the same group in another graph."""

import keras
import numpy as np
import pytest
from graphs import channels_of

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.channels import NONE, ChannelGraph, Group, match
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def test_numbers_are_dense_and_every_channel_has_one_owner(handmade):
    for build in handmade.values():
        graph = channel_graph(build())
        numbers = np.concatenate([group.channels for group in graph.groups])
        np.testing.assert_array_equal(np.sort(numbers), np.arange(len(graph.owner)))
        for number, group in enumerate(graph.groups):
            assert (graph.owner[group.channels] == number).all()
            assert group.size == len(group.channels)
            assert group.name == group.makers[0]


def test_every_axis_has_as_many_numbers_as_the_weight_has_entries(handmade):
    for build in handmade.values():
        model = build()
        graph = channel_graph(model)
        known = 0
        for key, weight in weights.weights(model).items():
            for size, axis in zip(weight.shape, graph.axes[key], strict=True):
                assert axis is None or len(axis) == size
                known += axis is not None
        assert known > 0


def test_the_images_colours_are_no_channels(handmade):
    for build in handmade.values():
        graph = channel_graph(build())
        *_, inputs, _ = graph.axes["a", "kernel"]
        np.testing.assert_array_equal(inputs, [NONE] * 3)


def test_frozen_marks_the_channels_of_frozen_groups(handmade):
    graph = channel_graph(handmade["chain"]())
    expected = np.isin(np.arange(25), channels_of(graph, "logits"))
    np.testing.assert_array_equal(graph.frozen, expected)


# The same group in another graph.


def graph_of(*makers: tuple[str, ...]) -> ChannelGraph:
    """A graph of groups of one channel, by their makers."""
    groups = tuple(
        Group(names[0], names, np.array([number]), None)
        for number, names in enumerate(makers)
    )
    return ChannelGraph((), {}, {}, {}, groups, np.arange(len(groups)), ())


def group_of(*makers: str) -> Group:
    return Group(makers[0], makers, np.array([0]), None)


def test_a_group_is_found_by_its_makers_whatever_its_place():
    graph = graph_of(("stem",), ("a", "project"), ("b",))
    assert [match(group_of(name), graph) for name in ("stem", "a", "b")] == [0, 1, 2]


def test_a_maker_may_be_missing_on_either_side():
    graph = graph_of(("stem",), ("a", "project"))
    assert match(group_of("a"), graph) == 1
    assert match(group_of("gone", "stem"), graph) == 0


def test_of_groups_that_share_a_maker_the_most_alike_is_taken():
    """`whole` is added to a concatenation: it makes channels of both groups."""
    graph = graph_of(("a", "whole"), ("b", "whole"), ("whole",))
    assert match(group_of("b", "whole"), graph) == 1
    assert match(group_of("whole"), graph) == 2


def test_a_group_without_a_common_maker_is_refused():
    with pytest.raises(InputError, match="'a' is in one build .* and not in another"):
        match(group_of("a"), graph_of(("b",), ("c",)))


@pytest.mark.parametrize("name", ["residual", "excite", "concat", "shared"])
def test_every_group_of_a_model_matches_itself(name, handmade):
    graph, again = channel_graph(handmade[name]()), channel_graph(handmade[name]())
    places = [match(group, again) for group in graph.groups]
    assert places == list(range(len(graph.groups)))
