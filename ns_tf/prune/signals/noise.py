"""Uniform noise in [0, 1), drawn by seed and event."""

from collections.abc import Callable

import numpy as np

from ns_tf.prune.signals import Reading, signal


@signal("noise", shape="[channels]")
def noise(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores of uniform noise in [0, 1), [n].

    Args:
        formula: Noise [n] -> scores [n].
        reading: Its seed and event decide the noise, so a continued run draws the same.
    """
    generator = np.random.default_rng([reading.seed, reading.event])
    return formula(generator.random(len(reading.network.alive)))
