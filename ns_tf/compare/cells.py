"""The cells of a comparison: a training for every method, budget and seed.

`cells.json` keeps all cells that any run asked for, so that a label keeps its widths
and a method can be asked for again. Names of cells are names of their folders.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf import budgets
from ns_tf.base import InputError, Widths
from ns_tf.budgets import BUDGETS
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable, Proposal, Setting
from ns_tf.plan.targets import with_ratio
from ns_tf.registry import unknown
from ns_tf.run import files
from ns_tf.run.folder import CELLS

VERSION = 1
SCRATCH, FINETUNE, TRUNK = "scratch", "finetune", "trunk"
_KINDS = {SCRATCH: "trained from scratch", FINETUNE: "pruned and fine-tuned"}
RATIO = "ratio"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training of a comparison."""

    name: str  # Its folder.
    method: str  # Its label in tables.
    budget: str  # The text of `--budgets`.
    seed: int
    architecture: str
    widths: Widths  # [layers]
    kind: str  # SCRATCH, FINETUNE, or TRUNK: the network that others are pruned from.
    trunk: str | None = None  # The cell whose network this one is pruned from.
    start: str | None = None  # The method whose `start` prunes it.


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
            cell["name"]: Cell(**{**cell, "widths": tuple(cell["widths"])})
            for cell in data["cells"]
        }
        asked = tuple(data.get("asked", cells))
        if not set(asked) <= set(cells):
            raise ValueError("a cell that is asked for is not in it")
        return Kept(cells, asked, data.get("task"), data.get("wanted"))


def parse_budget(text: str) -> dict[str, float]:
    """The budgets of a text of `--budgets`, by name; `ratio` may be among them.

    >>> parse_budget("params=600000+macs=5e7")
    {'params': 600000.0, 'macs': 50000000.0}

    Raises:
        InputError: no such budget, or no positive number.
    """
    amounts: dict[str, float] = {}
    for part in text.split("+"):
        name, _, value = part.partition("=")
        name = name.strip()
        known = [*BUDGETS.names(), RATIO]
        if name not in known:
            raise unknown("budget", name, known)
        if name in amounts:
            raise InputError(f"The budget {text!r} gives {name} twice.")
        try:
            amounts[name] = float(value)
        except ValueError:
            amounts[name] = 0.0
        if not 0 < amounts[name] < float("inf"):
            raise InputError(
                f"A budget is a name and a positive number: {name}=0.5; got {part!r}."
            )
    return amounts


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
        for setting in settings:
            try:
                cells += _cells(setting, text, seeds, known.cells)
            except NotApplicable as reason:
                gaps.append((label(setting), text, str(reason)))
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


def label(setting: Setting) -> str:
    """The label of a method in tables: its own, or its name and the iteration."""
    entry, iteration = setting.entry, setting.iteration
    if entry.label:
        return entry.label.strip()
    return entry.name if iteration is None else f"{entry.name}@{iteration}"


def _cells(
    setting: Setting, text: str, seeds: Sequence[int], known: Mapping[str, Cell]
) -> list[Cell]:
    """The cells of a method at a budget, one a seed.

    Args:
        setting: Of the method.
        text: The entry of `--budgets`.
        seeds: Of the trainings.
        known: The cells of earlier runs, by name.

    Raises:
        NotApplicable: the method proposes no network for this budget.
        InputError: the budget cannot be met, or earlier cells of the label are others.
    """
    method, name = methods.get(setting.entry.name), label(setting)
    numbers = parse_budget(text)
    ratio = numbers.pop(RATIO, None)
    targets = with_ratio(setting.plain, numbers, ratio)
    before = [c for c in known.values() if (c.method, c.budget) == (name, text)]
    if before and any(budgets.get(target).measured for target in targets):
        network: Cell | Proposal = before[0]
    else:
        network = method.propose(setting, targets)
    kind = SCRATCH if method.start is None else FINETUNE
    _check_before(before, kind, network)
    return [
        Cell(
            name=_folder_name(name, text, f"seed{seed}"),
            method=name,
            budget=text,
            seed=seed,
            architecture=network.architecture,
            widths=network.widths,
            kind=kind,
            trunk=None if method.start is None else _folder_name(TRUNK, f"seed{seed}"),
            start=None if method.start is None else method.name,
        )
        for seed in seeds
    ]


def _check_before(before: Iterable[Cell], kind: str, network: Cell | Proposal) -> None:
    """Refuses a label whose earlier cells are of another kind or have other widths.

    Args:
        before: The earlier cells of a label and a budget.
        kind: Of the cells now.
        network: Of the cells now: its architecture and widths.

    Raises:
        InputError: one of them differs; says to use another label.
    """
    for cell in before:
        name, text = cell.method, cell.budget
        if cell.kind != kind:
            raise InputError(
                f"{name} at {text} was another method when this comparison began "
                f"({_KINDS[cell.kind]}; now {_KINDS[kind]}). Give it another label "
                "(LABEL=METHOD), or another --run_dir."
            )
        if (cell.architecture, cell.widths) != (network.architecture, network.widths):
            raise InputError(
                f"{name} at {text} had the widths {_text(cell.widths)} when this "
                f"comparison began, and has {_text(network.widths)} now: did the "
                "search change? Give it another label (LABEL=METHOD), or another "
                "--run_dir."
            )


def _trunks(plain: SearchRecord, cells: Iterable[Cell]) -> list[Cell]:
    """The trunks that cells are pruned from: the default widths, one cell a seed.

    Args:
        plain: Of the network that is compared.
        cells: Of all methods; only those of methods with a `start` have a trunk.
    """
    seeds = {cell.trunk: cell.seed for cell in cells if cell.trunk}
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
    """
    plain = "_".join(parts).replace("@", "_it").replace("=", "")
    return files.file_name(plain)
