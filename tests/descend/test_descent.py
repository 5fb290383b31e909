"""Algorithm 4 with made-up prunings: whose widths, which seed, when it ends."""

import dataclasses
import types

import numpy as np
import pytest
from toys import DEFAULT, NAMES, params

from ns_tf.base import DescentState, InputError, PruneTrace, RunError, Scaling
from ns_tf.descend import descent
from ns_tf.descend.descent import (
    architecture_descent,
    check,
    checkpoint_of,
    settled,
)
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.config import PruneConfig

BETA = np.array([0.3, 0.5, 0.7])
GOAL = np.array([7, 23, 29])  # Where made-up prunings pull the widths to.


def cost(widths):
    """Parameters of the made-up network, for widths [..., layers] too."""
    if not np.size(widths):  # Which apply_along_axis refuses.
        return np.zeros(np.shape(widths)[:-1])
    return np.apply_along_axis(params, -1, np.asarray(widths))


PROBLEM = types.SimpleNamespace(structure=types.SimpleNamespace(params=cost))


def start_of(widths):
    """Where the law of a made-up pruning passes, at the size of these widths."""
    return GOAL**0.3 * np.asarray(widths) ** 0.7


def trace_of(widths, rows=11):
    """Pruning by the law start * (tau / tau of the widths) ** BETA."""
    tau = np.geomspace(cost(widths), cost(widths) / 9, rows)
    share = (tau / tau[0])[:, None] ** BETA
    return PruneTrace(start_of(widths) * share, tau, NAMES, np.zeros((rows, 3)))


@pytest.fixture
def pruned(monkeypatch):
    """Prunes by `trace_of`; the calls."""
    calls = []

    def prune_trace(
        problem, widths, config, runtime, *, label, checkpoint, bounds, start
    ):
        calls.append(types.SimpleNamespace(**locals()))
        return trace_of(widths)

    monkeypatch.setattr(descent, "prune_trace", prune_trace)
    return calls


def descend(**options):
    return list(architecture_descent(PROBLEM, DEFAULT, PruneConfig(), **options))


def test_an_iteration_fits_the_law_that_made_its_trace(pruned):
    (state,) = descend()
    np.testing.assert_allclose(state.law.beta, BETA, rtol=1e-9)
    np.testing.assert_allclose(
        state.law.alpha, start_of(DEFAULT) / float(cost(DEFAULT)) ** BETA, rtol=1e-9
    )
    assert state.iteration == 1 and state.widths == DEFAULT and state.seconds >= 0


def test_every_iteration_prunes_the_widths_of_the_last_and_keeps_to_the_seeds_size(
    pruned,
):
    states = descend(iterations=4)
    assert [state.iteration for state in states] == [1, 2, 3, 4]
    assert [call.widths for call in pruned] == [state.widths for state in states]
    for before, after in zip(states, states[1:], strict=False):
        assert after.widths == before.scaling.widths
    for state in states:
        assert params(state.scaling.widths) <= params(DEFAULT)
        for layer in range(3):  # And nothing more fits.
            grown = list(state.scaling.widths)
            grown[layer] += 1
            assert params(grown) > params(DEFAULT)


def test_iterations_have_seeds_and_checkpoints_of_their_own(pruned):
    for seed in (0, 7):
        descend(iterations=3, runtime=Runtime(seed=seed))
    seeds = [call.runtime.seed for call in pruned]
    assert len(set(seeds)) == 6
    names = [call.checkpoint for call in pruned]
    assert names[:3] == [checkpoint_of(i) for i in (1, 2, 3)] == names[3:]
    assert pruned[1].label == "iteration 2/3"


def test_iterations_that_are_done_are_not_done_again(pruned):
    states = descend(iterations=3)
    first = pruned.copy()
    pruned.clear()
    rest = descend(iterations=3, done=states[:1])
    assert [state.iteration for state in rest] == [2, 3]
    assert [call.runtime.seed for call in pruned] == [
        call.runtime.seed for call in first[1:]
    ]
    assert rest[-1].scaling == states[-1].scaling
    assert descend(iterations=3, done=states) == []


def test_it_ends_when_no_width_moves_by_more_than_the_tolerance(pruned):
    assert len(descend(iterations=9, tolerance=10**6)) == 1
    states = descend(iterations=9, tolerance=1)
    moved = [np.abs(np.subtract(s.scaling.widths, s.widths)).max() for s in states]
    assert moved[-1] <= 1 and (len(moved) == 1 or min(moved[:-1]) > 1)


@pytest.mark.parametrize(
    "before, after, tolerance, expected",
    [
        ((3, 5), (3, 5), 0, True),
        ((3, 5), (3, 6), 0, False),
        ((3, 5), (1, 7), 2, True),
        ((3, 5), (0, 5), 2, False),
    ],
)
def test_settled_counts_the_layer_that_moved_most(before, after, tolerance, expected):
    state = DescentState(1, before, None, None, Scaling(after, 1.0, {}, {}), 0.0)
    assert settled([state], tolerance) is expected
    assert not settled([], tolerance)


def short(problem, widths, *_, **__):
    """A pruning whose last layer never lost a filter, so that the trace is empty."""
    history = np.round(trace_of(widths).widths).astype(int)
    history = np.minimum(history, np.array(widths) - 1)
    history[:, -1] = widths[-1]
    return PruneTrace(np.zeros((0, 3), int), np.zeros(0), NAMES, history)


def test_a_finished_pruning_has_a_law_where_a_layer_never_lost_a_filter(monkeypatch):
    monkeypatch.setattr(descent, "prune_trace", short)
    first, second = descend(iterations=2)
    history = short(None, DEFAULT).history
    np.testing.assert_array_equal(first.trace.widths, history)
    np.testing.assert_array_equal(first.trace.tau, cost(history))
    assert first.law.rows.tolist() == [11, 11, 0]
    assert first.scaling.widths[-1] >= DEFAULT[-1]
    assert second.widths == first.scaling.widths
    assert params(second.widths) <= params(DEFAULT)


def test_a_pruning_without_an_event_is_a_failure_of_the_run(monkeypatch):
    empty = PruneTrace(np.zeros((0, 3)), np.zeros(0), NAMES, np.zeros((0, 3)))
    monkeypatch.setattr(descent, "prune_trace", lambda *_, **__: empty)
    with pytest.raises(RunError, match="at least 1 .* has 0"):
        descend()


def test_a_law_that_never_reaches_the_seeds_size_is_a_failure_of_the_run(monkeypatch):
    def flat(problem, widths, *_, **__):
        trace = trace_of(widths)
        constant = np.repeat([np.asarray(widths) // 3], len(trace.tau), axis=0)
        return dataclasses.replace(trace, widths=constant)

    monkeypatch.setattr(descent, "prune_trace", flat)
    with pytest.raises(RunError, match="No tau meets params"):
        descend()


@pytest.mark.parametrize(
    "widths, options, enough",
    [
        (DEFAULT, {"filters_per_event": 7, "stop_fraction": 0.05}, True),
        (DEFAULT, {"filters_per_event": 10, "stop_fraction": 0.05}, False),
        ((64, 64), {"stop_fraction": 1.0}, False),
        ((64, 64), {"prune_min_width": 64}, False),
    ],
)
def test_settings_of_too_few_removals_are_refused_with_their_flags(
    widths, options, enough
):
    """49 filters, 3 of which stay: 7 removals of 7, but 5 of 10."""
    config = PruneConfig(**options)
    if enough:
        return check(widths, config)
    with pytest.raises(InputError, match="at least 6 removals.*--filters_per_event"):
        check(widths, config)
