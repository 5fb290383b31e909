"""Which cells a comparison has: what methods propose, budget by budget, seed by seed.

What earlier runs listed is kept, and a label stays what it was.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ns_tf.base import InputError, Widths
from ns_tf.compare.cells import (
    FINETUNE,
    MEMBER,
    MORPHNET,
    SCRATCH,
    SUPERNET,
    TRUNK,
    Cell,
    CellList,
    Kept,
)
from ns_tf.compare.proposals import label, proposals
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import Proposal, Setting
from ns_tf.run import files

_KINDS = {
    SCRATCH: "trained from scratch",
    FINETUNE: "pruned and fine-tuned",
    MEMBER: "a member of a supernet",
}


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
    cells, gaps, plain = [], [], settings[0].plain
    trunks: dict[str, Cell] = {}  # By name: what others start from.
    kept = {text: _kept(known.cells, text) for text in budget_texts}
    for text, (found, reasons) in proposals(settings, kept).items():
        gaps += [(name, text, reason) for name, reason in reasons.items()]
        for setting in settings:
            if label(setting) in found:
                own = _cells(setting, text, seeds, found, known.cells)
                trunks |= _trunks(plain, found[label(setting)], own)
                cells += own
    cells = [*trunks.values(), *cells]
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
            epitomes=cell.epitomes,
        )
        for cell in known.values()
        if cell.budget == text
        and cell.kind in (SCRATCH, FINETUNE)
        and cell.widths is not None
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
    kind, start, row = _start(setting, proposal, text)
    cells = [
        Cell(
            name=_folder_name(name, text, f"seed{seed}"),
            method=name,
            budget=text,
            seed=seed,
            architecture=proposal.architecture,
            widths=proposal.widths,
            kind=kind,
            trunk=row and _folder_name(*row, f"seed{seed}"),
            start=start,
            epitomes=proposal.epitomes,
        )
        for seed in seeds
    ]
    _check_before(_before(known, name, text), cells[0])
    return cells


def _start(
    setting: Setting, proposal: Proposal, text: str
) -> tuple[str, str | None, tuple[str, ...] | None]:
    """How a network begins: the kind of its cells, `Cell.start`, and what it needs.

    Args:
        setting: Of its method.
        proposal: The network.
        text: The entry of `--budgets`.

    Returns:
        The kind, the start, and the parts of the name of the cell that is needed first,
        but for the seed; None if there is none.
    """
    if proposal.pruning:
        return FINETUNE, proposal.pruning, (TRUNK,)
    kind, which = proposal.trunk or (None, None)
    if kind == SUPERNET:
        return MEMBER, which, (kind, which)
    if kind == MORPHNET:  # From scratch, as controls are: recipe "scratch".
        return SCRATCH, SCRATCH, (kind, which, "widths", text)
    if proposal.like is not None:
        return SCRATCH, setting.entry.name, (proposal.like, text)
    return SCRATCH, None, None


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
        if _source(cell) != _source(now):
            raise InputError(
                f"{name} at {text} had the widths of {_source(cell)} when this "
                f"comparison began, and has those of {_source(now)} now. Give it "
                "another label (LABEL=METHOD), or another --run_dir."
            )
        if cell.epitomes != now.epitomes:
            raise InputError(
                f"{name} at {text} had other epitomes when this comparison began. Give "
                "it another label (LABEL=METHOD), or another --run_dir."
            )
        if (cell.architecture, cell.widths) != (now.architecture, now.widths):
            raise InputError(
                f"{name} at {text} had the widths {_text(cell.widths)} when this "
                f"comparison began, and has {_text(now.widths)} now: did the "
                "search change? Give it another label (LABEL=METHOD), or another "
                "--run_dir."
            )


def _source(cell: Cell) -> str | None:
    """The cell that another one starts from or has the widths of, but for the seed."""
    return cell.trunk and cell.trunk.removesuffix(f"_seed{cell.seed}")


def _how(cell: Cell) -> str:
    """How a cell is made, for errors."""
    return f"{_KINDS[cell.kind]}, {cell.start}" if cell.start else _KINDS[cell.kind]


def _trunks(
    plain: SearchRecord, proposal: Proposal, cells: Iterable[Cell]
) -> dict[str, Cell]:
    """What the cells of a method start from, by name, in the order of work.

    That is the trained network of the default widths, a supernet, or what finds widths
    and starts from the trained network itself.

    Args:
        plain: Of the network that is compared.
        proposal: The method's.
        cells: Of it, one a seed.
    """
    kind, which = proposal.trunk or (TRUNK, None)
    found = {}
    for cell in cells if proposal.pruning or proposal.trunk else ():
        whole = Cell(
            name=cell.trunk,
            method=kind,
            budget="",
            seed=cell.seed,
            architecture=plain.architecture,
            widths=plain.default_widths,
            kind=kind,
            start=which,
        )
        if kind == MORPHNET:
            trunk = _folder_name(TRUNK, f"seed{cell.seed}")
            found[trunk] = dataclasses.replace(
                whole, name=trunk, method=TRUNK, kind=TRUNK, start=None
            )
            # No label has a colon and a blank.
            whole = dataclasses.replace(
                whole,
                method=f"{kind}: widths",
                budget=cell.budget,
                widths=None,
                trunk=trunk,
            )
        found[cell.trunk] = whole
    return found


def _text(widths: Widths) -> str:
    return ",".join(str(width) for width in widths)


def _folder_name(*parts: str) -> str:
    """A name for a folder, of label, budget and seed.

    >>> _folder_name("my law@2", "ratio=0.25", "seed3")
    'my-law_it2_ratio0.25_seed3'
    >>> _folder_name("pruned:thinet+distil", "macs=5e7", "seed3")
    'pruned-thinet+distil_macs5e7_seed3'
    >>> _folder_name("pruned:sss@block", "macs=5e7", "seed3")
    'pruned-sss-block_macs5e7_seed3'
    """
    plain = re.sub(r"@(?=\d)", "_it", "_".join(parts)).replace("=", "")
    return files.file_name(plain)
