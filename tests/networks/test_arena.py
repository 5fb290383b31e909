"""Where an interpreter puts buffers: by hand, and against a plain search for gaps."""

import json

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.networks.arena import ALIGNMENT, PeakMemory, arena, cost_from_json
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.schedule import CONV, OTHER, Buffer, Schedule, Step


def by_search(sizes, first, last):
    """The lowest offset at which nothing that is alive overlaps, tried one by one."""
    placed = []
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], -i)):
        offset = 0
        while any(
            not (last[j] < first[i] or last[i] < first[j])
            and offset < at + sizes[j]
            and at < offset + sizes[i]
            for j, at in placed
        ):
            offset += ALIGNMENT
        placed.append((i, offset))
    return max(offset + sizes[i] for i, offset in placed)


def alive(sizes, first, last):
    """The most bytes that are alive at once."""
    return max(
        sum(s for s, a, b in zip(sizes, first, last, strict=True) if a <= t <= b)
        for t in range(max(last) + 1)
    )


def test_buffers_are_put_in_the_lowest_gap_and_never_below_what_is_alive(rng):
    gaps = 0
    for count in rng.integers(1, 14, 61):
        sizes = (ALIGNMENT * rng.integers(1, 29, count)).tolist()
        first = rng.integers(0, 11, count).tolist()
        last = [
            int(a + more)
            for a, more in zip(first, rng.integers(0, 5, count), strict=True)
        ]
        found = arena(sizes, first, last)
        assert found == by_search(sizes, first, last) >= alive(sizes, first, last)
        gaps += found > alive(sizes, first, last)
    assert gaps  # Some arenas are larger than what is alive.


def chain():
    """image [30] - conv a [7 w0] - conv b [5 w1] - answer [3 w1]."""
    buffers = [((30, 2),), ((7, 0),), ((5, 1),), ((3, 1),)]
    steps = (
        Step("a", CONV, (0,), 1),
        Step("b", CONV, (1,), 2),
        Step("c", OTHER, (2,), 3),
    )
    return Schedule(tuple(Buffer(1, terms) for terms in buffers), steps, 3)


def whole(size):
    return -(-size // 16) * 16


def test_a_chain_needs_the_largest_pair_of_neighbours(rng):
    cost = PeakMemory("bytes", chain(), 2)
    widths = rng.integers(1, 97, (2, 13, 2))
    for pair, told in zip(widths.reshape(-1, 2), cost(widths).ravel(), strict=True):
        sizes = [30, 7 * pair[0], 5 * pair[1], 3 * pair[1]]
        pairs = zip(sizes, sizes[1:], strict=False)
        assert told == max(whole(a) + whole(b) for a, b in pairs)


def test_instants_are_the_bytes_alive_and_bound_the_cost_from_below(rng):
    cost = PeakMemory("bytes", chain(), 2)
    at = rng.integers(1, 97, (53, 2))
    most = np.max([instant(at) for instant in cost.near], axis=0)
    sizes = np.stack([np.full(53, 30), 7 * at[:, 0], 5 * at[:, 1], 3 * at[:, 1]])
    assert (most == (sizes[1:] + sizes[:-1]).max(axis=0)).all()
    assert (most <= cost(at)).all()
    assert (cost(at) < most + 2 * ALIGNMENT).all()
    assert cost.floors is cost.near


def test_an_instant_that_another_always_tops_is_left_out():
    cost = PeakMemory("bytes", chain(), 2)
    assert len(cost.near) == 3  # The image alone is less than it and a.


def test_json_keeps_a_cost_and_tells_the_kinds_apart(rng):
    cost = PeakMemory("bytes", chain(), 2)
    again = cost_from_json(json.loads(json.dumps(cost.to_json())))
    at = rng.integers(1, 97, (7, 2))
    assert isinstance(again, PeakMemory) and (again(at) == cost(at)).all()
    other = CostPolynomial.collect("MACs", [(3, 0, 1, ALWAYS)])
    assert isinstance(cost_from_json(other.to_json()), CostPolynomial)


@pytest.mark.parametrize(
    "damage",
    [
        {"layers": 1},
        {"layers": None},
        {"output": 9},
        {"buffers": [[1, [[3, -1]]]]},
        {"buffers": [[1.5, []]]},
        {"steps": [["a", "made up", [0], 1, [], [-1, -1], -1]]},
        {"steps": [["a", "conv", [17], 1, [], [-1, -1], -1]]},
        {"steps": [[]]},
        {"steps": []},  # Nothing makes the output.
        {"buffers": [[10**25, [[3, 0]]]] * 9},
    ],
)
def test_damaged_json_is_refused_in_a_line(damage):
    data = PeakMemory("bytes", chain(), 2).to_json() | damage
    with pytest.raises(InputError, match="no schedule of buffers.*Count the cost"):
        cost_from_json(data)


def test_a_network_without_widths_has_one_number():
    steps = (Step("a", CONV, (0,), 1),)
    fixed = Schedule((Buffer(30, ((1, -1),)), Buffer(7, ((1, -1),))), steps, 1)
    cost = PeakMemory("bytes", fixed, 0)
    assert cost(np.zeros(0, int)) == 32 + 16
    assert cost(np.zeros((3, 0), int)).tolist() == [48] * 3


def test_other_widths_than_the_network_has_are_refused():
    with pytest.raises(InputError, match="2 widths; got"):
        PeakMemory("bytes", chain(), 2)(np.array([3, 5, 7]))
