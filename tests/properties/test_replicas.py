"""Two replicas compute what one does."""

import dataclasses

import numpy as np
import pytest
from small import QUICK, chain, problem, replaced, residual

from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import rebuilding
from ns_tf.prune.iterative import prune_trace
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import train


@pytest.mark.parametrize(
    "builder, widths",
    [
        (chain, (13, 17)),
        pytest.param(residual, (13, 11, 13), marks=pytest.mark.slow),
    ],
)
def test_one_and_two_replicas_leave_the_same_trace(
    builder, widths, float64, rebuilds, monkeypatch
):
    """Each rebuilds once: after the second event of three."""
    monkeypatch.setattr(rebuilding, "REBUILD_SECONDS", 1e-6)
    work = problem(builder, widths)
    config = replaced(QUICK, rebuild="pays", filters_per_event=5, stop_fraction=0.6)
    one, two = (
        prune_trace(work, widths, config, Runtime(Execution(strategy(name))))
        for name in ("one_device", "mirrored")
    )
    assert len(one.history) == 3 and len(rebuilds) == 2
    np.testing.assert_array_equal(one.history, two.history)
    np.testing.assert_array_equal(one.tau, two.tau)


def test_one_and_two_replicas_train_the_same_network(float64):
    """Padded, with synchronised batch norms, and evaluated after every epoch."""
    work = problem(residual, (13, 11, 13))
    recipe = TrainConfig(epochs=2, batch=16, rate=0.05, momentum=0.9)
    one, two = (
        train(work, work.build, recipe, Runtime(Execution(strategy(name)), seed=3))
        for name in ("one_device", "mirrored")
    )
    for epoch, other in zip(one.history, two.history, strict=True):
        np.testing.assert_allclose(
            dataclasses.astuple(other)[:-1],
            dataclasses.astuple(epoch)[:-1],
            rtol=1e-6,
        )
    for weight, other in zip(one.model.weights, two.model.weights, strict=True):
        np.testing.assert_allclose(other, weight, rtol=1e-6, atol=1e-8)
