"""Which rows of a batch each replica computes."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from ns_tf.data.shares import even, rows_of


@pytest.mark.parametrize("size, replicas", [(17, 2), (13, 5), (3, 7), (11, 1)])
def test_rows_are_dealt_out_evenly_and_in_order(size, replicas):
    rows = [np.arange(size)[share] for share in even(size, replicas)]
    np.testing.assert_array_equal(np.concatenate(rows), np.arange(size))
    counts = [len(some) for some in rows]
    assert len(counts) == replicas and counts == sorted(counts, reverse=True)
    assert max(counts) - min(counts) <= 1


def test_a_mirrored_strategy_deals_out_the_same_rows():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    for size in (17, 3, 1):
        whole = tf.data.Dataset.range(size).repeat().batch(size)
        batch = next(iter(strategy.experimental_distribute_dataset(whole)))
        parts = strategy.experimental_local_results(batch)
        for part, share in zip(parts, even(size, 2), strict=True):
            np.testing.assert_array_equal(part, np.arange(size)[share])


def test_a_share_is_its_rows_and_its_size_is_known_where_all_have_one(rng):
    value = tf.constant(rng.normal(size=(7, 5)))
    for replicas, size in ((1, 7), (7, 1), (2, None)):
        shares = even(7, replicas)
        made = tf.function(functools.partial(rows_of, shares, value=value))
        compiled = made.get_concrete_function(tf.TensorSpec([], tf.int64))
        assert compiled.output_shapes[0] == size
        for place, share in enumerate(shares):
            found = rows_of(shares, tf.constant(place), value)
            np.testing.assert_array_equal(found, value[share])
