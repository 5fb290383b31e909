"""The cells of a comparison: a training for every method, budget and seed.

`cells.json` keeps all cells that any run asked for, so that a label keeps its widths
and a method can be asked for again. Names of cells are names of their folders.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import InputError, Widths
from ns_tf.compare.proposals import label, proposals
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import Proposal, Setting
from ns_tf.run import files
from ns_tf.run.folder import CELLS

VERSION = 1
SCRATCH, FINETUNE, TRUNK = "scratch", "finetune", "trunk"
_KINDS = {SCRATCH: "trained from scratch", FINETUNE: "pruned and fine-tuned"}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training of a comparison."""

    name: str  # Its folder.
    method: str  # Its label in tables.
    budget: str  # The text of `--budgets`.
    seed: int
    architecture: str
    widths: Widths | None  # [layers]; None if they follow from the cell `trunk`.
    kind: str  # SCRATCH, FINETUNE, or TRUNK: the network that others are pruned from.
    trunk: str | None = None  # The cell that it starts from, or has its widths from.
    # How the trained network is pruned (`ns_tf.prune.choices.Choices`); of a cell that
    # has the widths of another one, its method.
    start: str | None = None


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
            "cells": [dataclasses.asdict(cell) for cell in cells.values()],
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


def make(
    settings: Sequence[Setting],
    budget_texts: Iterable[str],
    seeds: Sequence[int],
    known: Kept,
    task: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> CellList:
    """The cells of all methods, budgets and seeds.

    Args:
        settings: One for every method, with its search.
        budget_texts: The entries of `--budgets`.
        seeds: Of the trainings.
        known: The cells of earlier runs. Widths for measured budgets are taken from
            there, because no two measurements agree.
        task: The settings of network and data, by flag.
        wanted: Methods, budgets and seeds, by flag.

    Returns:
        The cells, all of one seed before those of the next.

    Raises:
        InputError: a budget that a method's curve cannot meet, two methods of one
            label, a cell that had other widths in an earlier run, or other data.
    """
    _check_task(known.task, task)
    labels = [label(setting) for setting in settings]
    for name in labels:
        if labels.count(name) > 1:
            raise InputError(
                f"Two methods are called {name!r}; give one a name of its own, as "
                f"mine={name}."
            )
    cells, gaps = [], []
    for text in budget_texts:
        found, reasons = proposals(settings, text, _kept(known.cells, text))
        gaps += [(name, text, reason) for name, reason in reasons.items()]
        for setting in settings:
            if label(setting) in found:
                cells += _cells(setting, text, seeds, found, known.cells)
    if cells:
        cells = [*_trunks(settings[0].plain, cells), *cells]
    # All cells of one seed come first: stopped early, the table compares all methods.
    order = {seed: place for place, seed in enumerate(seeds)}
    asked: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: order[cell.seed]):
        other = asked.setdefault(cell.name, cell)
        if other is not cell:
            raise InputError(
                f"{other.method!r} and {cell.method!r} would be kept in one folder, "
                f"{cell.name}; give one another label."
            )
    others = {n: cell for n, cell in known.cells.items() if n not in asked}
    return CellList(asked, others, tuple(gaps), task, wanted)


def _check_task(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    """Refuses other settings of network or data than the comparison began with.

    Settings that only one of the two has, as of an older version, are not compared.

    Raises:
        InputError: naming the setting and both values.
    """
    for name, value in (before or {}).items():
        if name in now and now[name] != value:
            raise InputError(
                f"This comparison was begun with --{name}={value}; now, by the flags "
                f"or by the search, it is {now[name]}. Give another --run_dir."
            )


def _kept(known: Mapping[str, Cell], text: str) -> dict[str, Proposal]:
    """What methods proposed in earlier runs at a budget, by label.

    Args:
        known: The cells of earlier runs, by name.
        text: The entry of `--budgets`.
    """
    return {
        cell.method: Proposal(
            cell.architecture,
            cell.widths,
            pruning=cell.start if cell.kind == FINETUNE else None,
        )
        for cell in known.values()
        if cell.budget == text and cell.widths is not None
    }


def _before(known: Mapping[str, Cell], name: str, text: str) -> list[Cell]:
    """The cells that earlier runs had of a label at a budget."""
    return [c for c in known.values() if (c.method, c.budget) == (name, text)]


def _cells(
    setting: Setting,
    text: str,
    seeds: Sequence[int],
    found: Mapping[str, Proposal],
    known: Mapping[str, Cell],
) -> list[Cell]:
    """The cells of a method at a budget, one a seed.

    Args:
        setting: Of the method.
        text: The entry of `--budgets`.
        seeds: Of the trainings.
        found: What methods propose at this budget, by label.
        known: The cells of earlier runs, by name.

    Raises:
        InputError: earlier cells of the label are others.
    """
    name, proposal = label(setting), found[label(setting)]
    start, row = proposal.pruning, TRUNK
    if proposal.like is not None:
        start, row = setting.entry.name, proposal.like
    cells = [
        Cell(
            name=_folder_name(name, text, f"seed{seed}"),
            method=name,
            budget=text,
            seed=seed,
            architecture=proposal.architecture,
            widths=proposal.widths,
            kind=FINETUNE if proposal.pruning else SCRATCH,
            trunk=start and _needed(row, text, seed),
            start=start,
        )
        for seed in seeds
    ]
    _check_before(_before(known, name, text), cells[0])
    return cells


def _needed(row: str, text: str, seed: int) -> str:
    """The name of the cell of another row, or of the trunk, of the same seed."""
    parts = (row,) if row == TRUNK else (row, text)
    return _folder_name(*parts, f"seed{seed}")


def _check_before(before: Iterable[Cell], now: Cell) -> None:
    """Refuses a label whose earlier cells are of another kind or have other widths.

    Args:
        before: The earlier cells of a label and a budget.
        now: One of the cells of that label and budget now.

    Raises:
        InputError: one of them differs; says to use another label.
    """
    for cell in before:
        name, text = cell.method, cell.budget
        if (cell.kind, cell.start) != (now.kind, now.start):
            raise InputError(
                f"{name} at {text} was another method when this comparison began "
                f"({_how(cell)}; now {_how(now)}). Give it another label "
                "(LABEL=METHOD), or another --run_dir."
            )
        if (cell.architecture, cell.widths) != (now.architecture, now.widths):
            raise InputError(
                f"{name} at {text} had the widths {_text(cell.widths)} when this "
                f"comparison began, and has {_text(now.widths)} now: did the "
                "search change? Give it another label (LABEL=METHOD), or another "
                "--run_dir."
            )


def _how(cell: Cell) -> str:
    """How a cell is made, for errors."""
    return f"{_KINDS[cell.kind]}, {cell.start}" if cell.start else _KINDS[cell.kind]


def _trunks(plain: SearchRecord, cells: Iterable[Cell]) -> list[Cell]:
    """The trunks that cells are pruned from: the default widths, one cell a seed.

    Args:
        plain: Of the network that is compared.
        cells: Of all methods; only those that are pruned have a trunk.
    """
    seeds = {cell.trunk: cell.seed for cell in cells if cell.kind == FINETUNE}
    return [
        Cell(name, TRUNK, "", seed, plain.architecture, plain.default_widths, TRUNK)
        for name, seed in seeds.items()
    ]


def _text(widths: Widths) -> str:
    return ",".join(str(width) for width in widths)


def _folder_name(*parts: str) -> str:
    """A name for a folder, of label, budget and seed.

    >>> _folder_name("my law@2", "ratio=0.25", "seed3")
    'my-law_it2_ratio0.25_seed3'
    >>> _folder_name("pruned:thinet+distil", "macs=5e7", "seed3")
    'pruned-thinet+distil_macs5e7_seed3'
    """
    plain = "_".join(parts).replace("@", "_it").replace("=", "")
    return files.file_name(plain)
