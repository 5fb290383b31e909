"""Signals by name; a user's own signal and criterion in a search."""

import numpy as np
import pytest
from small import QUICK, chain, problem, replaced

import ns_tf
from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import signals
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.criteria import CRITERIA
from ns_tf.prune.iterative import Pruning, prune_trace
from ns_tf.prune.signals import SIGNALS


@pytest.fixture
def registries(monkeypatch):
    """What a test registers is forgotten after it."""
    for registry in (SIGNALS, CRITERIA):
        registry.names()  # All files are imported.
        monkeypatch.setattr(registry, "_members", dict(registry._members))


def test_every_file_is_a_signal_that_says_its_shape_and_when_it_is_read():
    members = {name: signals.get(name) for name in SIGNALS.names()}
    assert {n: (s.shape, s.in_step) for n, s in members.items()} == {
        "active": ("[channels]", False),
        "example_gradients": ("[images, channels]", False),
        "gamma": ("[channels]", False),
        "gate_gradient": ("[channels]", True),
        "gram": ("[channels, channels]", False),
        "kernel": ("[..., filters]", False),
        "masked_logits": ("[images, classes]", False),
        "noise": ("[channels]", False),
        "place": ("[channels]", False),
        "reading_kernel": ("[..., channels, filters]", False),
    }
    for name in members:
        assert members[name].scores.__module__ == f"ns_tf.prune.signals.{name}"


def test_a_search_has_the_signals_that_need_no_trained_network():
    own = {name for name in SIGNALS.names() if signals.in_search(name)}
    assert own == {"gate_gradient", "kernel", "noise"}
    assert signals.in_search("a_users_own")


def test_items_are_added_in_order_at_once():
    sums = np.zeros(2)

    def add(place, value):
        sums[place] += value

    signals.tally_at_once(3, lambda first: [(0, 5), (1, 7), (0, 11)][first:], add, {})
    assert sums.tolist() == [16, 7]


def test_an_unknown_signal_suggests_the_nearest():
    assert signals.known("kernel") and not signals.known("kernels")
    with pytest.raises(InputError, match="signal 'kernels'. Did you mean 'kernel'"):
        signals.get("kernels")


def test_a_signal_is_known_from_when_it_is_registered_and_only_once(registries):
    assert not signals.known("mine")
    signals.signal("mine", shape="[channels]")(lambda formula, reading: None)
    assert signals.known("mine")
    with pytest.raises(ValueError, match="'mine' is registered twice"):
        signals.signal("mine", shape="[channels]")(lambda formula, reading: None)


def test_a_criterion_of_a_users_own_signal_prunes_in_a_search(registries):
    """`ns_tf.signal` and `ns_tf.criterion`, as docs/adding.md tells them."""
    events = []

    @ns_tf.signal("number", shape="[channels]")
    def number(formula, reading):
        events.append((reading.event, reading.seed))
        assert reading.network.alive.dtype == bool
        return formula(np.arange(len(reading.network.alive), dtype=float))

    @ns_tf.criterion("first_go_first", scope="global")
    def first_go_first(number):
        return number

    work, widths = problem(chain, (13, 11, 17)), (13, 11, 17)
    config = replaced(QUICK, criterion="first_go_first", stop_fraction=0.5)
    trace = prune_trace(work, widths, config, Runtime(seed=3))
    # 20 of 41 filters go, 3 at a time: of the layers in order, down to one filter.
    removed = 41 - trace.history.sum(axis=1)
    assert removed.tolist() == [3, 6, 9, 12, 15, 18, 20]
    assert trace.history[3].tolist() == [1, 11, 17]
    assert trace.history[-1].tolist() == [1, 3, 17]
    assert events == [(event, 3) for event in range(7)]


@pytest.mark.slow
def test_a_criterion_of_a_users_own_of_gate_gradients_runs_in_the_step(registries):
    """It is computed by TensorFlow's operations."""

    @ns_tf.criterion("taylor_abs", scope="global")
    def taylor_abs(gate_gradient):
        return abs(gate_gradient)

    widths = (7, 5)
    scores = []
    for name, power in (("taylor_abs", 2), ("taylor_fo", 1)):
        config = replaced(QUICK, criterion=name)
        run = Pruning(problem(chain, widths), widths, config, Runtime(seed=3))
        run.step(*next(iter(run.batches())))
        scores.append(run.network.score_sums() ** power)
    assert scores[0].max() > 0
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-12)


def test_a_search_with_a_criterion_that_nobody_registered_is_refused(registries):
    with pytest.raises(InputError, match="criterion 'first_go_first'"):
        PruneConfig(criterion="first_go_first")


@pytest.mark.slow
def test_a_whole_search_takes_a_users_criterion_by_name(registries, rng):
    @ns_tf.criterion("last_noise", scope="layer")
    def last_noise(noise):
        return -noise

    images = rng.integers(0, 256, (71, 6, 6, 3)).astype(np.uint8)
    search = ns_tf.search(
        ns_tf.Architecture("chain", (13, 11), chain),
        (images, np.arange(71) % 5),
        criterion="last_noise",
        search_batch=16,
        pretrain_epochs=0,
        steps_per_event=1,
        filters_per_event=3,
        stop_fraction=0.2,
        iterations=1,
        ratio=1.0,
    )
    (state,) = search.iterations
    assert state.trace.history[-1].sum() == np.ceil(0.2 * 24)
    plan = search.plan(ratio=0.5)
    assert all(width >= 1 for width in plan.widths)
