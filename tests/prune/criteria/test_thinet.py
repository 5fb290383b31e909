"""ThiNet's greedy choice: the numbers by hand, and against all subsets."""

import itertools

import numpy as np
from small import made_by, planted
from trained import noise_images, scored

from ns_tf.prune import criteria, signals

FORMULA = criteria.get("thinet").formula
X = np.array([[1, 1.8, -2], [2, -1, 1.5]])


def test_two_go_by_hand():
    """Energies 5, 4.24, 6.25: first 1, then 2, its opposite; 1 and 0 lose 8.84."""
    gram = X.T @ X
    np.testing.assert_allclose(np.diag(gram), [5, 4.24, 6.25])
    assert FORMULA(gram).tolist() == [2, 0, 1]
    assert np.isclose(((X[:, 1] + X[:, 2]) ** 2).sum(), 0.29)
    assert np.isclose(((X[:, 1] + X[:, 0]) ** 2).sum(), 8.84)


def test_it_never_loses_less_than_the_best_subset_and_the_first_is_the_best(rng):
    for _ in range(5):
        x = rng.normal(size=(11, 6))
        steps = FORMULA(x.T @ x)
        for count in range(1, 6):
            own = (x[:, steps < count].sum(axis=1) ** 2).sum()
            best = min(
                (x[:, list(s)].sum(axis=1) ** 2).sum()
                for s in itertools.combinations(range(6), count)
            )
            assert own >= best - 1e-9
            if count == 1:
                np.testing.assert_allclose(own, best)


def test_planted_channels_go_first(rng):
    """What nobody reads, and what is dead, contributes nothing."""
    model = planted(rng)
    network = scored(model, noise_images(rng, classes=2))
    scores = signals.get("gram").scores(FORMULA, signals.Reading(network, 0))
    a = made_by(network.graph, "a")
    assert set(np.argsort(scores[a])[:2]) == {0, 1}
