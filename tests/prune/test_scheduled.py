"""Weights that go on a schedule: as many as it says, the smallest, for good."""

import keras
import numpy as np
import pytest
from trained import learned, pruner

from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.prune.method import Scored

STEPS = 40  # Two epochs of 500 images, 25 a step; weights go until step 28.


def of_weights(**asked):
    model, problem = learned()
    options = {"method": "gradual", "level": "weight", "nonzero": 0.2}
    short = {"gate_epochs": 2, "gate_batch": 25, "repair": "none"}
    return pruner(model, problem.dataset, **{**options, **short, **asked})


def learning(made):
    return made.scorer.learning(Runtime())


def flat(made, model):
    return made.kernels.flat(weights.values(model))


@pytest.fixture(
    scope="module",
    params=["uniform", pytest.param("ranking", marks=pytest.mark.slow)],
)
def walked(request):
    """(the pruner, its training at the end, what it kept by step, its state at one).

    What it kept is a pair: the mask, and the weights.
    """
    made = of_weights(allocation=request.param)
    work, seen = learning(made), []
    for batch in work.batches():
        if work.finished:
            break
        work.step(*batch)
        seen.append((work.gates.keep.copy(), flat(made, work.gates.network)))
        if work.steps == 23:
            state = work.state()
    return made, work, seen, state


def test_as_many_weights_stay_as_the_schedule_says(walked):
    """Looked at every ten steps, and at the end."""
    made, work, seen, _ = walked
    assert work.total == STEPS
    for step, (keep, _) in enumerate(seen):
        looked = STEPS if step == STEPS - 1 else step // 10 * 10
        goes = (1 - (1 - min(1, looked / 28)) ** 3) * (made.size - made.room)
        assert np.count_nonzero(keep) == made.size - int(goes)
    table = work.table()
    np.testing.assert_array_less(np.diff(table["alive_nonzero"]), 1e-12)
    np.testing.assert_allclose(
        table["alive_nonzero"], table["planned_nonzero"], atol=1e-3
    )


def test_what_has_gone_stays_zero_and_the_smallest_go(walked):
    made, _, seen, _ = walked
    for (before, old), (keep, new) in zip(seen, seen[1:], strict=False):
        assert not (keep & ~before).any(), "nothing comes back"
        assert (new[~keep] == 0).all() and np.count_nonzero(new) == keep.sum()
        gone = before & ~keep
        if gone.any():  # By the weights before the step that followed.
            scores = np.where(before, np.abs(old), -1.0)
            stays = made.staying(scores, np.count_nonzero(keep))
            np.testing.assert_array_equal(keep, stays)
            if made.allocation.name == "ranking":
                assert np.abs(old[gone]).max() < np.quantile(np.abs(old[keep]), 0.2)


def test_the_cut_takes_nothing_more_and_the_budget_is_met_exactly(walked):
    made, work, _, _ = walked
    scored = Scored(work.gates.scores(), work.gates.weights())
    after = made.after(scored)
    found = after.solve(scored.scores)
    assert found.costs == {"nonzero": int(made.budgets.targets["nonzero"])}
    keep = after.chosen(scored.scores, found.widths)
    np.testing.assert_array_equal(keep, work.gates.keep)
    np.testing.assert_array_equal(
        flat(made, after.cut(keep)), flat(made, work.gates.network)
    )
    if made.allocation.name == "uniform":
        shares = np.array(found.widths) / made.widths
        assert np.ptp(shares) < 0.02, "of every kernel the same share"


def test_a_training_goes_on_from_any_state_to_the_same_bits(walked):
    made, work, seen, state = walked
    other = learning(made)
    other.restore(*state)
    for batch in other.batches():
        if other.finished:
            break
        other.step(*batch)
    np.testing.assert_array_equal(other.gates.keep, seen[-1][0])
    np.testing.assert_array_equal(flat(made, other.gates.network), seen[-1][1])
    for column, values in work.table().items():
        np.testing.assert_array_equal(other.table()[column], values)


def test_other_weights_train_and_a_loose_budget_takes_none():
    made = of_weights(nonzero=1.0, gate_epochs=1)
    work = learning(made)
    for batch in work.batches():
        if work.steps == 3:
            break
        work.step(*batch)
    assert work.gates.keep.all()
    first = keras.ops.convert_to_numpy(made.model.get_layer("out").bias)
    now = keras.ops.convert_to_numpy(work.gates.network.get_layer("out").bias)
    assert (now != first).any()
    masks = [mask for mask in work.gates.masks if mask is not None]
    assert len(masks) == len(made.kernels.shapes) < len(work.gates.masks)
