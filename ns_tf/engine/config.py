"""Settings of how networks are computed."""

import dataclasses

from ns_tf.run.checks import at_least, within
from ns_tf.run.option import option

LARGEST_SEED = 2**32 - 1  # NumPy's.


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """How it runs."""

    strategy: str = option(
        "auto",
        "tf.distribute strategy; auto mirrors over the GPUs if there are several.",
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
    )
    checkpoint_seconds: float = option(
        60.0,
        "Seconds between two checkpoints: what a killed run can lose.",
        identity=False,
    )

    def __post_init__(self):
        at_least(self, 0, "threads", "checkpoint_seconds")


@dataclasses.dataclass(frozen=True)
class RuntimeConfig(ExecutionConfig):
    """How it runs."""

    seed: int = option(0, "Of weights, order of images and augmentation.")

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 0, "seed")
        within(self, 0, LARGEST_SEED, "seed")
