"""Which filters go in one event."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, shapes_only
from ns_tf.prune.removal import Prunable, choose, down_to


@st.composite
def events(draw):
    """Scores, what is alive, widths and followers of a network of 2 to 5 layers."""
    sizes = draw(st.lists(st.integers(1, 11), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    factor, leader = draw(st.integers(1, 3)), draw(st.integers(0, len(sizes) - 1))
    numbers = rng.permutation(sum(sizes) + factor * sizes[leader])
    *widths, tail = np.split(numbers, np.cumsum(sizes))
    alive = np.ones(len(numbers), bool)
    for channels_of_width in widths:
        dead = rng.integers(0, len(channels_of_width))
        alive[channels_of_width[:dead]] = False
        if channels_of_width is widths[leader]:
            alive[tail[: factor * dead]] = False
    # Few different scores, so that many are equal.
    scores = rng.choice([0.0, 0.5, 1.0, rng.random(), rng.random()], len(numbers))
    return scores, alive, Prunable(tuple(widths), ((tail, leader, factor),))


LIMITS = {"count": st.integers(1, 17), "min_width": st.integers(1, 5)}


@hypothesis.given(event=events(), **LIMITS)
def test_no_layer_goes_below_the_least_width(event, count, min_width):
    scores, alive, prunable = event
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    before = prunable.count(alive)
    alive[chosen] = False
    for old, new in zip(before, prunable.count(alive), strict=True):
        assert new == old or new >= min_width


@hypothesis.given(event=events(), **LIMITS)
def test_as_many_filters_go_as_were_asked_for_or_can(event, count, min_width):
    scores, alive, prunable = event
    can = sum(max(0, width - min_width) for width in prunable.count(alive))
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    assert len(set(chosen)) == len(chosen)
    assert alive[chosen].all()
    filters = np.isin(chosen, np.concatenate(prunable.widths)).sum()
    assert filters == min(count, can)


@hypothesis.given(event=events(), **LIMITS)
def test_what_goes_scores_no_higher_than_what_could_have_gone(event, count, min_width):
    scores, alive, prunable = event
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    filters = [c for c in chosen if any(c in width for width in prunable.widths)]
    alive[chosen] = False
    for width in prunable.widths:
        left = width[alive[width]]
        gone = [c for c in filters if c in width]
        if gone and len(left):  # Within the layer.
            assert scores[gone].max() <= scores[left].min()
        if filters and len(left) > min_width:  # Over all layers.
            assert scores[filters].max() <= scores[left].min()


@hypothesis.given(event=events(), **LIMITS)
def test_followers_keep_their_multiple_and_their_highest_scores(
    event, count, min_width
):
    scores, alive, prunable = event
    ((tail, leader, factor),) = prunable.followers
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    alive[chosen] = False
    left, gone = tail[alive[tail]], np.intersect1d(chosen, tail)
    assert len(left) == factor * prunable.count(alive)[leader]
    if len(gone):
        assert scores[gone].max() <= scores[left].min()


@hypothesis.given(event=events(), **LIMITS)
def test_stop_ends_where_exempt_would_have_spared_a_layer(event, count, min_width):
    scores, alive, prunable = event
    options = {"count": count, "min_width": min_width}
    exempt = choose(scores, alive, prunable, **options)
    stop = choose(scores, alive, prunable, at_min_width="stop", **options)
    # The lowest scores, had every layer filters to lose.
    filters = np.concatenate(prunable.widths)
    filters = filters[alive[filters]]
    lowest = filters[np.argsort(scores[filters], kind="stable")][:count]
    alive[lowest] = False
    fits = all(
        width >= min_width or not np.isin(channels_of_width, lowest).any()
        for width, channels_of_width in zip(
            prunable.count(alive), prunable.widths, strict=True
        )
    )
    if fits:
        np.testing.assert_array_equal(stop, exempt)
    else:
        assert len(stop) == 0


def test_stop_ends_only_where_a_layer_would_lose_its_last():
    prunable = Prunable((np.arange(2), np.arange(2, 9)), ())
    scores, alive = np.arange(9.0), np.ones(9, bool)
    options = {"at_min_width": "stop", "min_width": 1}
    np.testing.assert_array_equal(
        choose(scores, alive, prunable, count=1, **options), [0]
    )
    assert len(choose(scores, alive, prunable, count=2, **options)) == 0
    np.testing.assert_array_equal(
        choose(scores, alive, prunable, count=3, min_width=1), [0, 2, 3]
    )


def test_equal_scores_go_in_the_order_of_the_layers():
    prunable = Prunable((np.array([4, 2]), np.array([0, 3, 1])), ())
    chosen = choose(np.zeros(5), np.ones(5, bool), prunable, count=3)
    np.testing.assert_array_equal(chosen, [4, 0, 3])


@hypothesis.given(
    sizes=st.lists(st.integers(2, 31), min_size=2, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_of_one_layers_scores_the_layers_shrink_alike(sizes, seed):
    """However far apart the layers' scales are, shares never differ by two filters."""
    rng = np.random.default_rng(seed)
    parts = np.split(rng.permutation(sum(sizes)), np.cumsum(sizes)[:-1])
    prunable, alive = Prunable(tuple(parts), ()), np.ones(sum(sizes), bool)
    scores = rng.random(sum(sizes))
    for part in parts:
        scores[part] *= 10.0 ** rng.integers(-5, 6)
    given_scores = scores.copy()
    for _ in range(4):
        chosen = choose(scores, alive, prunable, count=sum(sizes) // 5, scope="layer")
        alive[chosen] = False
        for part in parts:
            left, gone = part[alive[part]], part[~alive[part]]
            assert len(left) >= 1
            if len(gone):
                assert scores[gone].max() <= scores[left].min()
        lost = [(~alive[part]).sum() / len(part) for part in parts if len(part) > 5]
        slack = 2 / min((len(part) for part in parts if len(part) > 5), default=1)
        assert max(lost, default=0) - min(lost, default=0) <= slack
    np.testing.assert_array_equal(scores, given_scores)


# Down to widths that are given.


@hypothesis.given(event=events(), seed=st.integers(0, 2**32 - 1))
def test_down_to_keeps_the_highest_scores_of_each_layer_and_its_followers(event, seed):
    scores, _, prunable = event
    rng = np.random.default_rng(seed)
    widths = tuple(int(rng.integers(0, len(c) + 1)) for c in prunable.widths)
    keep = down_to(scores, prunable, widths)
    assert prunable.count(keep) == widths
    ((tail, leader, factor),) = prunable.followers
    assert keep[tail].sum() == factor * widths[leader]
    for channels in (*prunable.widths, tail):
        stay, gone = channels[keep[channels]], channels[~keep[channels]]
        if len(stay) and len(gone):
            assert scores[gone].max() <= scores[stay].min()


def test_down_to_keeps_what_no_width_counts():
    prunable = Prunable((np.array([0, 2]),), ())
    keep = down_to(np.zeros(5), prunable, (1,))
    assert keep.tolist() == [False, True, True, True, True]


@pytest.mark.slow
def test_prunable_channels_of_a_structure_are_its_widths_and_what_follows_them():
    """A depthwise layer of MobileNetV2's expansions has no width of its own."""
    structure = analyse(architectures.get("mobilenet_v2"), (32, 32, 3), 5)
    widths = tuple(range(3, 3 + len(structure.primary)))
    graph = structure.graph(shapes_only(structure.build, widths))
    prunable = Prunable.of(structure, graph)
    alive = np.ones(len(graph.owner), bool)
    assert prunable.count(alive) == widths
    assert len(prunable.followers) > 0
    for channels, width, factor in prunable.followers:
        assert len(channels) == factor * widths[width]
    counted = np.concatenate(prunable.widths)
    assert len(set(counted)) == len(counted) == sum(widths)


@hypothesis.given(event=events(), **LIMITS)
def test_no_filter_that_goes_scores_higher_than_the_highest(event, count, min_width):
    scores, alive, prunable = event
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    filters = [c for c in chosen if any(c in width for width in prunable.widths)]
    if filters:
        assert prunable.highest(scores, chosen) == max(scores[c] for c in filters)


@hypothesis.given(event=events())
def test_the_lowest_scores_are_those_of_the_layers_filters_alive(event):
    scores, alive, prunable = event
    for width, lowest in zip(
        prunable.widths, prunable.lowest(scores, alive), strict=True
    ):
        assert lowest == min([scores[c] for c in width if alive[c]], default=np.inf)


@hypothesis.given(events(), st.integers(1, 7))
def test_tied_layers_lose_filters_together(event, count):
    scores, alive, prunable = event
    one = prunable.widths[0]
    twin = np.arange(len(scores), len(scores) + len(one))
    scores = np.concatenate([scores, scores[one][::-1] + 0.25])
    alive = np.concatenate([alive, alive[one]])
    layers = (*prunable.widths, twin)
    prunable = Prunable(layers, prunable.followers)
    tied = ((0, len(layers) - 1),)
    chosen = choose(scores, alive, prunable, count=count, tied=tied)
    left = alive.copy()
    left[chosen] = False
    widths = prunable.count(left)
    assert widths[0] == widths[-1] >= 1
    counted = np.concatenate(layers)
    gone = np.isin(counted, chosen).sum()
    can = sum(width - 1 for width in prunable.count(alive))
    assert min(count, can) <= gone <= count + 1
    for channels in (one, twin):  # Within a layer the lowest go.
        here, there = channels[left[channels]], np.intersect1d(channels, chosen)
        if len(there):
            assert scores[there].max() <= scores[here].min()


def test_tied_filters_count_by_the_mean_of_their_scores():
    prunable = Prunable((np.arange(2), np.arange(2, 4), np.arange(4, 6)), ())
    scores, alive = np.array([0.1, 9.0, 0.5, 9.0, 0.2, 9.0]), np.ones(6, bool)
    free = choose(scores, alive, prunable, count=1)
    tied = choose(scores, alive, prunable, count=1, tied=((0, 1),))
    assert (free.tolist(), tied.tolist()) == ([0], [4])
