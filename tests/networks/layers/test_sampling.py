"""Kernels of epitomes are those that the formulas make, entry by entry."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from ns_tf.base import InputError
from ns_tf.networks.layers.sampling import (
    FASTER,
    folded,
    interpolated,
    repeated,
    sampling_of,
)


def hat(values, start, taps, axis, wrap):
    """sum over n of values[n] max(0, 1 - |n - (start + j)|), by a matrix."""
    size = values.shape[axis]
    at = start + np.arange(taps)
    distance = np.arange(size)[:, None] - at
    if wrap:
        distance = (distance + size / 2) % size - size / 2
    matrix = np.maximum(0, 1 - np.abs(distance))
    return np.moveaxis(np.tensordot(values, matrix, (axis, 0)), -1, axis)


@given(
    st.integers(3, 11),
    st.integers(1, 3),
    st.floats(0, 1),
    st.booleans(),
    st.integers(0, 31),
)
def test_interpolation_is_a_sum_of_hats(size, taps, share, wrap, seed):
    values = np.random.default_rng(seed).normal(size=(2, size, 3))
    start = np.float64(share * (size if wrap else size - taps))
    found = ops.convert_to_numpy(interpolated(values, start, taps, 1, wrap=wrap))
    assert np.allclose(found, hat(values, start, taps, 1, wrap), atol=1e-12)


def test_the_derivative_by_the_start_is_the_difference_of_neighbours():
    start = tf.Variable(1.25, dtype=tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        y = interpolated(
            tf.constant([1.0, 3, 7, 4], tf.float64), tf.convert_to_tensor(start), 2, 0
        )
        one, other = y[0], y[1]
    assert y.numpy().tolist() == [4, 6.25]
    assert [float(tape.gradient(each, start)) for each in (one, other)] == [4, -3]


def test_half_of_a_channel_and_half_of_the_next_one_are_mixed():
    """The released code's copy a E + (1 - a) roll(E, -1) with a = 0.75."""
    values = np.array([1.0, 2, 3, 4])
    found = interpolated(values, np.float64(0.25), 4, 0, wrap=True)
    assert ops.convert_to_numpy(found).tolist() == [1.25, 2.25, 3.25, 3.25]


def learned_oracle(how, epitome, starts):
    """The kernel entry by entry."""
    kernel = np.empty(how.kernel)
    window, (i, o) = len(how.kernel) - 2, how.epitome[-2:]
    for place in itertools.product(*map(range, how.kernel)):
        *at, read, made = place
        start = starts[made // o, read // i]
        at = [*at, read % i, made % o]
        value = epitome
        for axis in range(len(at)):
            wrap = axis >= window
            value = hat(value, start[axis] + at[axis], 1, 0, wrap)[0]
        kernel[place] = value
    return kernel


@pytest.mark.parametrize(
    "kernel, epitome",
    [((3, 2, 7, 5), (4, 2, 3, 2)), ((3, 5, 7), (5, 5, 3)), ((5, 7), (2, 3))],
)
def test_learned_kernels_are_put_together_of_blocks(kernel, epitome, rng):
    how = sampling_of("learned", kernel, epitome=epitome)
    values = rng.normal(size=epitome)
    starts = rng.uniform(size=how.starts) * how.ranges
    found = ops.convert_to_numpy(how.made(values, starts))
    assert np.allclose(found, learned_oracle(how, values, starts), atol=1e-12)
    pairs = zip(kernel[-2:], epitome[-2:], strict=True)
    blocks = math.prod(-(-n // m) for n, m in pairs)
    assert how.params == math.prod(epitome) + len(kernel) * blocks


@pytest.mark.parametrize("kernel", [(3, 3, 5, 7), (3, 5, 7), (5, 7)])
def test_an_epitome_as_large_as_the_kernel_is_the_kernel(kernel, rng):
    values = rng.normal(size=kernel)
    learned = sampling_of("learned", kernel, epitome=kernel)
    whole = np.zeros(learned.starts)
    assert np.array_equal(ops.convert_to_numpy(learned.made(values, whole)), values)
    shifted = np.broadcast_to([0.0] * (len(kernel) - 2) + [2.0, 3.0], learned.starts)
    rolled = np.roll(values, (-2, -3), (-2, -1))
    assert np.array_equal(ops.convert_to_numpy(learned.made(values, shifted)), rolled)
    wrapped = sampling_of("wrapped", kernel, epitome=kernel)
    assert np.array_equal(ops.convert_to_numpy(wrapped.made(values)), values)


@pytest.mark.parametrize("epitome", [(3, 3, 3, 2), (3, 3, 7, 5), (3, 3, 5, 11)])
def test_a_tiled_kernel_is_a_summed_input_and_a_tiled_output(epitome, rng):
    how = sampling_of("wrapped", (3, 3, 7, 11), epitome=epitome)
    values, x = rng.normal(size=epitome), rng.normal(size=(2, 6, 5, 7))
    kernel = how.made(values)
    assert np.array_equal(
        ops.convert_to_numpy(kernel),
        values[..., np.arange(7) % epitome[2], :][..., np.arange(11) % epitome[3]],
    )
    few = ops.conv(folded(ops.convert_to_tensor(x), epitome[2]), values)
    found = ops.convert_to_numpy(repeated(few, 11))
    expected = ops.convert_to_numpy(ops.conv(x, kernel))
    assert np.abs(found - expected).max() < 1e-12
    assert how.multiply_adds == math.prod(epitome)


def test_filters_of_wsnet_are_parts_of_one_array(rng):
    how = sampling_of("fixed", (3, 8, 4), stride=1, repeat=2)
    assert (how.params, math.prod(how.kernel)) == (24, 96)
    e = rng.normal(size=how.epitome)
    kernel = ops.convert_to_numpy(how.made(e))
    for f, c in itertools.product(range(4), range(8)):
        assert np.array_equal(kernel[:, c, f], e[f : f + 3, c % 4])


WINDOWS = st.sampled_from([(3, 2), (3,), ()])


@given(WINDOWS, st.sampled_from([1, 2, 3, 6]), st.integers(2, 7))
def test_parameters_of_fixed_sampling(window, repeat, filters):
    """(L + (N - 1) S) M / C, and for a dense layer M / C + (N - 1) S."""
    read, stride = 6, 1 if not window and repeat == 6 else 1 + (repeat == 1)
    how = sampling_of("fixed", (*window, read, filters), stride=stride, repeat=repeat)
    each = read // repeat
    if window:
        rest = math.prod(window[1:])
        assert how.params == (window[0] + (filters - 1) * stride) * rest * each
    else:
        assert how.params == each + (filters - 1) * stride
    values = np.arange(how.params, dtype=float).reshape(how.epitome)
    kernel = ops.convert_to_numpy(how.made(values))
    assert kernel.shape == how.kernel
    assert set(kernel.ravel()) == set(values.ravel())  # Every entry is used.


def test_starts_begin_apart_and_off_whole_numbers():
    how = sampling_of("learned", (3, 3, 64, 96), epitome=(5, 3, 32, 24))
    raw = ops.convert_to_tensor(how.first_starts().astype("float32"))
    starts = ops.convert_to_numpy(how.positions(raw))
    assert starts.shape == (4, 2, 4)
    assert np.all(starts[..., 1] == 0)  # The window is as wide as the kernel's.
    read, made = starts[..., 2].ravel(), starts[..., 3].ravel()
    assert np.all(np.diff(read) > 0) and np.all(np.diff(made) > 0)
    for along, size in ((read, 32), (made, 24)):
        evenly = size * (np.arange(8) + 0.5) / 8
        assert np.abs(along - evenly).max() < 0.6
        assert np.allclose(along % 1, 1 / 64, atol=1e-4)


def test_a_step_of_sgd_moves_theta_as_at_ten_times_the_rate(rng):
    """theta = sqrt(10) raw, so d theta = sqrt(10) d raw = -rate 10 dL/dtheta."""
    how = sampling_of("learned", (1, 1, 5, 7), epitome=(1, 1, 5, 7))
    theta = rng.normal(size=how.starts)
    raw = tf.Variable(theta / math.sqrt(FASTER))

    def loss(starts):
        return tf.reduce_sum(tf.sin(starts))

    with tf.GradientTape() as tape:
        value = loss(how.positions(tf.convert_to_tensor(raw)))
    step = -0.1 * tape.gradient(value, raw)
    one = tf.Variable(theta)
    with tf.GradientTape() as tape:
        value = loss(tf.sigmoid(one) * np.array(how.ranges, float))
    slope = tape.gradient(value, one)
    assert np.allclose(math.sqrt(FASTER) * step, -0.1 * FASTER * slope, atol=1e-12)


@pytest.mark.parametrize(
    "kind, options, told",
    [
        ("tiled", {}, "one of wrapped, learned, fixed; got 'tiled'"),
        ("learned", {}, r"\(height, width, channels read, channels made\)"),
        ("learned", {"epitome": (3, 5, 7)}, "for a kernel of"),
        ("learned", {"epitome": (2, 3, 5, 7)}, "window of at least"),
        ("learned", {"epitome": (3, 3, 8, 7)}, "at most"),
        ("learned", {"epitome": (3, 3, 0, 7)}, "at most"),
        ("learned", {"epitome": (3, 3, 5, 7), "stride": 1}, "alone"),
        ("wrapped", {"epitome": (4, 3, 5, 7)}, "window is the kernel's"),
        ("fixed", {"epitome": (3, 3, 5, 7)}, "Leave it out"),
        ("fixed", {"repeat": 4}, "repeat divides"),
        ("fixed", {"stride": 4}, "from 1 to the 3 entries"),
        ("fixed", {"stride": 0}, "stride is a whole number of at least 1; got 0"),
        ("fixed", {"repeat": 0}, "repeat is a whole number of at least 1; got 0"),
        ("fixed", {"repeat": -2}, "repeat is a whole number of at least 1; got -2"),
    ],
)
def test_what_is_no_sampling_is_refused(kind, options, told):
    with pytest.raises(InputError, match=told):
        sampling_of(kind, (3, 3, 6, 8), **options)
