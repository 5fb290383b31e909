"""The one step loop of pruning and training: progress, checkpoints, losses, seconds.

`run` knows nothing of what a step does. A `Stepper` does the steps and can say its
state between any two of them, so whatever is written as one can be stopped, killed and
continued.
"""

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
    """Work that is done in steps, and can be continued after any of them."""

    steps: int  # Steps done so far.
    finished: bool  # Whether no further step is to be done.

    def batches(self) -> Iterable[tuple]:
        """The arguments of the steps, from the next one on; may be endless."""

    def step(self, *batch: Any) -> None:
        """Does one step."""

    def shown(self) -> Mapping[str, Any]:
        """Values that progress shows beside the count of steps, by name."""

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Arrays, and values that JSON can hold: all that `restore` needs."""

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets the state that `state` returned, perhaps in another process."""


def run(
    stepper: Stepper, total: int, runtime: Runtime, *, label: str, checkpoint: str
) -> None:
    """Steps until the work is finished; continues from the checkpoint, if there is one.

    Continued work ends as work that was never stopped: the checkpoint holds its whole
    state, and the batch of a step depends on the seed and the step alone. The
    checkpoint stays; whoever keeps the result removes it then.

    Args:
        stepper: The work.
        total: Steps in all, as progress shows them; the stepper may finish earlier.
        runtime: Its watch shows progress, requests stops and keeps checkpoints.
        label: Name of the work in progress.
        checkpoint: Name of the checkpoint's file in the watch's folder.

    Raises:
        InputError: the checkpoint is damaged.
        RunError: a worker was lost.
        Interrupted: a signal asked to stop; the state was saved.
    """
    workers = runtime.execution.workers
    stop = workers.stop(runtime.watch.stop)
    file = runtime.watch.checkpoint(checkpoint, stop)
    workers.barrier()  # All see the file that the chief left, and no one has a newer.
    file.restore(stepper.restore)
    with runtime.watch.bar(
        total, label=label, unit="steps", initial=stepper.steps
    ) as bar:
        for batch in stepper.batches():
            if stepper.finished:
                break
            stepper.step(*batch)
            bar.update(1, **stepper.shown())
            if workers.count > 1:  # A signal tells a single process by itself.
                stop.ask()
            if file.due():
                file.save(*stepper.state())


def batches(
    dataset: Dataset,
    batch_size: int,
    runtime: Runtime,
    first_step: int,
    *,
    mixup: float = 0.0,
    numbered: bool = False,
) -> Iterable[tuple]:
    """Endless training batches from a step on, each split over the replicas.

    Args:
        dataset: Its training split is drawn from.
        batch_size: Examples of a batch, over all replicas.
        runtime: Its execution says which replicas; its seed and the step decide the
            batch, and nothing else does.
        first_step: Steps that are done already.
        mixup: Images are mixed in pairs, as of `train_batches`.
        numbered: Targets say which images they are of, as of `train_batches`.

    Returns:
        Pairs (inputs [batch, height, width, channels], targets [batch]).

    Raises:
        InputError: the batch is larger than the training split.
    """
    stream = train_batches(
        dataset,
        batch_size,
        seed=runtime.seed,
        first_step=first_step,
        mixup=mixup,
        numbered=numbered,
        shares=runtime.execution.shares(batch_size),
    )
    return runtime.execution.deal_out(stream)


class Losses:
    """Sums losses up, and raises if one of them is not finite.

    A loss is looked at some steps after it was computed, so that the loop does not wait
    for the device at every step.

    >>> losses = Losses(every=2)
    >>> losses.add(1, 0.75)
    >>> losses.shown()
    {}
    >>> losses.add(2, 0.5)
    >>> losses.shown(), losses.total()
    ({'loss': 0.5}, 1.25)

    Args:
        every: Steps after which losses are looked at.
    """

    def __init__(self, every: int = 10):
        self.every = every
        self.last = float("nan")
        self._sum = 0.0
        self._pending: list[tuple[int, tf.Tensor]] = []  # (step, loss), not looked at.

    def add(self, step: int, loss: tf.Tensor) -> None:
        """Takes the loss of a step.

        Args:
            step: Number of the step, from 1.
            loss: A scalar; it is not waited for.

        Raises:
            RunError: one of the losses since the last look is not finite.
        """
        self._pending.append((step, loss))
        if len(self._pending) >= self.every:
            self.check()

    def check(self) -> None:
        """Looks at all losses that were added.

        Raises:
            RunError: one of them is not finite; says at which step.
        """
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
        """For progress: the last loss that was looked at; empty if there is none."""
        return {} if np.isnan(self.last) else {"loss": self.last}

    def total(self) -> float:
        """Sum of the losses since `start`.

        Raises:
            RunError: one of them is not finite.
        """
        self.check()
        return self._sum

    def start(self, total: float = 0.0) -> None:
        """Starts a new sum.

        Args:
            total: What it begins with: the sum that an earlier process came to.
        """
        self.check()
        self._sum = total


class Clock:
    """Seconds of work, summed over all processes that did a part of it.

    Args:
        before: Seconds of earlier processes.
    """

    def __init__(self, before: float = 0.0):
        self._before = before
        self._begun = time.monotonic()

    def start(self) -> None:
        """Starts to count the seconds of this process."""
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of all processes so far."""
        return self._before + time.monotonic() - self._begun
