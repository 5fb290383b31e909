"""TensorBoard beside the progress: what a progress is told, as scalars in a folder."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import tensorflow as tf

EVERY = 10  # Updates between two points of a curve.


def logged(progress: type, folder: str | Path) -> type:
    """`progress`, which also writes the values that it is told to `folder`.

    One run of TensorBoard a label; steps count on where an earlier run was stopped.
    Without TensorBoard installed it is `progress` itself.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return progress

    class Logged(progress):
        """Shows and writes."""

        def __enter__(self):

            name = re.sub(r"[^\w.+-]+", "_", self.label)
            self._writer = tf.summary.create_file_writer(str(Path(folder) / name))
            self._count = self.initial
            return super().__enter__()

        def __exit__(self, *exception):
            self._writer.close()
            return super().__exit__(*exception)

        def update(self, n: int = 1, **values: Any) -> None:
            """Counts n more units done, and writes the values now and then."""

            self._count += n
            if self._count % EVERY == 0:
                with self._writer.as_default(step=self._count):
                    for name, value in values.items():
                        tf.summary.scalar(name, value)
            super().update(n, **values)

    return Logged
