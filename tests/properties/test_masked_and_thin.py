"""A masked network and the thinned one are the same network."""

import numpy as np
import pytest
from small import QUICK, chain, coloured, problem, replaced, residual

from ns_tf.engine import padding
from ns_tf.networks import architectures
from ns_tf.prune import rebuilding
from ns_tf.prune.iterative import prune_trace


def vgg11(widths, *, input_shape, classes):
    build = architectures.get("vgg11").build
    return build(widths, input_shape=input_shape, classes=classes)


# At even widths more channels are kept than are alive, so closed ones come along.
@pytest.mark.parametrize(
    ("builder", "widths", "size", "stop_fraction", "rebuild"),
    [
        pytest.param(*(chain, (13, 11, 17), 5, 0.3, "always"), marks=pytest.mark.slow),
        pytest.param(
            *(residual, (13, 11, 13), 5, 0.3, "always"), marks=pytest.mark.slow
        ),
        (residual, (13, 11, 13), 5, 0.05, "pays"),
        pytest.param(
            *(vgg11, (5, 7, 11, 13, 17, 11, 13, 7), 32, 0.28, "pays"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["chain", "residual", "residual at even widths", "vgg11 at even widths"],
)
def test_masked_and_thinned_networks_leave_the_same_trace(
    builder, widths, size, stop_fraction, rebuild, rng, float64, rebuilds, monkeypatch
):
    monkeypatch.setattr(rebuilding, "REBUILD_SECONDS", 1e-6)
    monkeypatch.setattr(padding, "MULTIPLES", ((3, 2),))
    work = problem(builder, widths, coloured(rng, (size, size, 3)))
    config = replaced(QUICK, filters_per_event=5, stop_fraction=stop_fraction)
    masked, thinned = (
        prune_trace(work, widths, replaced(config, rebuild=way))
        for way in ("never", rebuild)
    )
    assert len(rebuilds) >= 2
    assert len(masked.history) >= 5
    np.testing.assert_array_equal(masked.history, thinned.history)
    np.testing.assert_array_equal(masked.widths, thinned.widths)
    np.testing.assert_array_equal(masked.tau, thinned.tau)
