"""The step loop that pruning and training step through, and what it watches."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from ns_tf.base import RunError
from ns_tf.data.batches import train_batches
from ns_tf.data.dataset import Dataset
from ns_tf.engine.runtime import Runtime


class Stepper(Protocol):
    """Work that is done step by step, and can go on from any of them."""

    steps: int  # Done so far.
    finished: bool

    def batches(self) -> Iterable[tuple]:
        """What the steps take, from the next one on."""

    def step(self, *batch: Any) -> None:
        """Does one step."""

    def shown(self) -> Mapping[str, Any]:
        """What progress shows beside the count of steps."""

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Arrays and plain values that `restore` goes on from."""

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Goes on from what `state` returned."""


def run(
    stepper: Stepper, total: int, runtime: Runtime, *, label: str, checkpoint: str
) -> None:
    """Steps until the work is finished; goes on from the checkpoint, if there is one.

    Work that is continued ends as work that was never stopped. The checkpoint stays;
    whoever keeps the result removes it then.

    Args:
        stepper: The work.
        total: Steps in all, as progress shows them; the stepper may finish earlier.
        runtime: Whose watch shows progress, asks to stop and keeps checkpoints.
        label: What progress calls the work.
        checkpoint: Name of the checkpoint's file.

    Raises:
        InputError: the checkpoint is damaged.
        Interrupted: a signal asked to stop; the state was saved.
    """
    saved = runtime.watch.checkpoint(checkpoint)
    saved.restore(stepper.restore)
    with runtime.watch.bar(
        total, label=label, unit="steps", initial=stepper.steps
    ) as bar:
        for batch in stepper.batches():
            if stepper.finished:
                break
            stepper.step(*batch)
            bar.update(1, **stepper.shown())
            if saved.due():
                saved.save(*stepper.state())


def batches(
    dataset: Dataset, batch_size: int, runtime: Runtime, first_step: int
) -> Iterable[tuple]:
    """Training batches as the replicas take them, from a step on.

    Args:
        dataset: Its training split is drawn from.
        batch_size: Examples of a batch, over all replicas.
        runtime: Its seed and the step decide the batch, and nothing else does.
        first_step: Steps that are done already.
    """
    stream = train_batches(
        dataset, batch_size, seed=runtime.seed, first_step=first_step
    )
    return runtime.execution.deal_out(stream)


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

    def shown(self) -> dict[str, float]:
        """What progress shows: the last loss, once any was looked at."""
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
    """Seconds of work, summed over all processes that did a part of it."""

    def __init__(self, before: float = 0.0):
        self._before = before
        self._begun = time.monotonic()

    def start(self) -> None:
        """Begins to count the part of this process."""
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """All seconds so far."""
        return self._before + time.monotonic() - self._begun
