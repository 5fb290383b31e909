"""A schedule of two layers, whose arena is known by hand."""

from ns_tf.networks.arena import PeakMemory
from ns_tf.networks.schedule import CONV, SUM, Buffer, Schedule, Step


def toy_memory(*, projection=False):
    """image [30] - a [64 w0] - b [16 w1], and a sum with the projection of a."""
    buffers = [((30, 2),), ((64, 0),), ((16, 1),), ((16, 1),), ((16, 1),)]
    steps = [Step("a", CONV, (0,), 1), Step("b", CONV, (1,), 2)]
    if projection:
        steps.append(Step("p", CONV, (1,), 3, differ=(0, 1), instead=1))
    steps.append(Step("s", SUM, (2, 3) if projection else (2,), 4))
    return PeakMemory(
        "bytes", Schedule(tuple(Buffer(1, b) for b in buffers), tuple(steps), 4), 2
    )
