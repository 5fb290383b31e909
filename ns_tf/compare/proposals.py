"""What the methods of a comparison propose for a budget, row by row."""

import dataclasses
from collections.abc import Mapping, Sequence

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable, Proposal, Setting
from ns_tf.plan.methods.pruned import of_other_rows, own_costs
from ns_tf.plan.targets import with_ratio
from ns_tf.prune.method import NONZERO
from ns_tf.registry import unknown

RATIO = "ratio"


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
        known = [*BUDGETS.names(), RATIO, NONZERO]
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


def label(setting: Setting) -> str:
    """The label of a method in tables: its own, or its name and the iteration."""
    entry, iteration = setting.entry, setting.iteration
    if entry.label:
        return entry.label.strip()
    if entry.source and methods.get(entry.name).takes_choice:
        return f"{entry.name}:{entry.source}"
    return entry.name if iteration is None else f"{entry.name}@{iteration}"


def targets_of(plain: SearchRecord, text: str) -> dict[str, float]:
    """What networks may cost by a text of `--budgets`, in the budgets' own units.

    Exact budgets below 1 are shares of what the default widths cost; r stands for a
    number of parameters.

    Args:
        plain: Of the network that is compared.
        text: As of `parse_budget`.

    Raises:
        InputError: as `parse_budget`.
    """
    numbers = parse_budget(text)
    ratio = numbers.pop(RATIO, None)
    own = own_costs(plain)
    for name, value in numbers.items():
        if value < 1 and name in own:
            numbers[name] = value * own[name]
    return with_ratio(plain, numbers, ratio)


def proposals(
    settings: Sequence[Setting], kept: Mapping[str, Mapping[str, Proposal]]
) -> dict[str, tuple[dict[str, Proposal], dict[str, str]]]:
    """What every method proposes at every budget, and why others propose nothing.

    Args:
        settings: Of the methods.
        kept: By entry of `--budgets`: what methods proposed in earlier runs, by label.
            Widths for measured budgets are taken from there, because no two
            measurements agree.

    Returns:
        By entry: (proposals, reasons), both by label. A proposal `like` the first
        pruned row has the label of that row.

    Raises:
        InputError: a budget that cannot be met, or there is no row to be like.
    """
    rows = {text: _rows(settings, text, before) for text, before in kept.items()}
    # The same at every budget, whatever rows are there: a control has one partner.
    pruned = [
        name
        for name in map(label, settings)
        if any(found[name].pruning for found, _ in rows.values() if name in found)
    ]
    for found, reasons in rows.values():
        for name, proposal in list(found.items()):
            if proposal.like is None:
                continue
            like = _row_like(name, proposal.like, pruned, reasons)
            if like in found:
                found[name] = dataclasses.replace(proposal, like=like)
            else:
                reasons[name] = "the pruned row whose widths it has is not there"
                del found[name]
    return rows


def _rows(
    settings: Sequence[Setting], text: str, kept: Mapping[str, Proposal]
) -> tuple[dict[str, Proposal], dict[str, str]]:
    """(proposals, reasons) at a budget, as the methods have them."""
    found: dict[str, Proposal] = {}
    reasons: dict[str, str] = {}
    for setting in settings:
        try:
            found[label(setting)] = _proposal(setting, text, kept)
        except NotApplicable as reason:
            reasons[label(setting)] = str(reason)
    return found, reasons


def _row_like(
    name: str, like: str, pruned: Sequence[str], reasons: Mapping[str, str]
) -> str | None:
    """The label of the pruned row whose widths another row has.

    Args:
        name: Of that other row.
        like: A label, or "" for the first row that is pruned.
        pruned: Labels of the rows that are, at any budget.
        reasons: Why other methods propose nothing at this budget, by label.

    Returns:
        None if no budget has the row.

    Raises:
        InputError: no row is pruned, or it is none of that label.
    """
    if like in pruned or (not like and pruned):
        return like or pruned[0]
    if like in reasons or (not like and reasons):
        return None
    which = f"{like!r} is none" if like else "there is none"
    raise InputError(
        f"{name} has the widths of a pruned row of --methods, and {which}. Add "
        "pruned:taylor_fo, say, or name a pruned row by its label."
    )


def _proposal(setting: Setting, text: str, kept: Mapping[str, Proposal]) -> Proposal:
    """What a method proposes at a budget.

    Raises:
        NotApplicable: the method proposes no network for this budget.
        InputError: the budget cannot be met.
    """
    targets = targets_of(setting.plain, text)
    before, member = kept.get(label(setting)), methods.get(setting.entry.name)
    if NONZERO in targets:
        if not member.of_weights:
            raise of_other_rows()
    elif before and any(budgets.get(target).measured for target in targets):
        return before
    return member.propose(setting, targets)
