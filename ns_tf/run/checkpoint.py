"""A file that long work continues from after it was stopped or killed."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.run import files
from ns_tf.run.stop import Stop


class Checkpoint:
    """A file of arrays and facts, replaced as a whole at every save.

    After every step the work asks `due` and, if so, calls `save`; a kill at any moment
    leaves the last complete save.

    Args:
        path: The file. If None nothing is saved, and a requested stop just ends the
            work.
        seconds: Least time between two saves.
        stop: Asked at every step whether to stop; never stops if None.
        writes: False for a file that another process writes: it is only read.
    """

    def __init__(
        self,
        path: str | Path | None,
        *,
        seconds: float,
        stop: Stop | None = None,
        writes: bool = True,
    ):
        self.path = None if path is None else Path(path)
        self.writes = writes and path is not None
        self.seconds = seconds
        self.stop = stop or Stop()
        self._saved = time.monotonic()

    def restore(self, take: Callable[[dict[str, np.ndarray], dict], None]) -> None:
        """Hands over what was saved last, if anything was.

        Args:
            take: Called with the arrays and facts of `save`. Whatever it raises means
                that the file is damaged.

        Raises:
            InputError: the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return
        remedy = "Delete it: what it was saved in begins again."
        with files.readable(self.path, "checkpoint", remedy):
            take(*files.read_arrays(self.path, what="checkpoint", remedy=remedy))

    def due(self) -> bool:
        """Whether to save now: a stop is requested, or the last save is old enough."""
        if self.stop.requested:
            return True
        return self.writes and time.monotonic() - self._saved >= self.seconds

    def save(self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
        """Replaces what was saved last; then ends the work if a stop is requested.

        Args:
            arrays: By name.
            facts: Values that JSON can hold.

        Raises:
            Interrupted: a signal asked to stop.
        """
        if self.writes:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_arrays(self.path, dict(arrays), dict(facts))
        self._saved = time.monotonic()
        self.stop.leave()

    def remove(self) -> None:
        """Removes the file if there is one, as when the result is written."""
        if self.writes:
            self.path.unlink(missing_ok=True)
