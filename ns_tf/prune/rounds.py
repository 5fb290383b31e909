"""Scores that are taken in rounds: some channels close, and all are scored again.

One scoring says what the network misses without a channel while all others are there.
In rounds the network is closed step by step on its way to the budgets, and what is left
is read again. Channels that are closed stay so, or they may come back ("dynamic").
Nothing is trained between rounds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

STAY, REOPEN = "stay", "reopen"  # What closed channels do in later rounds.


class Rounds:
    """Scoring in rounds, as a stepper (`ns_tf.engine.loop.Stepper`): a step a round.

    After round k of R, channels close until k / R of the way to the budgets is gone.

    Args:
        total: How many rounds, R.
        score: (channels that are open [n] bool, number of the round) -> scores [n].
        cut: (scores [n], share of the way) -> channels that stay open [n] bool.
        size: Number of channels, n.
        reopen: Whether closed channels compete again. If not, they stay below all that
            are open, in the order in which they were scored last.
    """

    def __init__(
        self,
        total: int,
        score: Callable[[np.ndarray, int], np.ndarray],
        cut: Callable[[np.ndarray, float], np.ndarray],
        size: int,
        *,
        reopen: bool = False,
    ):
        self.total, self.score, self.cut, self.reopen = total, score, cut, reopen
        self.steps = 0
        self.scores = np.zeros(size)  # Of the last round.
        self.alive = np.ones(size, bool)  # In the round to come.

    @property
    def finished(self) -> bool:
        """Whether the last round is over."""
        return self.steps >= self.total

    def batches(self) -> Iterable[tuple]:
        """The numbers of the rounds that are left, from 0."""
        return ((number,) for number in range(self.steps, self.total))

    def step(self, number: int) -> None:
        """Scores all channels, and closes those of lowest score for the next round."""
        scores = self.score(self.alive, number)
        if not self.reopen:
            scores = under(scores, self.scores, self.alive)
        self.scores = scores
        self.steps += 1
        if not self.finished:
            self.alive = self.cut(scores, self.steps / self.total)

    def shown(self) -> dict[str, int]:
        """For progress: how many channels are closed."""
        return {"closed": int((~self.alive).sum())}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Scores, what is open, and how many rounds are over."""
        return {"scores": self.scores, "alive": self.alive}, {"steps": self.steps}

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned."""
        self.scores, self.alive = arrays["scores"], arrays["alive"]
        self.steps = facts["steps"]


def under(scores: np.ndarray, last: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Scores with the closed channels below all open ones, in their last order.

    They are below 0 too, so that no price puts one above an open channel.

    >>> alive = np.array([True, False, True, False])
    >>> under(np.array([3.0, 9, 2, 9]), np.array([1.0, 0.5, 1, 0.25]), alive).tolist()
    [3.0, -1.0, 2.0, -1.25]

    Args:
        scores: [n]; those of open channels are kept.
        last: [n]: scores of the round before, where channels were closed by.
        alive: [n] bool: which are open.
    """
    if alive.all():
        return scores
    highest = min(0.0, float(scores[alive].min())) - 1
    return np.where(alive, scores, last - last[~alive].max() + highest)


def all_of(checkpoint: str) -> str:
    """The checkpoint's file of the rounds themselves.

    >>> all_of("scores/x.part.npz")
    'scores/x.part.rounds.npz'

    Args:
        checkpoint: Name of the file of the scoring.
    """
    return f"{checkpoint.removesuffix('.npz')}.rounds.npz"


def name_of(checkpoint: str, number: int) -> str:
    """The checkpoint's file of a round's own scoring; the first has the plain name.

    >>> name_of("scores/x.part.npz", 0), name_of("scores/x.part.npz", 2)
    ('scores/x.part.npz', 'scores/x.part.round2.npz')

    Args:
        checkpoint: Name of the file of the scoring.
        number: Of the round, from 0.
    """
    stem = checkpoint.removesuffix(".npz")
    return f"{stem}.round{number}.npz" if number else checkpoint
