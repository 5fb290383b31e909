"""A file that long work continues from."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.run import files
from ns_tf.run.stop import Stop


class Checkpoint:
    """A file that long work continues from.

    Args:
        path: The file; None to save nothing and only leave when asked to stop.
        seconds: Least time between two saves.
        stop: Asked at every step whether a signal wants the work to stop.
    """

    def __init__(
        self, path: str | Path | None, *, seconds: float, stop: Stop | None = None
    ):
        self.path = None if path is None else Path(path)
        self.seconds = seconds
        self.stop = stop or Stop()
        self._saved = time.monotonic()

    def restore(self, take: Callable[[dict[str, np.ndarray], dict], None]) -> None:
        """Calls `take(arrays, facts)` with what was saved last, if anything was.

        Raises:
            InputError: if the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return
        remedy = "Delete it: what it was saved in begins again."
        with files.readable(self.path, "checkpoint", remedy):
            take(*files.read_arrays(self.path, what="checkpoint", remedy=remedy))

    def due(self) -> bool:
        """Whether to save now."""
        if self.stop.requested:
            return True
        return self.path is not None and time.monotonic() - self._saved >= self.seconds

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Replaces what was saved last; then leaves if a signal asked to stop.

        Args:
            arrays: By name.
            facts: Plain values that JSON can hold.

        Raises:
            Interrupted: a signal asked to stop.
        """
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_arrays(self.path, dict(arrays), dict(facts))
        self._saved = time.monotonic()
        self.stop.leave()

    def remove(self) -> None:
        """Removes the file, if there is one."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
