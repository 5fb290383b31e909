"""The step loop and what it watches: losses and seconds."""

import time

import numpy as np
import tensorflow as tf

from ns_tf.base import RunError


class Losses:
    """Collects losses without waiting for them, and stops a run that has diverged."""

    def __init__(self, every: int = 10):
        self.every = every
        self.last = float("nan")
        self._sum = 0.0
        self._pending: list[tuple[int, tf.Tensor]] = []

    def add(self, step: int, loss: tf.Tensor) -> None:
        """Notes the loss of a step (counted from 1).

        Raises:
            RunError: if one of the last losses is not finite.
        """
        self._pending.append((step, loss))
        if len(self._pending) >= self.every:
            self.check()

    def check(self) -> None:
        """Looks at all losses noted so far; raises as `add` does."""
        for step, loss in self._pending:
            self.last = float(loss)
            if not np.isfinite(self.last):
                raise RunError(
                    f"The loss is {self.last} at training step {step}. Lower the "
                    "learning rate, or look for broken values in the data."
                )
            self._sum += self.last
        self._pending.clear()

    @property
    def told(self) -> dict[str, float]:
        """What progress shows of them: the last one, once any was looked at."""
        return {} if np.isnan(self.last) else {"loss": self.last}

    def total(self) -> float:
        """Sum of the losses since `start`."""
        self.check()
        return self._sum

    def start(self, total: float = 0.0) -> None:
        """Starts the sum anew, or goes on from one of an earlier run."""
        self.check()
        self._sum = total


class Clock:
    """Seconds of work, over all the processes that did a part of it."""

    def __init__(self, before: float = 0.0):
        self._before = before
        self._begun = time.monotonic()

    def start(self) -> None:
        """Begins to count this process's part."""
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """All so far."""
        return self._before + time.monotonic() - self._begun
