"""From a search to the widths for a budget.

A plan is algorithm 3: a point on a method's curve tau -> widths, made whole, at which
every budget holds; or the widths of most value at the price of the budgets. This module
imports no Keras before a cost is counted anew.
"""

import dataclasses
import numbers
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ns_tf.base import Along, Architecture, InputError, PriceLaw
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.descend.record import SearchRecord
from ns_tf.devices.device import BUDGET
from ns_tf.plan import methods
from ns_tf.plan.config import BudgetConfig, MethodConfig, SolverConfig
from ns_tf.plan.targets import default_method, device_text, solve, with_ratio
from ns_tf.plan.width_plan import WidthPlan, plan_of
from ns_tf.registry import unknown
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.law import unfitted

if TYPE_CHECKING:
    from ns_tf.devices.device import Device


@dataclasses.dataclass(frozen=True)
class Searched:
    """A search's record, with the architecture if no registered name finds it."""

    record: SearchRecord
    architecture: Architecture | None = dataclasses.field(default=None, repr=False)

    def plan(
        self,
        *,
        method: str | None = None,
        iteration: int | None = None,
        ratio: float | None = None,
        round_to: int = 1,
        min_width: int = 1,
        max_width: int | None = None,
        measure: Measure | None = None,
        device: "Device | str | Path | None" = None,
        price_exponent: float | None = None,
        keep: str | Sequence[str] = (),
        tie: Sequence[str | Sequence[str]] = (),
        widths_between: Mapping[str, tuple[int | None, int | None]] | None = None,
        multiple_of: Mapping[str, int] | None = None,
        **targets: float,
    ) -> "WidthPlan":
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            method: Any method of `ns_tf.plan.methods` that has a curve. If None,
                "ranking" for multiply-adds and "neuralscale" for parameters, bytes and
                milliseconds. A search of an earlier version, without the scores of all
                filters, has "priced" in place of "ranking", or "uniform" where its
                scores fall too slowly to price filters.
            iteration: Of the search, from 1; if None the last, of morphnet and ranking
                the first.
            ratio: A budget: the parameters of the default network with every width
                times this.
            round_to: Widths are multiples of this.
            min_width: Filters that every layer has at least.
            max_width: Filters that a layer has at most.
            measure: How `latency_ms` is measured.
            device: A device file (`python -m ns_tf.measure`), by whose tables
                `latency_ms` is planned in place of measuring.
            price_exponent: Of the method "priced": p, where one more filter is worth
                tau^-p; as the search's scores say, or 1, if None.
            keep: Layers that keep the filters that the search started from, by name
                or pattern ("block1*").
            tie: Sets of layers that get one number of filters: `[("a", "b")]`.
            widths_between: Least and most filters of layers: `{"stem": (8, 64)}`.
            multiple_of: What the filters of layers are multiples of: `{"block*": 8}`.
                If these four are empty, those of the search hold.
            **targets: Budgets by name; with several, all hold.

        Returns:
            The plan of largest tau under all budgets.

        Raises:
            InputError: an unknown or impossible budget, an unknown method, or an
                iteration that the search does not have.
        """
        check_names(targets)
        return make_plan(
            self.record,
            targets,
            method=method,
            iteration=iteration,
            ratio=ratio,
            round_to=round_to,
            min_width=min_width,
            max_width=max_width,
            measure=with_device(measure, device, targets),
            builder=self.architecture,
            price_exponent=price_exponent,
            wishes=Wishes(
                keep,
                tie,
                () if widths_between is None else widths_between,
                () if multiple_of is None else multiple_of,
            ),
        )


def make_plan(
    search: SearchRecord,
    targets: Mapping[str, float],
    *,
    method: str | None = None,
    iteration: int | None = None,
    ratio: float | None = None,
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | None = None,
    measure: Measure | None = None,
    builder: Architecture | None = None,
    price_exponent: float | None = None,
    wishes: Wishes | None = None,
) -> WidthPlan:
    """The widths for these budgets (algorithm 3).

    Departure: the paper scales to a number of parameters; here any registered budget
    is a target, and several hold together.

    Args:
        search: The record of a search; one without iterations is enough for uniform.
        targets: Budgets by name; all hold.
        method: Whose curve is scaled along. If None, that of the budgets
            (`ns_tf.plan.targets.default_method`). Where it would be `priced`, it is
            `ranking` if the search kept the scores of all filters, and uniform if the
            price law is silent, because its exponent had to be raised.
        iteration: Of the search, from 1; if None the method's own, most often the last.
        ratio: The paper's r as one more budget: the parameters of the default network
            with every width times this (`int(width * ratio)`).
        round_to: Widths are multiples of this.
        min_width: Filters that every layer has at least.
        max_width: Filters that a layer has at most.
        measure: How measured budgets are measured.
        builder: The architecture, if no registered name finds it.
        price_exponent: Of `priced`: one more filter is worth tau^-price_exponent; as
            the search's scores say, or 1, if None.
        wishes: What widths may be; those of the search if there are none.

    Returns:
        The plan of largest tau under all budgets; no width can grow by `round_to`.

    Raises:
        InputError: unknown budget or method, an impossible budget (with the smallest
            and largest reachable cost), or no such iteration.
    """
    targets_and_ratio = with_ratio(search, targets, ratio)
    limits = {"round_to": round_to, "min_width": min_width, "max_width": max_width}

    def planned(method: str, iteration: int | None = iteration) -> WidthPlan:
        along = _along(search, method, iteration, price_exponent)
        member = methods.get(method)
        iteration = member.iteration if iteration is None else iteration
        scaling = solve(
            search,
            along,
            targets_and_ratio,
            measure=measure,
            builder=builder,
            wishes=wishes,
            **limits,
        )
        plan = plan_of(
            search,
            scaling,
            method=method,
            iteration=(
                search.state(iteration).iteration if member.needs_search else None
            ),
            tau_range=along.tau_range,
            builder=builder,
            wishes=wishes,
            unfitted=unfitted(along, search.names),
        )
        return dataclasses.replace(
            plan, device=device_text(measure, targets, plan.widths)
        )

    if method is not None:
        return planned(method)
    chosen = default_method(targets, measure)
    if chosen != "priced" or price_exponent is not None:
        return planned(chosen)
    if iteration is not None:
        methods.get("ranking").check_iteration(iteration)
    if search.states and search.state(iteration or 1).trace.whole is not None:
        return planned("ranking")
    plan = planned(chosen)
    if plan.pricing and plan.pricing.floored:
        uniform = planned("uniform", iteration=None)
        return dataclasses.replace(uniform, unpriced=plan.pricing)
    return plan


def _along(
    search: SearchRecord,
    method: str,
    iteration: int | None,
    price_exponent: float | None,
) -> Along:
    """What a method scales along, at the price exponent that was given, if any.

    Raises:
        InputError: no such method or iteration, or an exponent of another method.
    """
    if iteration is not None:
        methods.get(method).check_iteration(iteration)
    along = methods.curve(search, method, iteration)
    if price_exponent is None:
        return along
    if not isinstance(along, PriceLaw):
        raise InputError(
            f"--price_exponent goes with --method=priced; got --method={method}."
        )
    return PriceLaw(along.law, _checked(price_exponent), limit=along.limit)


def with_device(
    measure: Measure | None,
    device: "Device | str | Path | None",
    targets: Iterable[str],
) -> Measure | None:
    """How measured budgets are measured, a device file among it if there is one.

    Args:
        measure: How they are measured.
        device: A device file, or its path.
        targets: Names of the budgets.

    Raises:
        InputError: `measure` is none, or nothing is planned by the device file.
    """
    if measure is not None and not isinstance(measure, Measure):
        raise InputError(f"measure is an ns_tf.Measure; got {reprlib.repr(measure)}.")
    if device is None:
        return measure
    if BUDGET not in targets:
        raise InputError(f"device goes with the budget {BUDGET}.")
    return dataclasses.replace(measure or Measure(), device=device)


def check_names(targets: Iterable[str]) -> None:
    """Refuses names that are no budgets.

    Args:
        targets: The names.

    Raises:
        InputError: suggests the nearest name.
    """
    for name in targets:
        if name not in BUDGETS.names():
            raise unknown("budget", name, [*BUDGETS.names(), "ratio"])


def _checked(exponent: float) -> float:
    """The exponent, if it can be one.

    Raises:
        InputError: it is no positive number.
    """
    number = isinstance(exponent, numbers.Real) and not isinstance(exponent, bool)
    if not (number and exponent > 0):
        raise InputError(
            "--price_exponent is a positive number, or inf for the curve of the law; "
            f"got {exponent!r}."
        )
    return exponent


def options(budget: BudgetConfig, curve: MethodConfig) -> dict[str, Any]:
    """Keyword arguments of `make_plan` from the flags of a budget and of a method.

    >>> options(BudgetConfig(ratio=0.5), MethodConfig())["method"] is None
    True

    Args:
        budget: Budgets and how they are met; the targets are not among the options.
        curve: The method and the iteration of the search.
    """
    return {
        "method": curve.method,
        "iteration": curve.iteration,
        "price_exponent": curve.price_exponent,
        "ratio": budget.ratio,
        **solver_options(budget),
    }


def keywords(budget: BudgetConfig) -> dict[str, Any]:
    """Keyword arguments of `Searched.plan` from the flags of a budget, without `ratio`.

    >>> told = keywords(BudgetConfig(params=5003.0, keep="stem"))
    >>> told["params"], told["keep"], told["round_to"]
    (5003.0, ('stem',), 1)

    Args:
        budget: Budgets and how they are met.
    """
    options = solver_options(budget)
    wishes = dataclasses.asdict(options.pop("wishes"))
    return {**options, **wishes, **budget.targets}


def solver_options(solver: SolverConfig) -> dict[str, Any]:
    """Keyword arguments of `make_plan` that say how budgets are met.

    >>> sorted(solver_options(SolverConfig(round_to=8)))
    ['max_width', 'measure', 'min_width', 'round_to', 'wishes']
    """
    return {
        "round_to": solver.round_to,
        "min_width": solver.min_width,
        "max_width": solver.max_width,
        "measure": solver.measure,
        "wishes": solver.wishes,
    }
