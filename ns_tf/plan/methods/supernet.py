"""Members of a supernet: one training for all budgets of a seed."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ns_tf import budgets
from ns_tf.base import Widths
from ns_tf.descend.record import SearchRecord, new_search
from ns_tf.networks.ratio import floor_ratio
from ns_tf.plan.methods import (
    NotApplicable,
    Proposal,
    Setting,
    method,
    proportional,
)
from ns_tf.plan.methods.pruned import smaller
from ns_tf.plan.targets import solve_joined
from ns_tf.registry import unknown
from ns_tf.scaling.grid import Grid, grid_of
from ns_tf.slim.config import KINDS, SWITCHABLE, UNIVERSAL


@method(
    "supernet",
    help="Uniform widths, as a slice of one network that is trained at all widths: "
    "supernet:universal, or supernet:slimmable.",
    proposes=True,
    takes_choice=True,
)
def supernet(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The largest member of uniform widths; of a slimmable network, of its shares.

    Source: Yu et al., Slimmable Neural Networks, ICLR 2019; Yu & Huang, Universally
    Slimmable Networks, ICCV 2019.

    Args:
        setting: Its entry says the kind of supernet; universal if it says nothing.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: a budget is measured, below the smallest member, or larger than
            the default network; or no share has widths that are allowed.
        InputError: there is no such kind, or a budget that cannot be counted.
    """
    kind = setting.entry.source or UNIVERSAL
    if kind not in KINDS:
        raise unknown("supernet", kind, KINDS)
    measured = [name for name in targets if budgets.get(name).measured]
    if measured:
        raise NotApplicable(
            f"members of a supernet meet exact budgets, and {measured[0]} is measured"
        )
    config, within = KINDS[kind], smaller(setting.plain, targets)
    check_counted(setting, within)
    record = joined(setting)
    shares = sorted(config.shares, reverse=True)
    lists = [floor_ratio(record.default_widths, share) for share in shares]
    if config.norms == SWITCHABLE:
        lists = _allowed(lists, grid_within(setting, record))
    fitting = [widths for widths in lists if _fits(record, widths, within)]
    if not fitting:
        costs = {name: int(record.costs[name](np.array(lists[-1]))) for name in within}
        told = ", ".join(f"{name}={cost:,}" for name, cost in costs.items())
        raise NotApplicable(f"the smallest member of the supernet has {told}")
    widths = fitting[0]
    if config.norms != SWITCHABLE:
        widths = _uniform(setting, record, within)
    return Proposal(record.architecture, widths, trunk=("supernet", kind))


def check_counted(setting: Setting, targets: Mapping[str, float]) -> None:
    """Refuses a budget that cannot be counted on this network.

    Args:
        setting: Says the network.
        targets: Exact budgets by name.

    Raises:
        InputError: as the budget says it.
    """
    for name in targets:
        if name not in setting.plain.costs:
            budgets.get(name).cost(setting.structure)


def joined(setting: Setting) -> SearchRecord:
    """The record of the network in which additions join channels, as members are.

    Layers that are to keep their filters have no width in it.

    Args:
        setting: Says the network, and which layers keep their filters.
    """
    from ns_tf.networks.from_model import from_model  # Late: it needs Keras.
    from ns_tf.networks.structure import analyse

    plain = setting.plain
    shapes = plain.input_shape, plain.classes
    model = setting.structure.architecture.build(
        plain.default_widths, input_shape=shapes[0], classes=shapes[1]
    )
    own = from_model(model, plain.architecture, keep=setting.solver.keep)
    return new_search(analyse(own, *shapes), plain.dataset, own.widths)


def grid_within(setting: Setting, record: SearchRecord) -> Grid:
    """The widths that are allowed, none above the whole network's.

    Args:
        setting: Says what widths may be.
        record: As of `joined`.
    """
    solver = setting.solver
    bounds = record.bounds(dataclasses.replace(solver.wishes, keep=()))
    return grid_of(solver.round_to, solver.min_width, _most(setting, record), bounds)


def _most(setting: Setting, record: SearchRecord) -> list[int]:
    """[layers]: the whole network's widths, or the largest that is allowed."""
    whole = record.default_widths
    most = np.minimum(whole, setting.solver.max_width or max(whole))
    return [int(width) for width in most]


def _allowed(lists: list[Widths], grid: Grid) -> list[Widths]:
    """The widths that are on a grid.

    Raises:
        NotApplicable: none are.
    """
    found = [widths for widths in lists if grid.has(widths)]
    if not found:
        raise NotApplicable(
            "no share of the slimmable network has widths that the flags for widths "
            "allow; supernet:universal has any widths"
        )
    return found


def _fits(record: SearchRecord, widths: Widths, targets: Mapping[str, float]) -> bool:
    """Whether the network of these widths is within all budgets."""
    costs = record.costs
    return all(costs[name](np.array(widths)) <= most for name, most in targets.items())


def _uniform(
    setting: Setting, record: SearchRecord, targets: Mapping[str, float]
) -> Widths:
    """The largest uniform widths within the budgets, at most the whole network's.

    Args:
        setting: Says what widths may be.
        record: As of `joined`.
        targets: Budgets by name; all hold.
    """
    curve, most = proportional(record, record.default_widths), _most(setting, record)
    return solve_joined(record, curve, targets, setting.solver, max_width=most).widths
