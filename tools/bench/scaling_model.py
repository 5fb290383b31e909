"""What several workers would take: seconds of a step, of an event and of a search.

python tools/bench/scaling_model.py --batches=32,256 --seconds=0.045,0.325 \\
    --parameters=25600000 --norms=53 --variables=267 --images=1281167 \\
    --filters=25000 --batch=256 --pretrain_epochs=10

From two measured steps of one device, and the bandwidth and latency between devices.
Nothing overlaps in the model: what is reduced waits for what is computed. So it is an
upper bound where TensorFlow reduces the gradients of some layers while it computes
others.
"""

import dataclasses
import math
from collections.abc import Sequence

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.render import tables
from ns_tf.run.checks import above_zero, at_least
from ns_tf.run.option import option

# Sums over replicas of a synchronised batch norm in a step (Keras 3.15,
# `_compute_moments_sync`): sum, sum of squares and count forward, two gradients back.
PER_NORM = 5
SINGLE = 2  # Sums of a step beside them: the gradients, packed, and the loss.
FLOAT = 4  # Bytes.
SHARE = 0.1  # Of the time between two events, an event should take at most this.


@dataclasses.dataclass(frozen=True)
class ScalingConfig:
    """What one device takes, how devices are joined, and the search."""

    batches: tuple[int, ...] = option((64, 256), "Two batch sizes.")
    seconds: tuple[float, ...] = option((0.02, 0.065), "Of a step of each, measured.")
    parameters: int = option(9_200_000, "Numbers in the gradients.")
    norms: int = option(8, "Batch norms.")
    variables: int = option(50, "Variables that a rebuild makes.")
    event: float = option(0.05, "Seconds of an event without a rebuild, measured.")
    rebuild: float = option(3.0, "Seconds of a rebuild: building, tracing, measured.")
    rebuilds: float = option(0.1, "Rebuilds an event.")
    bandwidth: float = option(10.0, "Between two devices, GB a second.")
    latency: float = option(30.0, "Of a message, microseconds.")
    workers: tuple[int, ...] = option((1, 2, 4, 8, 16, 32, 64), "Devices.")
    batch: int = option(256, "Images of a step, over all devices.")
    weak: bool = option(False, "Whether --batch is that of each device.")
    images: int = option(50_000, "Of an epoch.")
    pretrain_epochs: int = option(10, "Epochs before the first event.")
    filters: int = option(2_600, "To be removed.")
    filters_per_event: int = option(10, "With one device.")
    steps_per_event: int = option(50, "With one device.")
    thin: float = option(0.5, "A step while pruning, in whole ones, on the average.")

    def __post_init__(self):
        above_zero(self, "bandwidth", "thin")
        at_least(self, 1, "batch", "images", "filters", "filters_per_event")
        at_least(self, 0, "latency", "event", "rebuild", "rebuilds")
        pairs = dict(zip(self.batches, self.seconds, strict=False))
        if not len(pairs) == len(self.batches) == len(self.seconds) == 2:
            raise InputError(
                "Give two --batches and the --seconds of each; got "
                f"{self.batches} and {self.seconds}."
            )


@dataclasses.dataclass(frozen=True)
class Step:
    """Seconds of the parts of a step.

    Args:
        fixed: Of one device, whatever the batch.
        images: Of one device, for its images.
        gradients: Summing the gradients over the devices.
        norms: Summing the statistics of batch norms, and the loss.
    """

    fixed: float
    images: float
    gradients: float
    norms: float

    @property
    def total(self) -> float:
        """Seconds of the step."""
        return self.fixed + self.images + self.gradients + self.norms

    @property
    def bound(self) -> str:
        """The part that takes longest."""
        parts = dataclasses.asdict(self)
        return max(parts, key=lambda name: parts[name])


def line(batches: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """(seconds of a step whatever its batch, seconds of an image), neither below 0.

    >>> [round(value, 6) for value in line((64, 256), (0.02, 0.068))]
    [0.004, 0.00025]
    """
    (few, many), (short, long) = batches, seconds
    image = max(0.0, (long - short) / (many - few))
    return max(0.0, short - few * image), image


def reduced(size: float, workers: int, bandwidth: float, latency: float) -> float:
    """Seconds in which so many bytes are summed over all workers.

    A ring moves 2 (n - 1) / n of the bytes through every link; a message passes
    2 ceil(log2 n) hops of a tree. (Thakur, Rabenseifner and Gropp, Int. J. High
    Performance Computing Applications 19 (2005), section 4.5.)

    >>> reduced(1e9, 2, bandwidth=1e9, latency=0.25), reduced(1e9, 1, 1e9, 0.25)
    (1.5, 0.0)
    """
    return moved(size, workers) / bandwidth + hops(workers) * latency


def moved(size: float, workers: int) -> float:
    """Bytes through every link of a ring that sums so many.

    >>> moved(100.0, 4)
    150.0
    """
    return 2 * (workers - 1) / workers * size


def hops(workers: int) -> int:
    """Latencies of a message that is summed along a tree, and told.

    >>> hops(1), hops(2), hops(5)
    (0, 2, 6)
    """
    return 2 * math.ceil(math.log2(workers))


def step_of(config: ScalingConfig, workers: int) -> Step:
    """A step of so many workers."""
    fixed, image = line(config.batches, config.seconds)
    own = config.batch if config.weak else math.ceil(config.batch / workers)
    way = workers, config.bandwidth * 1e9, config.latency * 1e-6
    small = SINGLE - 1 + PER_NORM * config.norms
    return Step(
        fixed,
        own * image,
        reduced(FLOAT * config.parameters, *way),
        small * reduced(FLOAT, *way),
    )


def event_of(config: ScalingConfig, workers: int) -> float:
    """Seconds of an event: the choice, its share of a rebuild, and what that sends.

    Every variable of a new network is sent by the chief.
    """
    way = workers, config.bandwidth * 1e9, config.latency * 1e-6
    sent = config.variables * reduced(FLOAT, *way)
    sent += reduced(FLOAT * config.parameters, *way)
    return config.event + config.rebuilds * (config.rebuild + sent)


def pace(step: float, event: float, filters: int, steps: int) -> tuple[int, int]:
    """Filters and steps an event by which events take at most `SHARE` of the time.

    Both grow alike, so that as many images are seen for each filter that goes.

    >>> pace(step=0.1, event=0.5, filters=10, steps=50)
    (10, 50)
    >>> pace(step=0.01, event=0.5, filters=10, steps=50)
    (90, 450)

    Args:
        step: Seconds.
        event: Seconds.
        filters: An event at least.
        steps: An event at least.
    """
    times = math.ceil((1 - SHARE) / SHARE * event / (steps * step))
    return times * filters, times * steps


def rate_of(config: ScalingConfig, workers: int) -> float:
    """Images a second in training steps."""
    return _batch(config, workers) / step_of(config, workers).total


def _batch(config: ScalingConfig, workers: int) -> int:
    """Images of a step, over all workers."""
    return config.batch * (workers if config.weak else 1)


def row(config: ScalingConfig, workers: int) -> list[str]:
    """A row of the table: what so many workers take."""
    step, event = step_of(config, workers), event_of(config, workers)
    batch, rate = _batch(config, workers), rate_of(config, workers)
    # As many images for each filter as one device sees.
    seen = config.steps_per_event * config.batch
    thin = config.thin * step.total
    filters, steps = pace(
        thin, event, config.filters_per_event, max(1, math.ceil(seen / batch))
    )
    events = math.ceil(config.filters / filters)
    pretraining = config.pretrain_epochs * (config.images // batch) * step.total
    seconds = pretraining + events * (steps * thin + event)
    return [
        str(workers),
        *(f"{1000 * part:.1f}" for part in (step.total, step.gradients, step.norms)),
        step.bound,
        f"{rate:,.0f}",
        f"{100 * rate / (workers * rate_of(config, 1)):.0f}",
        f"{event:.2f}",
        f"{filters}/{steps}",
        f"{seconds / 3600:.2f}",
    ]


def main(config: ScalingConfig) -> None:
    """Prints the table."""
    header = "devices|step, ms|gradients|norms|bound by|images/s|efficiency, %"
    header += "|event, s|filters/steps an event|search, h"
    rows = [row(config, count) for count in config.workers]
    print(tables.markdown(header.split("|"), rows))


if __name__ == "__main__":
    cli.run(main, ScalingConfig)
