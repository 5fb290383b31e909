"""The training in which gates learn: looks, rows, what has no decay."""

import numpy as np
import pytest
import tensorflow as tf
from trained import learned, pruner

from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import learning
from ns_tf.prune.gates import scales
from ns_tf.prune.learning import EVERY

pytestmark = pytest.mark.usefixtures("curvatures_once")


def work_of(name="sss", precision="float32", **others):
    model, problem = learned()
    asked = {"gate_epochs": 3, "gate_batch": 100, "macs": 0.5, **others}
    made = pruner(model, problem.dataset, method=name, **asked)
    return made.scorer.learning(Runtime.of(RuntimeConfig(precision=precision)))


def test_a_strength_follows_the_plan_only_if_it_is_auto():
    for strength, same in (("auto", False), (1.5, True)):
        work = work_of(strength=strength)
        # None is on its way to close, so the strength rises while all are alive.
        whole = np.ones(work.pressure.size)
        work.gates.left = lambda whole=whole: whole
        for batch in work.batches():
            if work.finished:
                break
            work.step(*batch)
        table = work.table()
        assert table["step"].tolist() == [0, EVERY, work.total] == [0, 10, 15]
        assert (table["strength"] == table["strength"][0]).all() == same
        assert table["planned_macs"][-1] < 0.51 and np.isfinite(table["loss"][1:]).all()
        assert set(work.shown()) == {"loss", "strength", "alive_macs"}


def test_gates_gammas_and_betas_have_no_weight_decay():
    work = work_of("slimming", strength=0)
    own = scales(work.gates.network)
    assert len(own) == 6 and {v.name for v in own} == {"gamma", "beta"}
    pairs = zip(work.sgd.variables, work.sgd.decays, strict=True)
    for variable, decay in pairs:
        assert decay == (0 if variable.name in ("gamma", "beta") else 5e-4)


def test_a_state_of_an_earlier_version_is_refused():
    """Its network may have had other weights, or the same in another order."""
    with pytest.raises(ValueError, match="an earlier ns_tf wrote it"):
        learning.Learning.restore(None, {}, {"steps": 3})


def test_draws_depend_on_the_seed_and_the_step_alone(monkeypatch):
    seen = []
    work = work_of()
    monkeypatch.setattr(work.gates, "before", lambda draw, progress: seen.append(draw))
    batch = next(iter(work.batches()))
    for step in (0, 3, 0):
        work.steps = step
        work.step(*batch)
    np.testing.assert_array_equal(seen[0], seen[2])
    assert (seen[0] != seen[1]).all() and ((seen[0] > 0) & (seen[0] < 1)).all()
    assert learning.EVERY == 10


def test_gates_with_images_of_their_own_take_a_quarter_as_many():
    work = work_of("autoprune")
    assert not work.gates.drawn
    assert (work.config.batch, work.held_batch, len(work.held.train)) == (100, 25, 50)
    weights, gates = next(iter(work.batches()))
    assert (len(weights[0]), len(gates[0])) == (100, 25)


@pytest.mark.slow
def test_a_step_that_overflows_moves_no_gate():
    """Derivatives of the step before are in no checkpoint."""
    work = work_of(precision="mixed_float16", strength=1)
    moved = []
    for batch in work.batches():
        before, updates = work.gates.raw.copy(), int(work.loss_scale.applied)
        if work.steps == 2:
            work.loss_scale.scale.assign(1e38)
        work.step(*batch)
        updated = int(work.loss_scale.applied) > updates
        moved.append((updated, bool((work.gates.raw != before).any())))
        if work.steps == 3:
            break
    assert moved == [(True, True), (True, True), (False, False)]


def test_the_rate_of_a_step_is_that_of_the_schedule_from_any_step_on():
    work = work_of("slimming", gate_schedule="step", gate_epochs=4, strength=0)
    rates = []

    def step(images, labels, rate):
        rates.append(float(rate))
        return tf.constant(0.0)

    work._compiled = [step]
    batch = next(iter(work.batches()))
    for work.steps in (0, 9, 10, 14, 15, 18):  # 5 an epoch.
        work.step(*batch)
    expected = np.repeat([1e-2, 1e-3, 1e-4], 2)
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
