"""Curves for TensorBoard: the values that a bar shows, as scalars in a folder."""

import importlib.util
import re
from pathlib import Path
from typing import Any

from ns_tf.run.progress import Bar, Meter

EVERY = 10  # Updates between two points of a curve.


def logged(meter: Meter, folder: str | Path) -> Meter:
    """A meter whose bars also write their values to `folder`.

    TensorBoard shows one run a label; steps go on where an earlier run stopped. Without
    TensorBoard installed it is the meter itself.

    Args:
        meter: Shows the progress.
        folder: Where the event files go.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return meter
    return _Logged(meter, Path(folder))


class _Logged:
    """A meter that also writes."""

    def __init__(self, meter: Meter, folder: Path):
        self.meter, self.folder = meter, folder

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar that is shown and written."""
        shown = self.meter.bar(total, label=label, unit=unit, initial=initial)
        name = re.sub(r"[^\w.+-]+", "_", label)
        return _LoggedBar(shown, self.folder / name, initial)


class _LoggedBar(Bar):
    """A bar that writes every `EVERY`-th update's values."""

    def __init__(self, shown: Bar, folder: Path, count: int):
        self.shown, self.folder, self.count = shown, folder, count

    def __enter__(self):
        import tensorflow as tf  # Late: what only shows progress needs none.

        self._writer = tf.summary.create_file_writer(str(self.folder))
        self.shown.__enter__()
        return self

    def __exit__(self, *exception):
        self._writer.close()
        return self.shown.__exit__(*exception)

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units, and writes the values now and then."""
        import tensorflow as tf

        self.count += n
        if self.count % EVERY == 0:
            with self._writer.as_default(step=self.count):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
        self.shown.update(n, **values)
