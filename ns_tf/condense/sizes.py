"""How large the epitome of a kernel is, if it may have a share of its parameters."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ns_tf.networks.layers.sampling import (
    FIXED,
    LEARNED,
    WRAPPED,
    Sampling,
    Shape,
    sampling_of,
)

LEAST_SHARE = 1 / 64  # Of a kernel's entries: more blocks take long to be traced.
# (shape of a kernel, share of it) -> arguments of an epitome's layer.
Sizes = Callable[[Shape, float], Mapping[str, Any]]


def along_channels(kernel: Shape, share: float) -> dict[str, Any]:
    """Both axes of channels times the root of the share, rounded down.

    >>> along_channels((3, 3, 64, 128), 0.25)
    {'epitome': (3, 3, 32, 64)}

    Args:
        kernel: [window..., channels read, channels made].
        share: Of its entries, from 0 to 1.
    """
    *window, read, made = kernel
    scale = math.sqrt(share)
    return {"epitome": (*window, max(1, int(scale * read)), max(1, int(scale * made)))}


def by_stride(kernel: Shape, share: float) -> dict[str, Any]:
    """WSNet's stride and repeat with the most parameters within a share.

    The least if no pair is within.

    >>> by_stride((3, 8, 4), 0.25)  # 24 of 96.
    {'stride': 1, 'repeat': 2}

    Args:
        kernel: [window..., channels read, channels made].
        share: Of its entries, from 0 to 1.
    """
    found = [(sampling.params, settings) for sampling, settings in _strides(kernel)]
    most = share * math.prod(kernel)
    within = [one for one in found if one[0] <= most]
    best = max(within, key=_params) if within else min(found, key=_params)
    return best[1]


def _params(found: tuple[int, Mapping[str, Any]]) -> int:
    """The parameters of a pair of stride and repeat."""
    return found[0]


def _strides(kernel: Shape) -> Iterator[tuple[Sampling, dict[str, Any]]]:
    """All fixed samplings of a kernel, with the settings of each."""
    *window, read, _ = kernel
    for repeat in range(1, read + 1):
        if read % repeat:
            continue
        first = window[0] if window else read // repeat
        for stride in range(1, first + 1):
            settings = {"stride": stride, "repeat": repeat}
            yield sampling_of(FIXED, kernel, **settings), settings


SIZES: Mapping[str, Sizes] = {
    WRAPPED: along_channels,
    LEARNED: along_channels,
    FIXED: by_stride,
}


def settings_of(kind: str, kernel: Shape, share: float) -> dict[str, Any] | None:
    """Arguments of a layer whose epitome has at most a share of a kernel's entries.

    Args:
        kind: Of sampling.
        kernel: Its shape.
        share: From 0 to 1.

    Returns:
        None where what is stored, starts included, would be no smaller than the kernel.
    """
    least = LEAST_SHARE
    if kind == LEARNED:  # n s entries and a / s starts are fewest at s = sqrt(a / n).
        least = max(least, math.sqrt(len(kernel) / math.prod(kernel)))
    settings = SIZES[kind](kernel, min(1.0, max(least, share)))
    if sampling_of(kind, kernel, **settings).params >= math.prod(kernel):
        return None
    return {"sampling": kind, **settings}
