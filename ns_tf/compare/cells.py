"""The cells of a comparison: a training for every method, budget and seed."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf import budgets
from ns_tf.base import InputError, Widths
from ns_tf.budgets import BUDGETS
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable, Setting
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
    method: str  # As tables call it.
    budget: str  # As `--budgets` has it.
    seed: int
    architecture: str
    widths: Widths
    kind: str  # From scratch; fine-tuned; or the trunk that others are made from.
    trunk: str | None = None  # The cell whose network this one starts from,
    start: str | None = None  # by the `start` of this method.


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a comparison's folder knows of earlier runs."""

    cells: Mapping[str, Cell]  # By name, asked for now or not.
    asked: tuple[str, ...]  # Names of those that the last run asked for, in its order.
    task: Mapping[str, Any] | None  # The settings of the data and of the network.
    wanted: Mapping[str, Any] | None = None  # Methods, budgets, seeds of the last run.


@dataclasses.dataclass(frozen=True)
class CellList:
    """All cells, and what could not be."""

    asked: Mapping[str, Cell]  # By name, in the order of work.
    others: Mapping[str, Cell]  # Those that earlier runs asked for.
    gaps: tuple[tuple[str, str, str], ...]  # (method, budget, reason)
    task: Mapping[str, Any]
    wanted: Mapping[str, Any]  # What `asked` follows from.

    def to_json(self) -> dict[str, Any]:
        """Plain values for `cells.json`."""
        kept = {**self.others, **self.asked}
        return {
            "version": VERSION,
            "task": self.task,
            "cells": [dataclasses.asdict(cell) for cell in kept.values()],
            "asked": list(self.asked),
            "wanted": self.wanted,
            "gaps": self.gaps,
        }


def read(folder: str | Path) -> dict[str, Cell]:
    """The cells that a comparison's last run asked for, by name.

    Raises:
        InputError: the list is missing or damaged.
    """
    kept = _read(Path(folder) / CELLS)
    return {name: kept.cells[name] for name in kept.asked}


def read_kept(folder: str | Path) -> Kept:
    """All that a comparison's folder knows; nothing where there was none.

    Raises:
        InputError: the list is damaged.
    """
    path = Path(folder) / CELLS
    return _read(path) if path.exists() else Kept({}, (), None)


def _read(path: Path) -> Kept:
    data = files.read_json(path, what="list of cells", version=VERSION)
    with files.readable(path, "list of cells"):
        made = [
            Cell(**{**cell, "widths": tuple(cell["widths"])}) for cell in data["cells"]
        ]
        cells = {cell.name: cell for cell in made}
        asked = tuple(data.get("asked", cells))
        if not set(asked) <= set(cells):
            raise ValueError("a cell that is asked for is not in it")
        return Kept(cells, asked, data.get("task"), data.get("wanted"))


def parse_budget(text: str) -> dict[str, float]:
    """`"params=600000+macs=5e7"` as numbers by name; `ratio` may be among them.

    Raises:
        InputError: no such budget, or no positive number.
    """
    found: dict[str, float] = {}
    for part in text.split("+"):
        name, _, value = part.partition("=")
        name = name.strip()
        known = [*BUDGETS.names(), RATIO]
        if name not in known:
            raise unknown("budget", name, known)
        if name in found:
            raise InputError(f"The budget {text!r} gives {name} twice.")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = 0.0
        if not 0 < found[name] < float("inf"):
            raise InputError(
                f"A budget is a name and a positive number: {name}=0.5; got {part!r}."
            )
    return found


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
        settings: One for every method, its search read.
        budget_texts: As `--budgets` has them.
        seeds: Of the trainings.
        known: Of earlier runs of the comparison. Widths for measured budgets are taken
            from there, as no two measurements agree.
        task: The settings of the data and of the network.
        wanted: The methods, budgets and seeds as the flags have them.

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
    made, gaps = [], []
    for text in budget_texts:
        for setting in settings:
            try:
                made += _cells(setting, text, seeds, known.cells)
            except NotApplicable as reason:
                gaps.append((label(setting), text, str(reason)))
    if made:
        made = [*_trunks(settings[0].plain, made), *made]
    # One seed of everything before the next: whoever stops early has a comparison.
    order = {seed: place for place, seed in enumerate(seeds)}
    asked: dict[str, Cell] = {}
    for cell in sorted(made, key=lambda cell: order[cell.seed]):
        other = asked.setdefault(cell.name, cell)
        if other is not cell:
            raise InputError(
                f"{other.method!r} and {cell.method!r} would be kept in one folder, "
                f"{cell.name}; give one another label."
            )
    others = {n: cell for n, cell in known.cells.items() if n not in asked}
    return CellList(asked, others, tuple(gaps), task, wanted)


def _check_task(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    for name, value in (before or {}).items():
        if name in now and now[name] != value:
            raise InputError(
                f"This comparison was begun with --{name}={value}; now, by the flags "
                f"or by the search, it is {now[name]}. Give another --run_dir."
            )


def label(setting: Setting) -> str:
    """What tables call a method: its label, or its name and the iteration."""
    entry, iteration = setting.entry, setting.iteration
    if entry.label:
        return entry.label.strip()
    return entry.name if iteration is None else f"{entry.name}@{iteration}"


def _cells(setting: Setting, text: str, seeds, known) -> list[Cell]:
    method = methods.get(setting.entry.name)
    asked = parse_budget(text)
    ratio = asked.pop(RATIO, None)
    targets = with_ratio(setting.plain, asked, ratio)
    name = label(setting)
    before = [c for c in known.values() if (c.method, c.budget) == (name, text)]
    if before and any(budgets.get(target).measured for target in targets):
        found = before[0]
    else:
        found = method.propose(setting, targets)
    kind = SCRATCH if method.start is None else FINETUNE
    for cell in before:
        if cell.kind != kind:
            raise InputError(
                f"{name} at {text} was another method when this comparison began "
                f"({_KINDS[cell.kind]}; now {_KINDS[kind]}). Give it another label "
                "(LABEL=METHOD), or another --run_dir."
            )
        if (cell.architecture, cell.widths) != (found.architecture, found.widths):
            raise InputError(
                f"{name} at {text} had the widths {_text(cell.widths)} when this "
                f"comparison began, and has {_text(found.widths)} now: did the search "
                "change? Give it another label (LABEL=METHOD), or another --run_dir."
            )
    return [
        Cell(
            name=_folder_name(name, text, f"seed{seed}"),
            method=name,
            budget=text,
            seed=seed,
            architecture=found.architecture,
            widths=found.widths,
            kind=kind,
            trunk=None if method.start is None else _folder_name(TRUNK, f"seed{seed}"),
            start=None if method.start is None else method.name,
        )
        for seed in seeds
    ]


def _trunks(plain: SearchRecord, made: Iterable[Cell]) -> list[Cell]:
    """Trainings of the default widths that cells start from, one a seed."""
    wanted = {cell.trunk: cell.seed for cell in made if cell.trunk}
    return [
        Cell(name, TRUNK, "", seed, plain.architecture, plain.default_widths, TRUNK)
        for name, seed in wanted.items()
    ]


def _text(widths: Widths) -> str:
    return ",".join(str(width) for width in widths)


def _folder_name(*parts: str) -> str:
    plain = "_".join(parts).replace("@", "_it").replace("=", "")
    return re.sub(r"[^\w.+-]+", "-", plain)
