"""Curves for TensorBoard: the values that a bar shows, written as scalars."""

import importlib.util
import re
from pathlib import Path
from typing import Any

from ns_tf.run.progress import Bar, Meter

EVERY = 10  # Units between two points of a curve.


def logged(meter: Meter, folder: str | Path) -> Meter:
    """A meter whose bars also write their values for TensorBoard.

    Each label becomes a run of TensorBoard's, in a folder of its name. The steps of
    continued work go on where the earlier process stopped.

    Args:
        meter: Shows the progress.
        folder: Where the event files go.

    Returns:
        The meter that writes; `meter` itself if TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return meter
    return _Logged(meter, Path(folder))


class _Logged:
    """A meter that shows by another one and writes to a folder."""

    def __init__(self, meter: Meter, folder: Path):
        self.meter, self.folder = meter, folder

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar that is shown and written; arguments as of `Meter.bar`."""
        shown = self.meter.bar(total, label=label, unit=unit, initial=initial)
        name = re.sub(r"[^\w.+-]+", "_", label)
        return _LoggedBar(shown, self.folder / name, initial)


class _LoggedBar(Bar):
    """A bar that writes the values of every `EVERY`-th unit.

    Args:
        shown: The bar that shows them.
        folder: Where the event files go.
        count: Units that are done.
    """

    def __init__(self, shown: Bar, folder: Path, count: int):
        self.shown, self.folder, self.count = shown, folder, count

    def __enter__(self):
        import tensorflow as tf  # Only here: showing progress needs none.

        self._writer = tf.summary.create_file_writer(str(self.folder))
        self.shown.__enter__()
        return self

    def __exit__(self, *exception):
        self._writer.close()
        return self.shown.__exit__(*exception)

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units; writes the values if the count is a multiple."""
        import tensorflow as tf

        self.count += n
        if self.count % EVERY == 0:
            with self._writer.as_default(step=self.count):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
        self.shown.update(n, **values)
