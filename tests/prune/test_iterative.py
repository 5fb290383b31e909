"""Algorithm 1 as a whole: what it records and where it ends."""

import numpy as np
import pytest
from small import QUICK, chain, problem, replaced, residual

from ns_tf.base import RunError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.networks.structure import count_params, shapes_only
from ns_tf.prune.iterative import Pruning, prune_trace
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes


def test_it_begins_with_the_weights_of_a_network_that_is_given():
    work = problem(chain, (7, 5))
    given = work.build((7, 5))
    before = given.get_weights()
    for start, equal in ((given, True), (None, False)):
        pruning = Pruning(work, (7, 5), QUICK, Runtime(seed=3), start=start)
        found = weights.values(pruning.network.model)
        pairs = [(found[key], value) for key, value in weights.values(given).items()]
        assert all(np.array_equal(*pair) for pair in pairs) is equal
        next_batch = next(iter(pruning.batches()))
        pruning.step(*next_batch)
    for one, other in zip(before, given.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def search():
    """(a search that is done, rows by hand: each event, before and after the removal).

    A row has the lowest scores by layer, the highest that went, and the mean loss.
    """
    run = Pruning(problem(chain, (13, 11, 17)), (13, 11, 17), QUICK, Runtime())
    rows, losses, train, close = [], [], run.network.train, run.network.close
    whole = []

    def closing(chosen):
        alive = run.network.alive.copy()
        scores = run._score()
        whole.append(scores)
        close(chosen)
        left = alive.copy()
        left[chosen] = False
        lowest = [scores[c[left[c]]].min() for c in run.prunable.widths]
        removed = max(scores[c] for c in chosen if c in np.concatenate(filters))
        rows.append([*lowest, removed, np.mean(losses[-QUICK.steps_per_event :])])

    def training(*batch):
        losses.append(float(train(*batch)))
        return losses[-1]

    filters = run.prunable.widths
    run.network.close, run.network.train = closing, training
    for batch in run.batches():
        if run.finished:
            break
        run.step(*batch)
    return run, rows, whole[0]


def test_the_trace_begins_when_every_layer_has_lost_a_filter_and_tau_is_built(search):
    run, _, _ = search
    work, trace = run.problem, run.trace()
    lost = (trace.history < [13, 11, 17]).all(axis=1)
    assert 0 < len(trace.widths) <= len(trace.history)
    np.testing.assert_array_equal(trace.widths, trace.history[lost])
    for widths, tau in zip(trace.widths[::4], trace.tau[::4], strict=True):
        built = shapes_only(work.build, [int(w) for w in widths])
        assert count_params(built) == tau
    assert trace.names == work.structure.names


@pytest.mark.slow
@pytest.mark.parametrize("minimum", [1, 3])
def test_layers_stop_at_the_minimum_and_the_rest_goes_on(minimum):
    work = problem(chain, (7, 3, 17))
    config = replaced(QUICK, prune_min_width=minimum, stop_fraction=0.0)
    trace = prune_trace(work, (7, 3, 17), config)
    assert trace.history[-1].tolist() == [minimum] * 3
    steps = -np.diff(trace.history.sum(axis=1))
    assert (steps[:-1] == 3).all()


@pytest.mark.slow
def test_the_paper_stops_where_a_layer_would_lose_its_last_filter():
    work = problem(chain, (7, 3, 17))
    config = replaced(QUICK, at_min_width="stop", stop_fraction=0.0)
    trace = prune_trace(work, (7, 3, 17), config)
    assert (trace.history >= 1).all()
    assert trace.history[-1].sum() > 3


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.2, 0.83])
def test_pruning_stops_at_the_fraction_and_not_below(fraction):
    work = problem(chain, (13, 11, 17))
    config = replaced(QUICK, stop_fraction=fraction)
    trace = prune_trace(work, (13, 11, 17), config)
    assert trace.history[-1].sum() == np.ceil(fraction * 41)


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_other_criteria_prune_too_and_a_layer_criterion_thins_alike(criterion):
    work = problem(chain, (20, 10, 40))
    config = replaced(QUICK, criterion=criterion, stop_fraction=0.5)
    trace = prune_trace(work, (20, 10, 40), config)
    shares = trace.history[-1] / [20, 10, 40]
    assert trace.history[-1].sum() == 35
    if criterion == "magnitude":
        assert np.ptp(shares) <= 0.1


def test_a_loss_that_is_not_finite_names_the_step():
    work = problem(chain, (7, 5, 11))
    config = replaced(QUICK, pretrain_rate=1e30, pretrain_epochs=3)
    with pytest.raises(RunError, match=r"loss is (nan|inf) at training step \d+"):
        prune_trace(work, (7, 5, 11), config)


def test_the_steps_foretold_are_those_that_are_taken(search):
    run, _, _ = search
    assert run.steps == QUICK.steps((13, 11, 17), run.epoch)


def test_scores_of_an_event_are_those_that_it_chose_by(search):
    run, rows, _ = search
    scores = run.trace().scores
    recorded = np.column_stack([scores.lowest, scores.removed, scores.loss])
    assert len(recorded) == len(run.trace().history) == len(rows)
    np.testing.assert_allclose(recorded, rows, rtol=1e-12)
    spared = run.trace().history == QUICK.prune_min_width  # Whatever their scores.
    assert ((scores.lowest >= scores.removed[:, None]) | spared).all()


def test_scores_of_all_filters_are_those_of_the_first_event(search):
    run, _, scores = search
    whole = run.trace().whole
    assert whole.sets.tolist() == [0, 1, 2]
    for own, numbers in zip(whole.scores, run.prunable.widths, strict=True):
        np.testing.assert_array_equal(own, np.sort(scores[numbers])[::-1])
    again = Pruning(run.problem, (13, 11, 17), QUICK, Runtime())
    again.restore(*run.state())
    for own, other in zip(again.trace().whole.scores, whole.scores, strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_filter_of_layers_that_an_identity_joins_is_worth_what_both_ends_are(rng):
    run = Pruning(problem(residual, (11, 7, 11)), (11, 7, 11), QUICK, Runtime())
    scores = rng.random(len(run.network.alive))
    stem, inner, conv2 = (scores[own] for own in run.prunable.widths)
    whole = run._whole(scores)
    assert whole.sets.tolist() == [0, 1, 0]
    for own, expected in zip(whole.scores, (stem + conv2, inner), strict=True):
        np.testing.assert_allclose(own, np.sort(expected)[::-1])


def test_scores_that_do_not_compare_layers_are_not_kept():
    work = problem(chain, (13, 11, 17))
    run = Pruning(work, (13, 11, 17), replaced(QUICK, criterion="magnitude"), Runtime())
    assert run._whole(np.ones(41)) is None


def test_a_checkpoint_without_scores_goes_on_and_leaves_them_unknown():
    """As an earlier version wrote it."""
    work = problem(chain, (13, 11, 17))
    first = Pruning(work, (13, 11, 17), QUICK, Runtime())
    batches = iter(first.batches())
    while first.events < 3:
        first.step(*next(batches))
    arrays, facts = first.state()
    del arrays["event_scores"], arrays["whole"], facts["loss"], facts["since"]
    second = Pruning(work, (13, 11, 17), QUICK, Runtime())
    second.restore(arrays, facts)
    for batch in second.batches():
        if second.events == 5:
            break
        second.step(*batch)
    removed = second.trace().scores.removed
    assert second.trace().whole is None
    assert np.isnan(removed[:3]).all() and np.isfinite(removed[3:]).all()


def test_seconds_are_those_of_all_processes():
    work = problem(chain, (13, 11, 17))
    first = Pruning(work, (13, 11, 17), QUICK, Runtime())
    arrays, facts = first.state()
    second = Pruning(work, (13, 11, 17), QUICK, Runtime())
    second.restore(arrays, {**facts, "seconds": 3600.0})
    second.batches()
    assert 3600 <= second.trace().seconds < 3700


def test_wishes_hold_in_every_event():
    """The first is kept, the others have one width of 5 filters at least."""
    work = problem(chain, (7, 11, 11))
    wishes = Wishes("conv1", ["conv2:conv3"], {"conv2": (5, None)})
    bounds = bounds_of(wishes, work.structure.layers, (7, 11, 11))
    config = replaced(QUICK, stop_fraction=0.0)
    history = prune_trace(work, (7, 11, 11), config, bounds=bounds).history
    assert (history[:, 0] == 7).all()
    np.testing.assert_array_equal(history[:, 1], history[:, 2])
    assert history[-1].tolist() == [7, 5, 5]
