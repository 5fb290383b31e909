"""What networks are computed on and how: devices, threads, precision, XLA."""

import contextlib
import ctypes
import dataclasses
import functools
import gc
from collections.abc import Callable

import keras
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.engine import layer_ops
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.precision import LossScale, converted, with_policy
from ns_tf.networks.structure import shapes_only
from ns_tf.registry import unknown

STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "one_device": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
}
# Multiply-adds a second of a training step, forward and backward, in round figures: two
# CPU cores as measured (docs/performance.md); of a GPU a hundred times that, a guess.
SPEED = {"CPU": 3e10, "GPU": 3e12}


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The `tf.distribute` strategy of that name; "auto" mirrors over several GPUs.

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
    # One a process: the collectives of a second MirroredStrategy get the first one's
    # keys, and TensorFlow takes them for the same operation.
    return STRATEGIES[name]()


def set_threads(count: int) -> None:
    """Lets an operation use `count` CPU threads; 0 leaves it to TensorFlow.

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

    Raises:
        InputError: XLA over several replicas.
    """

    strategy: tf.distribute.Strategy = dataclasses.field(
        default_factory=lambda: strategy("one_device")
    )
    precision: str = "float32"  # Or a mixed policy of Keras's.
    jit_compile: bool = False  # Compile forward and backward with XLA.

    def __post_init__(self):
        if self.jit_compile and self.replicas > 1:
            raise InputError(
                f"--jit_compile works on one device; got {self.replicas} replicas. "
                "Leave it away, or give --strategy=one_device."
            )

    @classmethod
    def of(cls, runtime: RuntimeConfig) -> "Execution":
        """What the settings ask for; the threads as well.

        Raises:
            InputError: TensorFlow has started with other threads.
        """
        set_threads(runtime.threads)
        return cls(strategy(runtime.strategy), runtime.precision, runtime.jit_compile)

    @property
    def replicas(self) -> int:
        """Devices that a batch is dealt out to."""
        return self.strategy.num_replicas_in_sync

    @property
    def speed(self) -> float:
        """Multiply-adds of training a second, nominally: the same in every run."""
        return SPEED["GPU" if self.on_gpu else "CPU"] * self.replicas

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU to compute on."""
        return bool(tf.config.list_physical_devices("GPU"))

    def check(self, make: Callable[[], keras.Model]) -> None:
        """Makes the network of shapes alone, to see that it can be computed so.

        Raises:
            InputError: what `make` raises, or a layer cannot compute so.
        """
        whole = self.precision == "float32"
        shapes_only(lambda: make() if whole else converted(make(), self.precision))

    def build(self, make: Callable[[], keras.Model]) -> keras.Model:
        """The network that `make` makes, on the devices and at the precision.

        Its batch norms use the statistics of the whole batch, over all replicas.
        """
        with self.strategy.scope():
            model = make()
            if self.precision != "float32":
                model = with_policy(model, self.precision)
        self.adapt(model)
        return model

    def loss_scale(self, model: keras.Model) -> LossScale | None:
        """The scale of the model's losses, if it has gradients of float16."""
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

    def deal_out(self, batches: tf.data.Dataset):
        """Batches as the replicas take them."""
        return self.strategy.experimental_distribute_dataset(batches)


def forget_kernels() -> None:
    """Frees what is kept of shapes that ran: TensorFlow's kernels, malloc's free pages.

    Call it where a network has been replaced by one of other shapes. Without it a
    search would grow by some MiB a rebuild.
    """
    gc.collect()
    with contextlib.suppress(ImportError, AttributeError):
        from tensorflow.python.eager import context  # There is no public way.

        context.context().clear_kernel_cache()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # Of the GNU C library.
