"""Copies what a run folder says, without networks, checkpoints, curves and pictures.

python tools/keep_records.py --run_dir=runs/vgg11_cifar10_short --out_dir=docs/runs

The copy is small and text (but for the model that a Python search was given). Plans
and reports are made from it as from the run folder, and a comparison goes on from it:
copied to runs/, it has all cells that are done.
"""

import dataclasses
import re
import shutil
from pathlib import Path

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.cli import quiet_tensorflow
from ns_tf.run import files
from ns_tf.run.folder import FLAGS, LOCK
from ns_tf.run.option import option

KINDS = (".json", ".csv", ".md", ".flags")
LEFT = ("checkpoints", "logs", "plots", "workers")


@dataclasses.dataclass(frozen=True)
class KeepConfig:
    """What is copied."""

    run_dir: str = option("", "The run folder.")
    out_dir: str = option("docs/runs", "Where its copy goes, under its name.")


def main(config: KeepConfig) -> None:
    """Copies, and says how much."""
    quiet_tensorflow()
    from ns_tf.run.folder import MODEL

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
    found = sorted(_told(source, _without(source)))
    found += [path for path in [source / MODEL] if path.exists()]
    for path in found:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        if path.name == FLAGS:
            # Where data are is a machine's own affair.
            text = re.sub("(?m)^--data_dir=.*$", "# --data_dir=", path.read_text())
            files.write_text(copy, text)
    size = sum(path.stat().st_size for path in found)
    print(f"{target}: {len(found)} files, {size:,} bytes")


def _without(source: Path) -> set[Path]:
    """Folders that are left out: of trainings that are not done.

    A network that others are still to start from is not, either: it has to be there.
    """
    from ns_tf.compare import cells
    from ns_tf.train.job import has_ended

    trained = [*source.glob("cells/*"), *source.glob("train/*")]
    open_ = {path for path in trained if not has_ended(path)}
    for cell in cells.read_kept(source).cells.values():
        folder = source / "cells" / cell.name
        if cell.trunk and not has_ended(folder):
            open_.add(source / "cells" / cell.trunk)
    searches = source.glob("searches/*")
    left = {folder / name for folder in (source, *searches) for name in LEFT}
    logs = {path / "logs" for path in trained}
    return open_ | left | logs | {source / "worker.flags"}


def _told(folder: Path, without: set[Path]):
    """The files below a folder that say something."""
    for path in folder.iterdir():
        if path in without:
            continue
        if path.is_dir():
            yield from _told(path, without)
        elif path.suffix in KINDS and not path.name.startswith("."):
            yield path


if __name__ == "__main__":
    cli.run(main, KeepConfig)
