"""Architecture descent (algorithm 4): prune, fit, scale, and once more."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ns_tf.base import (
    DescentState,
    InputError,
    PruneTrace,
    RunError,
    Scaling,
    ScalingLaw,
    Widths,
)
from ns_tf.data.dataset import Dataset
from ns_tf.engine.execution import Execution
from ns_tf.networks.structure import Structure
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import prune_trace
from ns_tf.run.progress import Quiet
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.law import MIN_ROWS, fit_law
from ns_tf.scaling.solve import at_cost


def architecture_descent(
    structure: Structure,
    widths: Sequence[int],
    dataset: Dataset,
    config: PruneConfig,
    *,
    iterations: int,
    tolerance: int = 0,
    seed: int = 0,
    execution: Execution | None = None,
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
        execution: Devices and precision; one device and float32 if None.
        progress: Shows how far it has come (`ns_tf.progress`).
        checkpoint: Iteration -> where its pruning is saved.
        done: The states that earlier runs ended with.

    Raises:
        RunError: the loss is not finite, too few removals were recorded to fit a law
            to, or the law comes nowhere to the seed's size.
    """
    target = float(structure.params(np.array(widths)))
    states = list(done)
    while len(states) < iterations and not settled(states, tolerance):
        start = time.monotonic()
        iteration = len(states) + 1
        now: Widths = states[-1].scaling.widths if states else tuple(widths)
        trace = prune_trace(
            structure,
            now,
            dataset,
            config,
            seed=_seed(seed, iteration),
            execution=execution,
            progress=progress,
            checkpoint=checkpoint(iteration) if checkpoint else None,
            label=f"iteration {iteration}/{iterations}",
        )
        found = _fit(trace)
        scaled = _scale(found, structure, target)
        seconds = time.monotonic() - start
        states.append(DescentState(iteration, now, found, trace, scaled, seconds))
        yield states[-1]


def check(widths: Sequence[int], config: PruneConfig) -> None:
    """Refuses settings that cannot leave enough rows to fit a law to.

    Raises:
        InputError: naming the settings.
    """
    end = config.stop_at(widths)
    events = math.ceil((sum(widths) - end) / config.filters_per_event)
    if events < MIN_ROWS:
        raise InputError(
            f"A law needs at least {MIN_ROWS} removals; {sum(widths)} filters, "
            f"{config.filters_per_event} at a time down to {end}, make "
            f"{max(0, events)}. Give a smaller --filters_per_event, --stop_fraction or "
            "--prune_min_width, or a wider network."
        )


def _fit(trace: PruneTrace) -> ScalingLaw:
    """The law of a trace; too short a trace is a failure of the run, by now."""
    try:
        return fit_law(trace)
    except InputError as error:
        raise RunError(str(error)) from error


def _scale(found: ScalingLaw, structure: Structure, target: float) -> Scaling:
    """The next iteration's network; a law that never gets there is a failure too."""
    try:
        return at_cost(
            power_law(found), {"params": structure.params}, {"params": target}
        )
    except InputError as error:
        raise RunError(str(error)) from error


def settled(states: Sequence[DescentState], tolerance: int) -> bool:
    """Whether the last iteration moved no width by more than `tolerance` filters."""
    if not states:
        return False
    moved = np.subtract(states[-1].scaling.widths, states[-1].widths)
    return bool(np.abs(moved).max() <= tolerance)


def _seed(seed: int, iteration: int) -> int:
    """A seed of the iteration's own."""
    return int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0])
