"""What a converter folds, in which order operations run, how long buffers live."""

import pytest

from ns_tf.networks.schedule import (
    CONV,
    NORM,
    OTHER,
    PAD,
    RELU,
    SUM,
    Buffer,
    Schedule,
    Step,
)


def schedule(*steps, output):
    count = 1 + max(step.makes for step in steps)
    return Schedule(tuple(Buffer(1, ((1, 0),)) for _ in range(count)), steps, output)


def order(*steps, output, missing=frozenset()):
    """The buffers that are made, in order, without the input."""
    return schedule(*steps, output=output).at(missing).places[1:]


@pytest.mark.parametrize("kind", [CONV, SUM, NORM])
def test_a_relu_goes_into_what_it_alone_reads(kind):
    steps = (
        Step("a", kind, (0,), 1),
        Step("b", RELU, (1,), 2),
        Step("c", OTHER, (2,), 3),
    )
    expected = (2, 2, 3) if kind == NORM else (2, 3)  # A norm is a product and a sum.
    assert order(*steps, output=3) == expected


def test_a_relu_behind_others_is_an_operation():
    steps = (
        Step("a", OTHER, (0,), 1),
        Step("b", RELU, (1,), 2),
        Step("c", RELU, (2,), 3),
    )
    assert order(*steps, output=3) == (1, 2, 3)


def test_a_norm_goes_into_a_convolution_that_nobody_else_reads():
    conv, norm, relu = (
        Step("a", CONV, (0,), 1),
        Step("b", NORM, (1,), 2),
        Step("c", RELU, (2,), 3),
    )
    assert order(conv, norm, relu, output=3) == (3,)
    other = Step("d", SUM, (1, 3), 4)
    assert order(conv, norm, relu, other, output=4) == (1, 3, 3, 4)


def test_a_norm_behind_a_relu_stays():
    steps = Step("a", CONV, (0,), 1), Step("b", RELU, (1,), 2), Step("c", NORM, (2,), 3)
    assert order(*steps, output=3) == (2, 3, 3)


def test_a_border_goes_into_the_convolution_that_adds_it():
    pad, conv = Step("a", PAD, (0,), 1), Step("b", CONV, (1,), 2)
    assert order(pad, conv, output=2) == (2,)


def test_chains_run_to_their_end_those_of_the_lower_name_first():
    stem = Step("m", OTHER, (0,), 1)
    high = Step("z", OTHER, (1,), 2), Step("a", OTHER, (2,), 3)
    low = Step("b", OTHER, (1,), 4), Step("y", OTHER, (4,), 5)
    end = Step("e", SUM, (3, 5), 6)
    assert order(stem, *high, *low, end, output=6) == (1, 4, 5, 2, 3, 6)


def test_buffers_live_from_their_maker_to_their_last_reader_and_scratch_for_one():
    steps = (
        Step("a", OTHER, (0,), 1),
        Step("b", OTHER, (1,), 2, scratch=(4,)),
        Step("c", SUM, (1, 2), 3),
        Step("d", OTHER, (3,), 5),
    )
    live = schedule(*steps, output=5).at()
    assert live.places == (0, 1, 2, 3, 5, 4)
    assert live.first == (0, 1, 2, 3, 4, 2)
    assert live.last == (1, 3, 3, 4, 4, 2)


def test_where_a_projection_is_missing_its_reader_reads_the_identity():
    """And a norm that the projection had for itself is read by two, so it stays."""
    steps = (
        Step("a", CONV, (0,), 1),
        Step("b", NORM, (1,), 2),
        Step("c", CONV, (2,), 3),
        Step("p", CONV, (2,), 4, differ=(0, 1), instead=1),
        Step("s", SUM, (3, 4), 5),
    )
    assert schedule(*steps, output=5).conditions == ((0, 1),)
    assert order(*steps, output=5) == (2, 3, 4, 5)
    missing = frozenset({(0, 1)})
    assert order(*steps, output=5, missing=missing) == (1, 2, 2, 3, 5)
    live = schedule(*steps, output=5).at(missing)
    assert live.last[live.places.index(1)] == max(live.last)
