"""The whole widths that a plan may have."""

import dataclasses
import numbers

import numpy as np

from ns_tf.base import InputError

LARGEST_WIDTH = 2**16  # Where a search without max_width ends.


@dataclasses.dataclass(frozen=True)
class Grid:
    """The whole widths that are allowed: multiples of `step` from `low` to `high`."""

    step: int
    low: int
    high: int

    def nearest(self, widths: np.ndarray) -> np.ndarray:
        """The nearest allowed widths, halves up; infinite ones become the largest."""
        # Departure: the authors truncate, which loses a filter to float error wherever
        # the law passes through a whole number.
        steps = np.floor(np.asarray(widths) / self.step + 0.5)
        return np.clip(steps * self.step, self.low, self.high).astype(np.int64)


def grid_of(
    round_to: int = 1, min_width: int = 1, max_width: int | None = None
) -> Grid:
    """The grid of these options, if they are positive whole numbers and leave any."""
    largest = LARGEST_WIDTH if max_width is None else max_width
    options = {"round_to": round_to, "min_width": min_width, "max_width": largest}
    for name, value in options.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise InputError(f"--{name} is a whole number from 1; got {value!r}.")
    low = -(-int(min_width) // int(round_to)) * int(round_to)
    high = int(largest) // int(round_to) * int(round_to)
    if low > high:
        raise InputError(
            f"No width is a multiple of --round_to={round_to}, at least --min_width="
            f"{min_width} and at most --max_width={largest}; change one of them."
        )
    return Grid(int(round_to), low, high)
