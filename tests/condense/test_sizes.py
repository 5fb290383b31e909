"""Epitomes within a share of a kernel's parameters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.condense.sizes import LEAST_SHARE, by_stride, settings_of
from ns_tf.networks.layers.sampling import SAMPLINGS, sampling_of

SIZES = st.integers(2, 24)


@given(
    st.sampled_from(SAMPLINGS),
    st.sampled_from([(), (3,), (3, 5)]),
    st.tuples(SIZES, SIZES),
    st.floats(LEAST_SHARE, 1),
)
def test_an_epitome_is_smaller_than_its_kernel_and_grows_with_the_share(
    kind, window, channels, share
):
    kernel = (*window, *channels)
    found = settings_of(kind, kernel, share)
    if found is None:
        return
    options = {name: one for name, one in found.items() if name != "sampling"}
    sampling = sampling_of(found["sampling"], kernel, **options)
    assert sampling.params < math.prod(kernel)
    if kind == "wrapped" and min(sampling.epitome[-2:]) > 1:
        assert sampling.params <= share * math.prod(kernel)


@pytest.mark.parametrize("kernel", [(3, 8, 16), (3, 3, 6, 10), (12, 10)])
def test_stride_and_repeat_are_the_largest_within_the_share(kernel):
    """Against all pairs, by the formula of the paper."""
    *window, read, filters = kernel
    for share in (0.2, 0.4, 0.8):
        sizes = []
        for repeat in (n for n in range(1, read + 1) if read % n == 0):
            first = window[0] if window else read // repeat
            rest = math.prod(window[1:]) * (read // repeat if window else 1)
            sizes += [(first + (filters - 1) * s) * rest for s in range(1, first + 1)]
        most = [n for n in sizes if n <= share * math.prod(kernel)]
        found = sampling_of("fixed", kernel, **by_stride(kernel, share)).params
        assert found == (max(most) if most else min(sizes))


def test_no_more_blocks_than_the_least_share_has():
    found = settings_of("learned", (1, 1, 256, 256), 1e-9)
    assert found["epitome"] == (1, 1, 32, 32)


def test_a_kernel_that_is_too_small_stays():
    assert settings_of("learned", (1, 1, 2, 3), 0.9) is None
    assert settings_of("wrapped", (3, 3, 1, 1), 0.5) is None
