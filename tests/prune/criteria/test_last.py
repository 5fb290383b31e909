"""The last filters of a layer go first."""

import numpy as np
from small import planted
from trained import noise_images, pruner


def test_the_first_filters_of_every_layer_are_left(rng):
    work = pruner(
        planted(rng),
        noise_images(rng, classes=2),
        method="last",
        macs=0.5,
        allocation="uniform",
    )
    scores = work.score()
    widths = work.solve(scores).widths
    keep = work.chosen(scores, widths)
    for channels, width in zip(work.prunable.widths, widths, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(keep[channels]), np.arange(width))
