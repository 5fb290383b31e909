"""Scores in rounds: channels close, and stay closed or come back."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from ns_tf.prune.rounds import Rounds, all_of, name_of, under


def keep_highest(count):
    """(scores, share) -> the channels of the `count` highest scores."""
    return lambda scores, share: np.argsort(np.argsort(scores)) >= len(scores) - count


def run(work):
    """All of its rounds; returns what was open in each, and at the end."""
    seen = []
    for (number,) in work.batches():
        seen.append(work.alive.tolist())
        work.step(number)
    return seen


def test_a_channel_comes_back_only_where_channels_reopen():
    """GDP: scores [3, 1, 2], then [1, 3, 2], of which two are kept."""
    rows = [np.array([3.0, 1, 2]), np.array([1.0, 3, 2])]
    for reopen, kept in ((True, [False, True, True]), (False, [True, False, True])):
        two = keep_highest(2)
        work = Rounds(2, lambda alive, k: rows[k], two, 3, reopen=reopen)
        seen = run(work)
        assert seen == [[True, True, True], [True, False, True]]
        assert two(work.scores, 1.0).tolist() == kept


@hypothesis.given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_what_stays_closed_was_closed_in_every_later_round(total, seed):
    """Nested sets, and closed channels below 0 and in their last order."""
    rng = np.random.default_rng(seed)
    rows = rng.random((total, 11))
    shares = []

    def cut(scores, share):
        shares.append(share)
        return keep_highest(11 - round(7 * share))(scores, share)

    work = Rounds(total, lambda alive, k: rows[k], cut, 11)
    seen = np.array(run(work))
    assert not (seen[1:] & ~seen[:-1]).any()
    assert shares == [k / total for k in range(1, total)]
    closed = ~work.alive
    assert (work.scores[closed] < 0).all()
    np.testing.assert_array_equal(work.scores[~closed], rows[-1][~closed])
    first = seen.argmin(axis=0)[closed]  # The round in which each was closed.
    order = np.argsort(work.scores[closed])
    assert (np.diff(first[order]) >= 0).all()


def test_with_all_open_scores_are_what_they_are():
    scores = np.array([-3.0, 2])
    assert under(scores, np.zeros(2), np.ones(2, bool)) is scores


def test_a_state_goes_on_to_the_same_scores(rng):
    rows = rng.random((4, 7))

    def fresh():
        return Rounds(
            4, lambda alive, k: rows[k] * (1 + alive), keep_highest(4), 7, reopen=True
        )

    whole, half, rest = fresh(), fresh(), fresh()
    run(whole)
    for number in range(2):
        half.step(number)
    rest.restore(*half.state())
    assert half.shown() == {"closed": 3} and not half.finished
    run(rest)
    np.testing.assert_array_equal(rest.scores, whole.scores)
    assert rest.finished and rest.steps == 4


@pytest.mark.parametrize("number, name", [(0, "a.npz"), (3, "a.round3.npz")])
def test_every_round_has_a_checkpoint_of_its_own(number, name):
    assert name_of("a.npz", number) == name != all_of("a.npz")
