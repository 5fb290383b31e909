"""The kernels of the layers that read channels."""

import numpy as np
from trained import noise_images, scored

from ns_tf.prune import signals


def test_all_readers_of_a_channel_count(handmade, randomise, rng):
    """Against the kernels' own axes of inputs, without what makes no channel."""
    network = scored(randomise(handmade["residual"]()), noise_images(rng))
    found = signals.get("reading_kernel").scores(
        lambda kernel: np.abs(kernel).sum(axis=(*range(kernel.ndim - 2), -1)),
        signals.Reading(network, 0),
    )
    expected = np.zeros(len(found))
    for (layer, name), axes in network.graph.axes.items():
        if name == "kernel":
            kernel = np.abs(np.array(network.model.get_layer(layer).kernel))
            for place, channel in enumerate(axes[-2] if axes[-2] is not None else ()):
                if channel >= 0:
                    expected[channel] += kernel[..., place, :].sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (found[network.wanted] > 0).all()
