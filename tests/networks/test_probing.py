"""Which groups follow which widths, from two builds at primes."""

import dataclasses

import numpy as np
import pytest

from ns_tf.base import Architecture, InputError
from ns_tf.graph.channels import ChannelGraph, Group
from ns_tf.graph.rules import Kernel
from ns_tf.networks.probing import primary_of, primes_of, sizes_of


def graph(*sizes: int, frozen: str | None = None) -> ChannelGraph:
    """A graph of one group a size, called a, b, ..."""
    groups = tuple(
        Group(name, (name,), np.arange(size), frozen)
        for name, size in zip("abcdefg", sizes, strict=False)
    )
    return ChannelGraph((), {}, {}, {}, groups, np.zeros(0, int), ())


def test_multiples_of_a_width_in_both_builds_follow_it():
    one, other = graph(17, 38, 5, 19), graph(23, 58, 5, 29)
    assert sizes_of(one, (17, 19), other, (23, 29)) == {
        0: (0, 1), 1: (1, 2), 3: (1, 1),
    }  # fmt: skip


def test_the_first_free_group_of_the_widths_own_size_is_its_own():
    sizes = {0: (0, 1), 1: (1, 2), 3: (1, 1)}
    two = Architecture("two", (4, 6), builder=None)
    assert primary_of(two, graph(17, 38, 5, 19), sizes) == (0, 3)
    with pytest.raises(InputError, match="Width 1 of two .* removed: it stays"):
        primary_of(two, graph(17, 38, 5, 19, frozen="it stays"), sizes)


def test_no_multiple_up_to_sixteen_of_a_prime_is_another_prime():
    primes = primes_of(31)
    assert len({factor * p for p in primes for factor in range(1, 17)}) == 31 * 16


def test_operations_among_the_makers_may_be_named_anew():
    one, other = graph(17), graph(23)
    pairs = zip((one, other), ("pad_1", "pad_7"), strict=True)
    one, other = (
        dataclasses.replace(
            each,
            groups=(Group("a", ("a", name), each.groups[0].channels, None),),
            kernels={"a": Kernel("kernel")},
        )
        for each, name in pairs
    )
    assert sizes_of(one, (17,), other, (23,)) == {0: (0, 1)}
