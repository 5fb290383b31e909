"""Every setting, with its default and its help: the fields here are the flags.

Nothing heavier than NumPy is imported, so that `--help` and a mistyped flag are
answered at once.
"""

import dataclasses

from ns_tf.base import InputError
from ns_tf.run.option import option

FOLDER_NAME = r"[\w+-][\w.+-]{0,99}"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where it is kept."""

    run_dir: str = option("", "The run folder, runs/NAME for instance.", identity=False)

    def __post_init__(self):
        if not self.run_dir:
            raise InputError("Say where the run is kept: --run_dir=runs/NAME.")
