"""Groups by an oracle of sets and dictionaries."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.graph.grouping import components, groups_of, whole

SIZE = 23


@st.composite
def made(draw):
    """Channels of three layers, ties between them, and what stays."""
    makers = ["a"] * 7 + ["b"] * 5 + ["c"] * 11
    channel = st.integers(-1, SIZE - 1)
    pairs = draw(st.lists(st.tuples(channel, channel), max_size=13))
    stays = draw(st.lists(st.integers(-1, SIZE - 1), max_size=3))
    return makers, pairs, stays


@given(made())
def test_tied_channels_are_one_and_channels_of_the_same_makers_a_group(drawn):
    makers, pairs, stays = drawn
    sets = [{n} for n in range(SIZE)]
    for one, other in pairs:
        if one >= 0 <= other:
            joined = next(s for s in sets if one in s) | next(
                s for s in sets if other in s
            )
            sets = [s for s in sets if not s & joined] + [joined]
    sets.sort(key=min)
    ties = [(np.array([one]), np.array([other])) for one, other in pairs]
    label, fixed = components(SIZE, ties)
    assert [set(np.flatnonzero(label == n)) for n in range(len(sets))] == sets
    expected = {max(pair) for pair in pairs if min(pair) < 0 <= max(pair)}
    assert set(fixed.tolist()) == expected

    groups, owner = groups_of(label, makers, [(np.array(stays, int), "it stays")])
    of = [tuple(sorted({makers[n] for n in one})) for one in sets]
    assert [group.makers for group in groups] == list(dict.fromkeys(of))
    assert [groups[place].makers for place in owner] == of
    held = {of[label[channel]] for channel in stays if channel >= 0}
    for group in groups:
        assert [of[n] == group.makers for n in range(len(of))] == [
            n in group.channels for n in range(len(of))
        ]
        assert group.frozen == ("it stays" if group.makers in held else None)


@given(st.lists(st.integers(-1, 8), max_size=17))
def test_an_axis_that_has_a_part_of_a_group_freezes_it(channels):
    label = np.arange(9)
    groups, owner = groups_of(label, ["a"] * 4 + ["b"] * 5, [])
    after = whole(groups, owner, [np.array(channels, int)])
    for group, one in zip(groups, after, strict=True):
        counts = {channels.count(channel) for channel in group.channels}
        assert (one.frozen is None) == (len(counts) == 1)
