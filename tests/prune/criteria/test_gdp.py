"""Global and dynamic pruning: the formula, and channels that come back."""

import numpy as np
import pytest
from small import Ended, KilledAt, kept_at
from trained import learned, pruner

from ns_tf.prune import criteria
from ns_tf.prune.rounds import REOPEN


def test_gdp_of_the_linear_head_is_the_one_by_hand():
    """o = sum w g h, L = mean (o - t)^2 / 2, at g = 1."""
    h = np.array([[1, 2, 0], [3, -1, 4.0]])
    w, t = np.array([1, 0.5, -0.25]), np.array([0, 1.0])
    gradient = ((h @ w - t)[:, None] * w * h).mean(axis=0)
    score = criteria.get("gdp").formula(gradient)
    np.testing.assert_allclose(score, [1.75, 0.875, 0.25])


def opened(made, monkeypatch):
    """(scores, what was open in each round) of a scoring."""
    seen, plain = [], made.scorer._round

    def score(alive, *others):
        seen.append(alive.copy())
        return plain(alive, *others)

    monkeypatch.setattr(made.scorer, "_round", score)
    return made.score(), seen


@pytest.mark.parametrize(
    "closed, back", [(None, True), pytest.param("stay", False, marks=pytest.mark.slow)]
)
def test_a_channel_that_was_closed_is_open_in_the_end(closed, back, monkeypatch):
    """With `closed="stay"` none is; every round closes more, down to the budget."""
    model, problem = learned()
    assert pruner(model, problem.dataset, method="gdp", macs=0.3).rounds == 8
    asked = {"method": "gdp", "rounds": 4, "closed": closed, "macs": 0.3}
    made = pruner(model, problem.dataset, **asked)
    assert (made.closed == REOPEN) == back
    scores, seen = opened(made, monkeypatch)
    kept = made.chosen(scores, made.solve(scores).widths)
    rounds = np.array([*seen, kept])
    assert len(seen) == 4 and seen[0].all()
    assert (kept & ~rounds[1:-1].all(axis=0)).any() == back
    macs = made.budgets.exact["macs"]
    costs = [float(macs(np.array(made.prunable.count(one)))) for one in rounds]
    limits = costs[0] * 0.3 ** (np.arange(5) / 4)
    assert (np.array(costs) <= limits * (1 + 1e-9)).all()
    assert (np.array(costs[:-1]) > costs[1:]).all()


@pytest.mark.parametrize("steps", [pytest.param(2, marks=pytest.mark.slow), 7])
def test_rounds_that_are_killed_go_on_to_the_same_bits(steps, tmp_path):
    """3 steps of scoring a round, and one of the rounds."""
    model, problem = learned()
    asked = {"method": "gdp", "macs": 0.4, "rounds": 2, "proxy_images": 48}
    made = pruner(model, problem.dataset, **asked)
    with pytest.raises(Ended):
        made.score(kept_at(tmp_path, progress=KilledAt(steps)))
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept <= set(made.scorer.checkpoints("scoring.npz"))
    scores = made.score(kept_at(tmp_path))
    np.testing.assert_array_equal(scores, made.score())
