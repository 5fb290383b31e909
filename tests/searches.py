"""Searches whose traces and laws are made up, of real networks."""

import dataclasses

import numpy as np

from ns_tf.base import DescentState, PruneTrace, Scaling, ScalingLaw
from ns_tf.scores import FilterScores


def worth(widths):
    """Scores of the filters of every layer, from 2 and more down to 1 and less."""
    return FilterScores(
        np.arange(len(widths)),
        tuple(np.linspace(2 + n % 3, 0.5 + n % 2, w) for n, w in enumerate(widths)),
    )


def made_up(plain, rng, iterations=1):
    """A search that nobody did: pruned down to a third, exponents from 0.25 to 0.7.

    Args:
        plain: A `SearchRecord` without iterations.
        rng: Draws the laws.
        iterations: How many.
    """
    default = np.array(plain.default_widths)
    states = []
    for iteration in range(1, iterations + 1):
        shares = np.linspace(1, 0.3, 13)[:, None] ** rng.uniform(0.5, 1.5, len(default))
        widths = np.maximum(1, (default * shares).astype(int))
        tau = plain.costs["params"](widths)
        beta = rng.uniform(0.25, 0.7, len(default))
        alpha = default / float(tau[0]) ** beta
        low, high = float(tau.min()), float(tau.max())
        state = DescentState(
            iteration=iteration,
            widths=tuple(plain.default_widths),
            law=ScalingLaw(alpha, beta, beta, beta, (low, high)),
            trace=PruneTrace(widths, tau, plain.names, widths, whole=worth(default)),
            scaling=Scaling(tuple(plain.default_widths), high, {}, {}),
            seconds=61.0,
        )
        states.append(state)
    return dataclasses.replace(plain, states=tuple(states))
