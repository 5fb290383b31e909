"""How long one forward pass takes on this machine."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import Cost
from ns_tf.budgets import Measure, budget
from ns_tf.parts import each

if TYPE_CHECKING:
    import keras

    from ns_tf.networks.structure import Structure


def measure(
    model: "keras.Model",
    input_shape: tuple[int, int, int],
    *,
    batch: int,
    warmup: int,
    repeats: int,
) -> float:
    """Median time of one forward pass, in ms; see `timings` for the arguments."""
    times = timings(model, input_shape, batch=batch, warmup=warmup, repeats=repeats)
    return percentiles(times)[0]


def timings(
    model: "keras.Model",
    input_shape: tuple[int, int, int],
    *,
    batch: int,
    warmup: int,
    repeats: int,
) -> np.ndarray:
    """Times [repeats] of forward passes in inference mode, in ms.

    Args:
        model: A built `keras.Model` on the TensorFlow backend.
        input_shape: (height, width, channels) of an image.
        batch: Images in one pass.
        warmup: Passes that are not timed; the first one also traces, so there is at
            least one.
        repeats: Passes that are timed.
    """
    timed = forward_pass(model, input_shape, batch)
    for _ in range(max(warmup, 1)):
        timed()
    return np.array([timed() for _ in range(repeats)])


def forward_pass(
    model: "keras.Model", input_shape: tuple[int, int, int], batch: int
) -> Callable[[], float]:
    """A function that runs one forward pass and returns how long it took, in ms.

    Lets networks take turns, so that a machine that slows down slows all of them. The
    first call traces.

    Args:
        model: A built `keras.Model` on the TensorFlow backend.
        input_shape: (height, width, channels) of an image.
        batch: Images in one pass.
    """
    import tensorflow as tf

    @tf.function(jit_compile=False)
    def forward(images):
        return model(images, training=False)

    # An argument, not a captured constant, which TensorFlow could fold away.
    images = each(lambda shape: tf.fill((batch, *shape), 0.5), input_shape)

    def timed() -> float:
        start = time.perf_counter()
        _wait(forward(images))
        return 1e3 * (time.perf_counter() - start)

    return timed


def percentiles(times: np.ndarray) -> tuple[float, float]:
    """Median and 95th percentile of times, in their own unit.

    >>> percentiles(np.arange(101.0))
    (50.0, 95.0)
    """
    median, p95 = np.percentile(times, [50, 95])
    return float(median), float(p95)


def _wait(outputs: Any) -> None:
    """Copies the outputs to the host; a GPU returns before it has computed them."""
    import tensorflow as tf

    tf.nest.map_structure(lambda output: output.numpy(), outputs)


@budget(
    "latency_ms",
    unit="ms",
    help="Milliseconds of one batch, at most: measured here (median), or by --device.",
    measured=True,
    priced=True,  # By a device file; a measurement has no price.
)
def latency_ms(structure: "Structure", measure_as: Measure) -> Cost:
    """The cost that builds the network of given widths and times it.

    Args:
        structure: Of the architecture.
        measure_as: Batch size and numbers of batches.
    """

    def cost(widths: np.ndarray) -> float:
        model = structure.build([int(width) for width in widths])
        return measure(
            model,
            structure.input_shape,
            batch=measure_as.batch,
            warmup=measure_as.warmup,
            repeats=measure_as.repeats,
        )

    return Cost(cost, measured=True)
