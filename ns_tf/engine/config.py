"""Settings of how networks are computed: on what, how precisely, how often saved."""

import dataclasses

from ns_tf.run.checks import above_zero, at_least, at_least_if_set, within
from ns_tf.run.option import option

LARGEST_COUNT = 1024  # Of threads or processes; more are a typing error.
LARGEST_SEED = 2**32 - 1  # The largest that `np.random.seed` takes.
LONGEST_WAIT = 1_000_000  # Seconds; system calls refuse much longer ones.


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """How networks are computed; none of it is part of the method.

    Settings with `identity=False` may change when a run is continued: they decide how
    fast it is, or how much a kill loses, and what is computed up to rounding.

    Raises:
        InputError: a number is negative; names the flag.
    """

    strategy: str = option(
        "auto",
        "tf.distribute strategy; auto takes several workers if they are named "
        "(--workers_at, or TF_CONFIG), else mirrors over several GPUs.",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    precision: str = option(
        "float32",
        "float32, or a mixed policy of Keras's: lower precision inside the layers, "
        "float32 weights.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    jit_compile: bool = option(
        False,
        "Compile forward and backward passes with XLA. Every rebuild compiles again, "
        "and on CPU the steps are slower. Results are the same bits only with the same "
        "setting.",
        identity=False,
    )
    threads: int = option(
        0,
        "CPU threads of an operation; 0 for all cores. Results are the same bits only "
        "at the same number.",
        identity=False,
        own=True,
        most=LARGEST_COUNT,
    )
    checkpoint_seconds: float = option(
        60.0,
        "Seconds between two checkpoints: what a killed run can lose.",
        identity=False,
        own=True,
    )

    workers_at: tuple[str, ...] = option(
        (),
        "Addresses of all processes that compute this run together, as host:port,"
        "host:port; the first is the chief, which alone writes. The run folder is on a "
        "file system that all of them share. TF_CONFIG may name them instead. For "
        "searches, trainings, prunings, comparisons and tunings.",
        identity=False,
        own=True,
    )
    worker: int | None = option(
        None,
        "The place of this process in --workers_at, from 0.",
        identity=False,
        own=True,
    )
    workers_seconds: float = option(
        300.0,
        "Seconds that a worker waits for the others at the start; then it names those "
        "that are missing, and ends.",
        identity=False,
        own=True,
    )

    def __post_init__(self):
        at_least(self, 0, "threads", "checkpoint_seconds")
        at_least_if_set(self, 0, "worker")
        above_zero(self, "workers_seconds")
        within(self, 0, LONGEST_WAIT, "workers_seconds")


@dataclasses.dataclass(frozen=True)
class RuntimeConfig(ExecutionConfig):
    """How one run is computed: `ExecutionConfig`, and the seed of its random numbers.

    A comparison has an `ExecutionConfig` alone, as each of its trainings has a seed of
    its own.

    Raises:
        InputError: a number is out of range; names the flag.
    """

    seed: int = option(
        0, "Of weights, order of images and augmentation.", most=LARGEST_SEED
    )

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 0, "seed")
        within(self, 0, LARGEST_SEED, "seed")
