"""How long one forward pass takes on this machine."""

import dataclasses
import time

import numpy as np

from ns_tf.base import Cost
from ns_tf.budgets import Measure, budget


def measure(
    model,
    input_shape: tuple[int, int, int],
    *,
    batch: int = 100,
    warmup: int = 20,
    repeats: int = 80,
) -> float:
    """Median time of one forward pass in ms; see `timings` for the arguments."""
    times = timings(model, input_shape, batch=batch, warmup=warmup, repeats=repeats)
    return percentiles(times)[0]


def timings(
    model,
    input_shape: tuple[int, int, int],
    *,
    batch: int = 100,
    warmup: int = 20,
    repeats: int = 80,
) -> np.ndarray:
    """Times [repeats] in ms of forward passes in inference mode.

    Defaults are the paper's (section 4.2): batches of 100, 20 to warm up, 80 timed.

    Args:
        model: A built `keras.Model` on the TensorFlow backend.
        input_shape: (height, width, channels) of an image.
        batch: Images in one pass.
        warmup: Passes that are not timed; the first one also traces.
        repeats: Passes that are timed.
    """
    timed = forward_pass(model, input_shape, batch)
    for _ in range(max(warmup, 1)):
        timed()
    return np.array([timed() for _ in range(repeats)])


def forward_pass(model, input_shape: tuple[int, int, int], batch: int = 100):
    """A function that runs one forward pass and returns how long it took, in ms.

    For networks that are to take turns; the first call traces.
    """
    import tensorflow as tf

    @tf.function(jit_compile=False)
    def forward(images):
        return model(images, training=False)

    # An argument, not a captured constant, which TensorFlow could fold away.
    images = tf.fill((batch, *input_shape), 0.5)

    def timed() -> float:
        start = time.perf_counter()
        _wait(forward(images))
        return 1e3 * (time.perf_counter() - start)

    return timed


def percentiles(times: np.ndarray) -> tuple[float, float]:
    """Median and 95th percentile of times, in the unit that they have."""
    median, p95 = np.percentile(times, [50, 95])
    return float(median), float(p95)


def _wait(outputs) -> None:
    """Copies the outputs to the host, which on a GPU is when they are really there."""
    import tensorflow as tf

    tf.nest.map_structure(lambda output: output.numpy(), outputs)


@budget(
    "latency_ms",
    unit="ms",
    help="Milliseconds of one batch on this device, at most (median, measured).",
    measured=True,
)
def latency_ms(structure, measure_as: Measure):
    """Builds the network of the widths asked for and times it."""

    def cost(widths) -> float:
        model = structure.build([int(width) for width in widths])
        return measure(model, structure.input_shape, **dataclasses.asdict(measure_as))

    return Cost(cost, measured=True)
