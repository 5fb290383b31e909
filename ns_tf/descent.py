"""Architecture descent (algorithm 4): prune, fit, scale, and once more."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ns_tf import law, pipeline, scaling
from ns_tf.base import DescentState, Widths
from ns_tf.configs import PruneConfig
from ns_tf.progress import Quiet
from ns_tf.pruning import prune
from ns_tf.structure import Structure


def architecture_descent(
    structure: Structure,
    widths: Sequence[int],
    dataset: pipeline.Dataset,
    config: PruneConfig,
    *,
    iterations: int,
    tolerance: int = 0,
    seed: int = 0,
    strategy=None,
    progress: type = Quiet,
    checkpoint: Callable[[int], Any] | None = None,
    done: Sequence[DescentState] = (),
) -> Iterator[DescentState]:
    """The states of the iterations, one by one; keeps and writes nothing itself.

    Args:
        structure: The architecture.
        widths: Of the seed network, whose parameters every iteration keeps to.
        dataset: Its training images are used, nothing else.
        config: Algorithm 1's numbers.
        iterations: How many there are, those done included.
        tolerance: Ends when no width moved by more than this many filters.
        seed: Of everything random; each iteration draws its own from it.
        strategy: A `tf.distribute` strategy; none for one device.
        progress: Shows how far it has come (`ns_tf.progress`).
        checkpoint: Iteration -> where its pruning is saved.
        done: The states that earlier runs ended with.

    Raises:
        RunError: the loss is not finite.
        InputError: too few events to fit a law to.
    """
    target = float(structure.params(np.array(widths)))
    states = list(done)
    while len(states) < iterations and not settled(states, tolerance):
        start = time.monotonic()
        iteration = len(states) + 1
        now: Widths = states[-1].scaling.widths if states else tuple(widths)
        trace = prune(
            structure,
            now,
            dataset,
            config,
            seed=_seed(seed, iteration),
            strategy=strategy,
            progress=progress,
            checkpoint=checkpoint(iteration) if checkpoint else None,
            label=f"iteration {iteration}/{iterations}",
        )
        found = law.fit(trace)
        scaled = scaling.at_cost(
            scaling.power_law(found), {"params": structure.params}, {"params": target}
        )
        seconds = time.monotonic() - start
        states.append(DescentState(iteration, now, found, trace, scaled, seconds))
        yield states[-1]


def settled(states: Sequence[DescentState], tolerance: int) -> bool:
    """Whether the last iteration moved no width by more than `tolerance` filters."""
    if not states:
        return False
    moved = np.subtract(states[-1].scaling.widths, states[-1].widths)
    return bool(np.abs(moved).max() <= tolerance)


def _seed(seed: int, iteration: int) -> int:
    """A seed of the iteration's own."""
    return int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0])
