"""Uniform noise in [0, 1), drawn by seed and event."""

import numpy as np

from ns_tf.prune.signals import signal


@signal("noise", shape="[channels]")
def noise(formula, reading):
    """Scores of noise, [n]: the same for the same seed and event."""
    generator = np.random.default_rng([reading.seed, reading.event])
    return formula(generator.random(len(reading.network.alive)))
