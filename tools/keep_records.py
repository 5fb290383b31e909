"""Copies the texts of a run folder: no networks, checkpoints, curves and pictures.

python tools/keep_records.py --run_dir=runs/vgg11_cifar10_short --out_dir=docs/runs

The copy is small. It is all text but for the model that a search from Python was given.
Plans and reports are made from it as from the run folder. A comparison goes on from it:
copied to runs/, it has all cells that are done.
"""

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.run import files
from ns_tf.run.folder import (
    CELLS_FOLDER,
    CHECKPOINTS,
    FLAGS,
    LOCK,
    LOGS,
    MODEL,
    PLOTS,
    SEARCHES,
    TRAIN,
    WORKER_FLAGS,
    WORKERS,
)
from ns_tf.run.option import option

KINDS = (".json", ".csv", ".md", ".flags")  # Of files.
BULKY = (CHECKPOINTS, LOGS, PLOTS, WORKERS)  # Folders.


@dataclasses.dataclass(frozen=True)
class KeepConfig:
    """What is copied."""

    run_dir: str = option("", "The run folder.")
    out_dir: str = option("docs/runs", "Where its copy goes, under its name.")


def main(config: KeepConfig) -> None:
    """Copies, and says how much."""
    cli.quiet_tensorflow()
    source = Path(config.run_dir)
    if not (source / FLAGS).is_file():
        raise InputError(
            f"{source} is no run folder: there is no {FLAGS} in it. "
            "Give that of a search, a training or a comparison: --run_dir=runs/NAME."
        )
    target = Path(config.out_dir) / source.resolve().name
    inside = target.resolve().is_relative_to(source.resolve())
    if inside or (target / LOCK).exists():
        raise InputError(
            f"{target} is a run folder, and none of its files may be replaced by a "
            "copy. Give another --out_dir."
        )
    paths = sorted(_texts(source, _omitted(source)))
    paths += [path for path in [source / MODEL] if path.exists()]
    for path in paths:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        if path.name == FLAGS:
            # The folder of the data sets is another one on every machine.
            text = files.read_lines(path, what="list of flags")
            text = re.sub("(?m)^--data_dir=.*$", "# --data_dir=", text)
            files.write_lines(copy, text)
    size = sum(path.stat().st_size for path in paths)
    print(f"{target}: {len(paths)} files, {size:,} bytes")


def _omitted(source: Path) -> set[Path]:
    """Files and folders that are not copied.

    Among them the folders of trainings that have not ended, and of trained networks
    that such trainings start from: the copy has no network to start from.
    """
    from ns_tf.compare import cells
    from ns_tf.train.results import has_ended

    trainings = [*source.glob(f"{CELLS_FOLDER}/*"), *source.glob(f"{TRAIN}/*")]
    unfinished = {path for path in trainings if not has_ended(path)}
    for cell in cells.read_kept(source).cells.values():
        folder = source / CELLS_FOLDER / cell.name
        starts = cell.kind in (cells.FINETUNE, cells.MEMBER, cells.MORPHNET)
        if starts and not has_ended(folder):
            unfinished.add(source / CELLS_FOLDER / cell.trunk)
    searches = (source, *source.glob(f"{SEARCHES}/*"))
    bulky = {folder / name for folder in searches for name in BULKY}
    logs = {path / LOGS for path in trainings}
    return unfinished | bulky | logs | {source / WORKER_FLAGS}


def _texts(folder: Path, omitted: set[Path]) -> Iterator[Path]:
    """The text files below a folder."""
    for path in folder.iterdir():
        if path in omitted:
            continue
        if path.is_dir():
            yield from _texts(path, omitted)
        elif path.suffix in KINDS and not path.name.startswith("."):
            yield path


if __name__ == "__main__":
    cli.run(main, KeepConfig)
