"""The setting that every command with a run folder shares.

Nothing heavier than NumPy is imported, so that `--help` and a mistyped flag are
answered at once.
"""

import dataclasses
import re

from ns_tf.base import InputError
from ns_tf.run.option import option

# Names that users may give to folders within a run folder: no path leads out of it.
FOLDER_NAME = r"[\w+-][\w.+-]{0,99}"


def check_name(name: str | None) -> None:
    """Refuses a name that no folder within a run folder can have.

    Args:
        name: Of the folder; None where it is named by what is in it.

    Raises:
        InputError: it is another.
    """
    named = isinstance(name, str) and re.fullmatch(FOLDER_NAME, name)
    if name is not None and not named:
        raise InputError(
            "--name is a folder's name of letters, digits, '.', '_', '+' and '-', "
            f"at most 100 of them; got {name!r}."
        )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Where it is kept."""

    run_dir: str = option("", "The run folder, runs/NAME for instance.", identity=False)

    def __post_init__(self) -> None:
        if not self.run_dir:
            raise InputError("Say where the run is kept: --run_dir=runs/NAME.")
