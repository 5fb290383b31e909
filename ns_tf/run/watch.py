"""What watches long work: progress, a request to stop, checkpoints."""

import dataclasses
from pathlib import Path

from ns_tf.run import tensorboard
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.progress import Bar, Meter, Quiet
from ns_tf.run.stop import Stop


@dataclasses.dataclass(frozen=True)
class Watch:
    """Shows how far work has come, lets it stop, and says where it is saved.

    The default shows nothing, never stops and keeps nothing.
    """

    progress: Meter = dataclasses.field(default_factory=Quiet)
    stop: Stop = dataclasses.field(default_factory=Stop)
    seconds: float = 60.0  # Least time between two checkpoints.
    folder: Path | None = None  # Where checkpoints go; None keeps none.

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar of the progress meter (`ns_tf.run.progress.Meter.bar`)."""
        return self.progress.bar(total, label=label, unit=unit, initial=initial)

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of this name in the folder.

        Args:
            name: Of the file, below the folder.
        """
        path = None if self.folder is None else self.folder / name
        return Checkpoint(path, seconds=self.seconds, stop=self.stop)

    def at(self, folder: str | Path, logs: str | Path | None = None) -> "Watch":
        """The same watch for work that is kept in a folder.

        Args:
            folder: Where its checkpoints go.
            logs: Where curves for TensorBoard go; none are written if None.
        """
        progress = self.progress
        if logs is not None:
            progress = tensorboard.logged(progress, logs)
        return dataclasses.replace(self, folder=Path(folder), progress=progress)

    def quiet(self) -> "Watch":
        """The same watch, showing nothing."""
        return dataclasses.replace(self, progress=Quiet())
