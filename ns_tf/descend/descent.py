"""Architecture descent (algorithm 4): prune, fit, scale, and once more.

An iteration prunes the network of the last one (algorithm 1), fits a law to the trace
(algorithm 2), and scales along it to the seed network's parameters (algorithm 3).
"""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence

import keras
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
from ns_tf.engine.runtime import Runtime
from ns_tf.networks.structure import Structure
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import least_widths, prune_trace
from ns_tf.run.folder import CHECKPOINTS, PRUNING
from ns_tf.scaling.bounds import Bounds
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.grid import grid_of
from ns_tf.scaling.law import MIN_ROWS, fit_by_layer, fit_law
from ns_tf.scaling.solve import at_cost


def architecture_descent(
    problem: Problem,
    widths: Sequence[int],
    config: PruneConfig,
    runtime: Runtime | None = None,
    *,
    iterations: int = 1,
    tolerance: int = 0,
    done: Sequence[DescentState] = (),
    bounds: Bounds | None = None,
    start: keras.Model | None = None,
) -> Iterator[DescentState]:
    """The states of the iterations, each as it ends; nothing is written.

    Args:
        problem: The architecture, and the data whose training images are used.
        widths: Of the seed network [layers]; no iteration exceeds its parameters.
        config: Algorithm 1's numbers.
        runtime: Seed, devices, progress, checkpoints; the default if None. Every
            iteration derives a seed of its own from the runtime's.
        iterations: How many there are, with those of `done`.
        tolerance: Ends when no width moved by more than this many filters.
        done: The states of earlier runs, from iteration 1 on; they are not repeated.
        bounds: What a user wishes for single layers. They hold for the networks that
            iterations begin with; pruning keeps the least widths and the ties.
        start: A trained network of these widths, with whose weights the first iteration
            begins; later ones, which have other widths, begin with fresh weights. All
            do if None.

    Yields:
        A state an iteration: widths, trace, law, and the next iteration's widths.

    Raises:
        RunError: the loss is not finite, no removal was recorded, or the law does not
            reach the seed's size.
        Interrupted: a signal asked to stop.
    """
    runtime = runtime or Runtime()
    target = float(problem.structure.params(np.array(widths)))
    states = list(done)
    while len(states) < iterations and not settled(states, tolerance):
        iteration = len(states) + 1
        now: Widths = states[-1].scaling.widths if states else tuple(widths)
        trace = prune_trace(
            problem,
            now,
            config,
            runtime.seeded(_seed(runtime.seed, iteration)),
            label=f"iteration {iteration}/{iterations}",
            checkpoint=checkpoint_of(iteration),
            bounds=bounds,
            start=None if states else start,
        )
        begun = time.monotonic()
        law, trace = _fit(trace, now, problem.structure)
        scaling = _scale(law, problem.structure, target, bounds)
        seconds = trace.seconds + time.monotonic() - begun
        states.append(DescentState(iteration, now, law, trace, scaling, seconds))
        yield states[-1]


def checkpoint_of(iteration: int) -> str:
    """The checkpoint of an iteration's pruning, as a path below the search's folder.

    >>> checkpoint_of(3)
    'checkpoints/prune_03.npz'
    """
    return f"{CHECKPOINTS}/{PRUNING.format(iteration)}"


def seed_widths(widths: Widths, bounds: Bounds) -> Widths:
    """The widths that a search starts from: the nearest on which all wishes hold.

    >>> from ns_tf.scaling.bounds import Bound
    >>> wish = Bound("--multiple_of=a:8", places=(0,), step=8)
    >>> seed_widths((13, 13), Bounds(("a", "b"), (13, 13), (wish,)))
    (16, 13)

    Args:
        widths: That were asked for, [layers].
        bounds: The wishes.

    Raises:
        InputError: wishes that no width meets.
    """
    if not bounds:
        return widths
    nearest = grid_of(bounds=bounds).nearest(np.array(widths))
    return tuple(int(width) for width in nearest)


def check(
    widths: Sequence[int], config: PruneConfig, bounds: Bounds | None = None
) -> None:
    """Refuses settings that record too few removals to fit a law to.

    Args:
        widths: Of the seed network [layers].
        config: Algorithm 1's numbers.
        bounds: What a user wishes for single layers.

    Raises:
        InputError: fewer than `ns_tf.scaling.law.MIN_ROWS` removals; names the flags.
    """
    end = config.stop_at(widths, least_widths(widths, config, bounds))
    events = math.ceil((sum(widths) - end) / config.filters_per_event)
    if events < MIN_ROWS:
        raise InputError(
            f"A law needs at least {MIN_ROWS} removals; {sum(widths)} filters, "
            f"{config.filters_per_event} at a time down to {end}, make "
            f"{max(0, events)}. Give a smaller --filters_per_event, --stop_fraction or "
            "--prune_min_width, a wider network, or fewer wishes."
        )


def _fit(
    trace: PruneTrace, start: Widths, structure: Structure
) -> tuple[ScalingLaw, PruneTrace]:
    """The law of a pruning, and the rows that it is fitted to.

    They are the paper's (algorithm 2) where there are enough of them. Else every event
    is a row, and each layer is fitted to its own: a finished pruning always has a law.

    Args:
        trace: Of the pruning.
        start: Widths before it.
        structure: Counts parameters.

    Raises:
        RunError: nothing can be fitted; that is no fault of the input any more.
    """
    try:
        if len(trace.tau) >= MIN_ROWS:
            return fit_law(trace), trace
        whole = dataclasses.replace(
            trace, widths=trace.history, tau=structure.params(trace.history)
        )
        return fit_by_layer(whole, start), whole
    except InputError as error:
        raise RunError(str(error)) from error


def _scale(
    law: ScalingLaw, structure: Structure, target: float, bounds: Bounds | None
) -> Scaling:
    """The next iteration's widths: on the law, at most the target's parameters.

    Raises:
        RunError: the law does not reach the target.
    """
    try:
        costs, targets = {"params": structure.params}, {"params": target}
        return at_cost(power_law(law), costs, targets, bounds=bounds)
    except InputError as error:
        raise RunError(str(error)) from error


def settled(states: Sequence[DescentState], tolerance: int) -> bool:
    """Whether the last iteration moved no width by more than `tolerance` filters.

    Args:
        states: Of the iterations; none have not settled.
        tolerance: In filters.
    """
    if not states:
        return False
    moved = np.subtract(states[-1].scaling.widths, states[-1].widths)
    return bool(np.abs(moved).max() <= tolerance)


def _seed(seed: int, iteration: int) -> int:
    """The seed of an iteration, derived from the search's.

    >>> _seed(0, 1) != _seed(0, 2) != _seed(1, 2)
    True
    """
    return int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0])
