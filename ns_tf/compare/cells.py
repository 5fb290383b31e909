"""The cells of a comparison: a network for every method, budget and seed.

`cells.json` keeps all cells that any run asked for, so that a label keeps its widths
and a method can be asked for again. Names of cells are names of their folders.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import Widths
from ns_tf.run import files
from ns_tf.run.folder import CELLS

VERSION = 1
SCRATCH, FINETUNE, TRUNK = "scratch", "finetune", "trunk"
SUPERNET, MEMBER = "supernet", "member"
MORPHNET = "morphnet_gamma"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training of a comparison."""

    name: str  # Its folder.
    method: str  # Its label in tables.
    budget: str  # The text of `--budgets`.
    seed: int
    architecture: str
    widths: Widths | None  # [layers]; None if they follow from the cell `trunk`.
    # SCRATCH, FINETUNE, or MEMBER of a supernet; of those that others start from:
    # TRUNK, which is pruned, SUPERNET, or MORPHNET, which finds widths.
    kind: str
    trunk: str | None = None  # The cell that it starts from, or has its widths from.
    # How the trained network is pruned (`ns_tf.prune.choices.Choices`); of a cell that
    # has the widths of another one, its recipe; of a supernet and its members, which
    # supernet (`ns_tf.slim.config.KINDS`); of MorphNet, how many rounds.
    start: str | None = None
    # Layer -> arguments of the layer of an epitome in its place; None if all kernels
    # are the network's own.
    epitomes: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def shown(self) -> bool:
        """Whether it is in the tables; what others start from is not."""
        return self.kind not in (TRUNK, SUPERNET, MORPHNET)

    @property
    def network(self) -> str:
        """The name of its network, but for the widths.

        >>> cell = Cell("", "", "", 0, "vgg11", (3,), SCRATCH, epitomes={"a": {}})
        >>> cell.network, dataclasses.replace(cell, epitomes=None).network
        ('vgg11@epitomes-b2143107', 'vgg11')
        """
        if self.epitomes is None:
            return self.architecture
        text = json.dumps(self.epitomes, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.architecture}@epitomes-{digest}"

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values; epitomes where there are some."""
        values = dataclasses.asdict(self)
        if self.epitomes is None:
            del values["epitomes"]
        return values


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a comparison's folder keeps of earlier runs."""

    cells: Mapping[str, Cell]  # By name: the cells of all runs.
    asked: tuple[str, ...]  # Names of the last run's cells, in their order.
    task: Mapping[str, Any] | None  # Settings of network and data, by flag.
    wanted: Mapping[str, Any] | None = None  # Methods, budgets, seeds of the last run.


@dataclasses.dataclass(frozen=True)
class CellList:
    """The cells of this run and of earlier ones, and the cells that cannot be."""

    asked: Mapping[str, Cell]  # By name, in the order of work: those of this run.
    others: Mapping[str, Cell]  # By name: those that only earlier runs asked for.
    gaps: tuple[tuple[str, str, str], ...]  # (method, budget, reason)
    task: Mapping[str, Any]  # Settings of network and data, by flag.
    wanted: Mapping[str, Any]  # Methods, budgets and seeds that `asked` follows from.

    def to_json(self) -> dict[str, Any]:
        """Plain values for `cells.json`."""
        cells = {**self.others, **self.asked}
        return {
            "version": VERSION,
            "task": self.task,
            "cells": [cell.to_json() for cell in cells.values()],
            "asked": list(self.asked),
            "wanted": self.wanted,
            "gaps": self.gaps,
        }


def read(folder: str | Path) -> dict[str, Cell]:
    """The cells that a comparison's last run asked for, by name, in their order.

    Args:
        folder: Of the comparison.

    Raises:
        InputError: the list is missing or damaged.
    """
    before = _read(Path(folder) / CELLS)
    return {name: before.cells[name] for name in before.asked}


def read_kept(folder: str | Path) -> Kept:
    """The cells of all runs; an empty record for a folder without a comparison.

    Args:
        folder: Of the comparison.

    Raises:
        InputError: the list is damaged.
    """
    path = Path(folder) / CELLS
    return _read(path) if path.exists() else Kept({}, (), None)


def read_gaps(folder: str | Path) -> list[str]:
    """Which methods have no network at which budget, and why, a sentence each.

    Args:
        folder: Of the comparison.

    Raises:
        InputError: the list of cells is missing or damaged.
    """
    path = Path(folder) / CELLS
    with files.readable(path, "list of cells"):
        gaps = files.read_json(path, what="list of cells")["gaps"]
        return [f"{method} at {budget}: {reason}" for method, budget, reason in gaps]


def _read(path: Path) -> Kept:
    """What a list of cells holds; lists of older versions lack "asked" and "wanted".

    Raises:
        InputError: the list is missing or damaged.
    """
    data = files.read_json(path, what="list of cells", version=VERSION)
    with files.readable(path, "list of cells"):
        cells = {
            cell["name"]: Cell(**{**cell, "widths": _tuple(cell["widths"])})
            for cell in data["cells"]
        }
        asked = tuple(data.get("asked", cells))
        if not set(asked) <= set(cells):
            raise ValueError("a cell that is asked for is not in it")
        return Kept(cells, asked, data.get("task"), data.get("wanted"))


def _tuple(values: Sequence[int] | None) -> Widths | None:
    """Widths from JSON."""
    return None if values is None else tuple(values)
