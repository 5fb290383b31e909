"""What watches long work: progress, a request to stop, checkpoints.

One value in place of three, which every function hands down to the step loop.
"""

import dataclasses
from pathlib import Path

from ns_tf.base import InputError
from ns_tf.run import tensorboard
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.progress import Bar, Meter, Quiet
from ns_tf.run.stop import Stop


@dataclasses.dataclass(frozen=True)
class Watch:
    """Shows progress, requests stops, and says where checkpoints are.

    The default shows nothing, never stops and keeps nothing.

    Args:
        progress: The meter.
        stop: Asked at every step whether to stop.
        seconds: Least time between two checkpoints.
        folder: Where checkpoints are; None keeps none.
        writes: False in a process that reads the checkpoints of another one.
    """

    progress: Meter = dataclasses.field(default_factory=Quiet)
    stop: Stop = dataclasses.field(default_factory=Stop)
    seconds: float = 60.0
    folder: Path | None = None
    writes: bool = True

    def __post_init__(self):
        for name, needed in (("progress", "bar"), ("stop", "leave")):
            if not hasattr(getattr(self, name), needed):
                raise InputError(
                    f"{name} is a ns_tf.Progress() or a ns_tf.run.stop.Stop(); got "
                    f"{getattr(self, name)!r}."
                )

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar of the progress meter; arguments as of `Meter.bar`."""
        return self.progress.bar(total, label=label, unit=unit, initial=initial)

    def checkpoint(self, name: str, stop: Stop | None = None) -> Checkpoint:
        """The checkpoint of this name; it saves nothing if there is no folder.

        Args:
            name: Of the file, below the folder.
            stop: Asked whether to stop, in place of the watch's own.
        """
        path = None if self.folder is None else self.folder / name
        return Checkpoint(
            path, seconds=self.seconds, stop=stop or self.stop, writes=self.writes
        )

    def at(self, folder: str | Path, logs: str | Path | None = None) -> "Watch":
        """The same watch for work that is kept in a folder.

        Args:
            folder: Where checkpoints are.
            logs: Where curves for TensorBoard are written; none if None.
        """
        progress = self.progress
        if logs is not None:
            progress = tensorboard.logged(progress, logs)
        return dataclasses.replace(self, folder=Path(folder), progress=progress)

    def quiet(self) -> "Watch":
        """The same watch without progress."""
        return dataclasses.replace(self, progress=Quiet())
