"""Several processes that compute one run: what they tell each other, who writes.

All of them do the same steps, each on its rows of the batch. TensorFlow sums gradients,
statistics and scores over all of them. Everything else goes through `Workers.total`,
a sum over the workers: whoever leaves his part zero is told what the others put in.
So no message is needed that TensorFlow's strategy does not have.
"""

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError, RunError
from ns_tf.engine.cluster import Cluster
from ns_tf.run.stop import Interrupted, Stop, by_default

Result = TypeVar("Result")

_TEXT = 1000  # Bytes of an error that all are told.
_PACE = 1.0  # Seconds between two votes on stopping.
_RARELY = 1000  # Most steps between two of them.


class WorkerError(RunError):
    """The workers cannot go on together: no fault of what they compute."""


# Of the chief that all are told; the first that fits.
_ERRORS = (WorkerError, InputError, RunError, Interrupted)


def connect(cluster: Cluster) -> tf.distribute.Strategy:
    """The strategy of a cluster, whose workers have met (`ns_tf.engine.meeting`).

    Args:
        cluster: Whose own address is free.

    Raises:
        InputError: TensorFlow has started already.
    """
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    with by_default():
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except RuntimeError as error:
            raise InputError(
                "Several workers come too late: TensorFlow has started. Begin in a new "
                "process."
            ) from error


@dataclasses.dataclass(frozen=True)
class Workers:
    """The processes of a run, seen from one of them. The default is one process.

    Args:
        strategy: Of all of them; None for one process.
        index: Of this one; the chief is 0.
        count: How many there are.
    """

    strategy: tf.distribute.Strategy | None = None
    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, strategy: tf.distribute.Strategy) -> "Workers":
        """The workers of a strategy."""
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return cls()
        resolver = strategy.cluster_resolver
        count = len(resolver.cluster_spec().task_indices("worker"))
        return cls(strategy, resolver.task_id, count)

    @property
    def chief(self) -> bool:
        """Whether this process writes."""
        return self.index == 0

    # What they tell each other.

    def total(self, array: Any) -> np.ndarray:
        """The sum over all workers, each of which calls this; waits for them.

        Args:
            array: Numbers, of one shape in all workers. Whole numbers up to 2^53 are
                summed exactly.

        Returns:
            float64, the same in all workers.
        """
        own = np.asarray(array, np.float64)
        if self.count == 1:
            return own
        replicas = self.strategy.num_replicas_in_sync // self.count
        # One of the worker's replicas brings the numbers.
        values = self.strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(
                own if replica.replica_id_in_sync_group % replicas == 0 else 0 * own
            )
        )
        summed = self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)
        return np.asarray(self.strategy.experimental_local_results(summed)[0])

    def gathered(self, array: Any) -> np.ndarray:
        """[workers, ...]: the arrays of all workers, each of the same shape."""
        own = np.asarray(array, np.float64)
        rows = np.zeros((self.count, *own.shape))
        rows[self.index] = own
        return self.total(rows)

    def of_chief(self, array: Any) -> np.ndarray:
        """The chief's array, float64; the others' are of its shape, and dropped."""
        own = np.asarray(array, np.float64)
        return self.total(own if self.chief else np.zeros_like(own))

    def texts(self, text: str) -> list[str]:
        """The texts of all workers, in order."""
        own = np.frombuffer(text.encode(), np.uint8)
        sizes = self.gathered(len(own)).astype(int)
        padded = np.zeros(max(1, sizes.max()))
        padded[: len(own)] = own
        rows = self.gathered(padded).astype(np.uint8)
        pairs = zip(rows, sizes, strict=True)
        return [row[:size].tobytes().decode() for row, size in pairs]

    def barrier(self) -> None:
        """Waits until all workers are here."""
        self.total(0.0)

    def led(self, act: Callable[[], Result]) -> Result | None:
        """Has the chief alone do something, as writing is; the others wait for it.

        Args:
            act: Called in the chief. It may not wait for the other workers.

        Returns:
            What `act` returns, in the chief; None in the others.

        Raises:
            InputError, RunError, Interrupted: what `act` raises, in all workers.
            OSError: what `act` raises, in the chief; a WorkerError in the others.
        """
        if self.count == 1:
            return act()
        if self.chief:
            try:
                result = act()
            except (*_ERRORS, OSError) as error:
                with contextlib.suppress(tf.errors.OpError):  # Others may have left.
                    self.total(_packed(error))
                raise
            self.total(_packed(None))
            return result
        with by_default():  # It has nothing to save.
            told = self.total(np.zeros_like(_packed(None)))
        _raise_packed(told)
        return None

    def told(self, act: Callable[[], str]) -> str:
        """The text that the chief alone makes, as `led`; told to all."""
        text = self.led(act) or ""
        return text if self.count == 1 else self.texts(text)[0]

    def agree(self, ask: Callable[[], bool]) -> bool:
        """Whether the chief alone finds that something is so, as `led`; told to all."""
        return bool(self.of_chief(bool(self.led(ask))))

    def share(self, model: keras.Model) -> None:
        """Gives all workers the chief's weights.

        Args:
            model: One of the same shapes in every worker.

        Raises:
            WorkerError: a worker made another network.
        """
        if self.count == 1:
            return
        arrays = [np.array(variable) for variable in model.variables]
        flat = np.concatenate([a.ravel().astype(np.float64) for a in [*arrays, _EMPTY]])
        sizes = self.gathered(len(flat))
        other = np.flatnonzero(sizes != sizes[0])
        if len(other):
            raise WorkerError(
                f"Worker {other[0]} made a network of {sizes[other[0]]:.0f} weights, "
                f"and the chief one of {sizes[0]:.0f}. Run all workers on machines of "
                "one kind."
            )
        parts = np.split(self.of_chief(flat), np.cumsum([a.size for a in arrays]))
        for variable, array, part in zip(model.variables, arrays, parts, strict=False):
            variable.assign(part.reshape(array.shape).astype(array.dtype))

    @contextlib.contextmanager
    def attended(self) -> Iterator[None]:
        """A block in which losing a worker becomes one line.

        Raises:
            WorkerError: a worker ended, or does not answer any more.
        """
        try:
            yield
        except Exception as error:  # Whatever was done took it for its own failure.
            lost = None if self.count == 1 else _lost(error, self.index)
            if lost is None:
                raise
            raise WorkerError(
                f"{lost} ended, or does not answer. Start the same command on all "
                "workers again: they go on from the checkpoint."
            ) from error

    def stop(self, own: Stop) -> Stop:
        """A request to stop that all workers see between the same two steps.

        Args:
            own: Of this process.
        """
        return own if self.count == 1 else _Agreed(self, own)


ALONE = Workers()
_EMPTY = np.zeros(0)


class _Agreed(Stop):
    """A stop that is requested in all workers once it is in one of them.

    They vote about once a second: after as many steps as the slowest did in a second.
    """

    def __init__(self, workers: Workers, own: Stop):
        super().__init__()
        self.workers, self.own = workers, own
        self._left, self._steps = 1, 1  # Steps to the next vote; steps between two.
        self._begun = time.monotonic()

    def ask(self) -> None:
        """Votes, if it is time to."""
        self._left -= 1
        if self._left:
            return
        seconds = (time.monotonic() - self._begun) / self._steps
        votes = self.workers.gathered([self.own.signum or 0, seconds])
        signum, slowest = votes.max(axis=0)
        self.signum = int(signum) or None
        self._steps = int(np.clip(_PACE / max(slowest, 1e-9), 1, _RARELY))
        self._left, self._begun = self._steps, time.monotonic()


def _packed(error: BaseException | None) -> np.ndarray:
    """An error as numbers of a fixed size; zeros if there is none."""
    numbers = np.zeros(2 + _TEXT)
    if error is not None:
        if isinstance(error, OSError):  # As of a full disk.
            error = WorkerError(f"The chief failed: {error}")
        kind = next(k for k in _ERRORS if isinstance(error, k))
        text = str(error).encode()[:_TEXT]
        numbers[0] = 1 + _ERRORS.index(kind)
        numbers[1] = len(text)
        numbers[2 : 2 + len(text)] = np.frombuffer(text, np.uint8)
    return numbers


def _raise_packed(numbers: np.ndarray) -> None:
    """Raises the error that `_packed` packed; nothing if there is none."""
    if not numbers[0]:
        return
    kind, size = _ERRORS[int(numbers[0]) - 1], int(numbers[1])
    text = numbers[2 : 2 + size].astype(np.uint8).tobytes().decode(errors="replace")
    raise kind(int(text)) if kind is Interrupted else kind(text)


def _lost(error: BaseException | None, own: int) -> str | None:
    """Which worker was lost, in words; None if no error in the chain says so.

    >>> text = "Collective ops is aborted: /job:worker/replica:0/task:1 while calling"
    >>> _lost(tf.errors.UnavailableError(None, None, text), own=0)
    'Worker 1'

    Args:
        error: The last of the chain.
        own: The place of this worker, which is none of them.
    """
    while error is not None:
        if isinstance(error, tf.errors.OpError) and "ollective" in str(error):
            return _named(str(error), own)
        error = error.__cause__ or error.__context__
    return None


def _named(message: str, own: int) -> str:
    """The worker that a message of TensorFlow's is about.

    >>> _named("Failed to send RPC to coordination service.", own=1)
    'The chief or the connection to it'
    >>> _named("Collective ops is aborted by /job:worker/task:1", own=1)
    'Another worker'
    """
    task = r"/job:worker/(?:replica:0/)?task:(\d+)"
    unhealthy = re.search(rf"heartbeats?\)?:?\s*{task}", message)
    named = unhealthy or re.search(task, message)
    if "coordination service" in message and not unhealthy:
        return "The chief or the connection to it"
    if named is None or int(named[1]) == own:  # Of whom the message is.
        return "Another worker"
    return f"Worker {named[1]}"
