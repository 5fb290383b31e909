"""What networks are computed on and how: devices, threads, precision, XLA.

An `Execution` is made once, before TensorFlow starts, and handed down to whatever
builds a network. Results are the same up to rounding whatever it is (the last bits
differ between numbers of threads and between XLA and not).
"""

import contextlib
import ctypes
import dataclasses
import functools
import gc
from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.data.shares import even
from ns_tf.engine import layer_ops
from ns_tf.engine.cluster import SEVERAL, Cluster, cluster_of
from ns_tf.engine.config import ExecutionConfig
from ns_tf.engine.meeting import meet
from ns_tf.engine.precision import LossScale, converted, with_policy
from ns_tf.engine.workers import Workers, connect
from ns_tf.networks.structure import shapes_only
from ns_tf.registry import unknown

STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
}
# Multiply-adds a second of a training step, forward and backward, in round figures. The
# CPU's is measured on two cores (docs/performance.md); the GPU's is a guess, a hundred
# times that.
SPEED = {"CPU": 3e10, "GPU": 3e12}


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The `tf.distribute` strategy of that name, the same object at every call.

    Args:
        name: "one_device", "mirrored" (all GPUs of this machine), or "auto": mirrored
            if there are several GPUs, else one device. Several workers have their
            cluster's strategy (`connected`).

    Raises:
        InputError: unknown name.
    """
    if name == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        name = "mirrored" if several else "one_device"
    if name not in STRATEGIES:
        raise unknown("strategy", name, [*STRATEGIES, "auto"])
    return _strategy(name)


@functools.cache
def _strategy(name: str) -> tf.distribute.Strategy:
    """The one strategy of that name in this process.

    Collectives of a second MirroredStrategy would get the keys of the first one's, and
    TensorFlow would take them for the same operation.
    """
    return STRATEGIES[name]()


@functools.cache
def connected(cluster: Cluster) -> tf.distribute.Strategy:
    """The strategy of a cluster, the same object at every call; waits for its workers.

    Raises:
        InputError: the own address cannot be listened at, or TensorFlow has started.
        RunError: workers did not come.
    """
    meet(cluster)
    return connect(cluster)


def grow_memory() -> None:
    """Lets TensorFlow take memory of GPUs as it needs it, in place of all at once.

    So an evaluation, a display or another process has some. Where TensorFlow has
    started it stays as it is.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)


def set_threads(count: int) -> None:
    """Lets an operation use `count` CPU threads.

    Args:
        count: Threads; 0 leaves the number to TensorFlow, which takes all cores.

    Raises:
        InputError: if TensorFlow has started with another number.
    """
    threading = tf.config.threading
    if count and count != threading.get_intra_op_parallelism_threads():
        try:
            threading.set_intra_op_parallelism_threads(count)
        except RuntimeError as error:
            raise InputError(
                f"--threads={count} comes too late: TensorFlow has started. Set it in "
                "a new process."
            ) from error


@dataclasses.dataclass(frozen=True)
class Execution:
    """How the networks of a run are computed.

    The default is one device in float32, without XLA.

    Args:
        strategy: Which devices a batch is dealt out to.
        precision: "float32", or a mixed policy of Keras's ("mixed_bfloat16",
            "mixed_float16"), with float32 weights.
        jit_compile: Whether XLA compiles the forward and backward pass.

    Raises:
        InputError: XLA over several replicas.
    """

    strategy: tf.distribute.Strategy = dataclasses.field(
        default_factory=lambda: strategy("one_device")
    )
    precision: str = "float32"
    jit_compile: bool = False

    def __post_init__(self):
        if self.jit_compile and self.replicas > 1:
            raise InputError(
                f"--jit_compile works on one device; got {self.replicas} replicas. "
                "Leave it away, or give --strategy=one_device."
            )

    @classmethod
    def of(cls, config: ExecutionConfig, *, several: bool = False) -> "Execution":
        """The execution that the settings ask for; sets threads and memory too.

        Args:
            config: The settings.
            several: Whether they may: whether the chief alone writes what is done.

        Raises:
            InputError: TensorFlow has started with other threads, or the workers are
                none.
            RunError: workers did not come.
        """
        set_threads(config.threads)
        grow_memory()
        cluster = cluster_of(config) if several else None
        if (config.workers_at or config.strategy == SEVERAL) and not several:
            raise InputError(
                "Several workers compute searches, trainings and prunings in a run "
                f"folder; not this. Leave --strategy={SEVERAL} and --workers_at away."
            )
        way = connected(cluster) if cluster else strategy(config.strategy)
        return cls(way, config.precision, config.jit_compile)

    @functools.cached_property
    def workers(self) -> Workers:
        """The processes that compute this run; one, unless a cluster does."""
        return Workers.of(self.strategy)

    @property
    def replicas(self) -> int:
        """Number of devices that a batch is dealt out to."""
        return self.strategy.num_replicas_in_sync

    @property
    def speed(self) -> float:
        """Nominal multiply-adds of training a second.

        Not measured, so that decisions made by it are the same in every run.
        """
        return SPEED["GPU" if self.on_gpu else "CPU"] * self.replicas

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU to compute on."""
        return bool(tf.config.list_physical_devices("GPU"))

    def check(self, make: Callable[[], keras.Model]) -> None:
        """Makes the network without values, to see that it can be computed so.

        Args:
            make: Makes the network.

        Raises:
            InputError: what `make` raises, or a layer cannot compute so.
        """
        whole = self.precision == "float32"
        shapes_only(lambda: make() if whole else converted(make(), self.precision))

    def build(self, make: Callable[[], keras.Model]) -> keras.Model:
        """The network that `make` makes, on the devices and at the precision.

        Args:
            make: Makes the network; called in the strategy's scope.

        Returns:
            The network, adapted, in all workers with the chief's weights. Under a mixed
            policy it is a copy of the same weights.

        Raises:
            RunError: a worker makes another network than the chief.
        """
        with self.strategy.scope():
            model = self._of_strategy(make())
            if self.precision != "float32":
                model = with_policy(model, self.precision)
        self.workers.share(model)
        self.adapt(model)
        return model

    def _of_strategy(self, model: keras.Model) -> keras.Model:
        """The model, or a copy if its variables were made outside of the strategy."""
        here = self.strategy.extended.variable_created_in_scope
        if self.replicas == 1 or all(here(one.value) for one in model.variables):
            return model
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        return copy

    def loss_scale(self, model: keras.Model) -> LossScale | None:
        """The scale of the model's losses; None if no layer computes in float16."""
        if all(layer.compute_dtype != "float16" for layer in model.layers):
            return None
        with self.strategy.scope():
            return LossScale()

    def adapt(self, model: keras.Model) -> None:
        """Makes layers compute as this execution has to; nothing of it is saved.

        Batch norms use the whole batch's statistics, over all replicas; on one CPU
        they are fused. The rest is in `layer_ops`. Adapting twice changes nothing.
        """
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                self.adapt(layer)
            elif isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = layer.synchronized or self.replicas > 1
                if not (self.on_gpu or self.jit_compile):
                    layer_ops.fuse(layer)
            else:
                layer_ops.subsample_first(layer)

    def shares(self, size: int) -> list[slice] | None:
        """The rows of a batch that this process computes, by replica.

        Rows are dealt out evenly, in order; the first replicas have those that are
        left. A replica may have none.

        Args:
            size: Rows of the whole batch.

        Returns:
            One for each of the process's replicas; None if it computes whole batches.
        """
        if self.workers.count == 1:
            return None
        local = self.replicas // self.workers.count
        return even(size, self.replicas)[local * self.workers.index :][:local]

    def deal_out(self, batches: tf.data.Dataset) -> Iterable[Any]:
        """The batches, each split evenly over the replicas.

        Args:
            batches: Of the whole batch size; with several workers, the `shares` of the
                process's replicas in turn.

        Returns:
            An iterable of what `strategy.run` takes: per-replica tensors, or plain
            tensors on one device.
        """
        if self.workers.count > 1:
            deal_out = self.strategy.distribute_datasets_from_function
            return deal_out(lambda context: batches)
        return self.strategy.experimental_distribute_dataset(batches)


def forget_kernels() -> None:
    """Frees memory of shapes that ran before: cached kernels, malloc's free pages.

    To be called when a network was replaced by one of other shapes. Without it the
    memory of a search grows by some MiB a rebuild. Results do not change.
    """
    gc.collect()
    with contextlib.suppress(ImportError, AttributeError):
        from tensorflow.python.eager import context  # No public function does it.

        context.context().clear_kernel_cache()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # Only the GNU C library has it.
