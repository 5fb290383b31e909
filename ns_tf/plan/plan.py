"""From a search to the widths for a budget, and to the network that has them.

A plan is algorithm 3: a point on a method's curve tau -> widths, made whole, at which
every budget holds. It carries all exact costs and how far the law was extrapolated.
This module imports no Keras before a plan is built or a cost is counted anew.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf import budgets
from ns_tf.base import Architecture, InputError, PriceLaw, Scaling, Widths
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan.config import BudgetConfig, MethodConfig, SolverConfig
from ns_tf.plan.targets import solve, with_ratio
from ns_tf.registry import unknown
from ns_tf.render import tables

if TYPE_CHECKING:
    import keras

    from ns_tf.scaling.priced import Pricing

FAR = 2.0  # Extrapolation beyond which a plan warns.


@dataclasses.dataclass(frozen=True)
class WidthPlan:
    """Widths that meet every budget, their costs, and the distance to the record.

    `print(plan)` shows a row a layer and a row a cost; `to_json` gives the same to
    programs; `build` makes the network.
    """

    architecture: str
    input_shape: tuple[int, int, int]
    classes: int
    method: str  # Whose curve, or whose price law (`ns_tf.plan.methods`).
    iteration: int | None  # Of the search; None for a method that needs none.
    names: tuple[str, ...]  # [layers]
    seed_widths: Widths  # Of the network that was searched.
    scaling: Scaling
    costs: Mapping[str, float]  # By exact budget, whether it was a target or not.
    tau_range: tuple[float, float] | None  # Recorded by the search.
    # The architecture; None if `architecture` names a registered one.
    builder: Architecture | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def widths(self) -> Widths:
        """Filters of every layer."""
        return self.scaling.widths

    @property
    def params(self) -> int:
        """Trainable parameters of the network."""
        return int(self.costs["params"])

    @property
    def extrapolation(self) -> float:
        """How far tau is outside the recorded range, as a factor of at least 1.

        max(low / tau, tau / high, 1) for a record from `low` to `high`: 1 inside it,
        3 at three times its largest network. 1 for a curve that nothing recorded. A
        plan at a price has a tau a layer, of which the one furthest outside counts.
        """
        if self.tau_range is None:
            return 1.0
        low, high = self.tau_range
        taus = getattr(self.scaling, "taus", (self.scaling.tau,))
        return max(low / min(taus), max(taus) / high, 1.0)

    @property
    def warning(self) -> str | None:
        """A sentence on extrapolation beyond `FAR`; None for a plan within it."""
        if self.extrapolation <= FAR:
            return None
        low, high = self.tau_range
        return (
            f"the law was recorded between {low:,.0f} and {high:,.0f} parameters; this "
            f"plan is {self.extrapolation:.1f} times outside, where laws are often off."
        )

    def build(self) -> "keras.Model":
        """An ordinary `keras.Model` of these widths with fresh weights.

        Returns:
            Logits `[batch, classes]` of images `[batch, *input_shape]`.

        Raises:
            InputError: no architecture has the name.
            RuntimeError: the model has other parameters than were planned, as when the
                code of the architecture changed since the search.
        """
        from ns_tf.networks import architectures
        from ns_tf.networks.structure import count_params

        architecture = self.builder or architectures.get(self.architecture)
        model = architecture.build(
            self.widths, input_shape=self.input_shape, classes=self.classes
        )
        built = count_params(model)
        if built != self.params:
            raise RuntimeError(f"Planned {self.params} parameters, built {built}.")
        return model

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: what `ns_tf.plan --output=json` prints.

        Returns:
            The network's names and shapes, widths by layer, costs and targets by
            budget, tau, the extrapolation and its warning.
        """
        return {
            "architecture": self.architecture,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "method": self.method,
            "iteration": self.iteration,
            "widths": dict(zip(self.names, self.widths, strict=True)),
            "costs": {**self.costs, **self.scaling.costs},
            "targets": dict(self.scaling.targets),
            "tau": self.scaling.tau,
            "extrapolation": self.extrapolation,
            "warning": self.warning,
            **({"pricing": dataclasses.asdict(self.pricing)} if self.pricing else {}),
        }

    @property
    def pricing(self) -> "Pricing | None":
        """How a plan at a price came about; None for a plan along a curve."""
        return getattr(self.scaling, "pricing", None)

    def __str__(self) -> str:
        prices = self.pricing.lines() if self.pricing else ()
        lines = [self._layers(), "", *self._budgets(), *prices, *self._trust()]
        return "\n".join(lines)

    def _layers(self) -> str:
        """Every layer's width before and after, as a table."""
        widths = zip(self.names, self.seed_widths, self.widths, strict=True)
        return tables.plain(
            ("layer", "searched", "plan", "times"),
            [(name, f"{a}", f"{b}", f"{b / a:.2f}") for name, a, b in widths],
            least=(5, 8, 6, 6),
        )

    def _budgets(self) -> Iterator[str]:
        """A line a cost, with the target and the distance to it if there is one."""
        for name, cost in {**self.costs, **self.scaling.costs}.items():
            unit = budgets.get(name).unit
            line = f"{name}: {cost:,.6g} {unit}" if cost % 1 else f"{name}: {cost:,.0f}"
            target = self.scaling.targets.get(name)
            if target is not None:
                line += f" of {target:,.10g} ({100 * (cost / target - 1):+.3f} %)"
            yield line

    def _trust(self) -> Iterator[str]:
        """The recorded range and the warning; nothing for a curve without a record."""
        if self.tau_range is None:
            return
        low, high = self.tau_range
        yield (
            f"law of iteration {self.iteration}, recorded from {low:,.0f} to "
            f"{high:,.0f} parameters; extrapolated {self.extrapolation:.2f} times"
        )
        if self.warning:
            yield f"Warning: {self.warning}"


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
        price_exponent: float | None = None,
        **targets: float,
    ) -> "WidthPlan":
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            method: Any method of `ns_tf.plan.methods` that has a curve. If None,
                "priced" for multiply-adds, "neuralscale" for parameters, bytes and
                milliseconds.
            iteration: Of the search, from 1; the last if None.
            ratio: A budget: the parameters of the default network with every width
                times this.
            round_to: Widths are multiples of this.
            min_width: Filters that every layer has at least.
            max_width: Filters that a layer has at most.
            measure: How `latency_ms` is measured.
            price_exponent: Of the method "priced": p, where one more filter is worth
                tau^-p; as the search's scores say, or 1, if None.
            **targets: Budgets by name; with several, all hold.

        Returns:
            The plan of largest tau under all budgets.

        Raises:
            InputError: an unknown or impossible budget, an unknown method, or an
                iteration that the search does not have.
        """
        for name in targets:
            if name not in BUDGETS.names():
                raise unknown("budget", name, [*BUDGETS.names(), "ratio"])
        return make_plan(
            self.record,
            targets,
            method=method,
            iteration=iteration,
            ratio=ratio,
            round_to=round_to,
            min_width=min_width,
            max_width=max_width,
            measure=measure,
            builder=self.architecture,
            price_exponent=price_exponent,
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
) -> WidthPlan:
    """The widths for these budgets (algorithm 3).

    Departure: the paper scales to a number of parameters; here any registered budget
    is a target, and several hold together.

    Args:
        search: The record of a search; one without iterations is enough for uniform.
        targets: Budgets by name; all hold.
        method: Whose curve is scaled along; by the budgets if None
            (`ns_tf.plan.methods.default`).
        iteration: Of the search, from 1; the last if None.
        ratio: The paper's r as one more budget: the parameters of the default network
            with every width times this (`int(width * ratio)`).
        round_to: Widths are multiples of this.
        min_width: Filters that every layer has at least.
        max_width: Filters that a layer has at most.
        measure: How measured budgets are measured.
        builder: The architecture, if no registered name finds it.
        price_exponent: Of `priced`: one more filter is worth tau^-price_exponent; as
            the search's scores say, or 1, if None.

    Returns:
        The plan of largest tau under all budgets; no width can grow by `round_to`.

    Raises:
        InputError: unknown budget or method, an impossible budget (with the smallest
            and largest reachable cost), or no such iteration.
    """
    method = method or methods.default(targets)
    member = methods.get(method)
    if iteration is not None:
        member.check_iteration(iteration)
    curve = methods.curve(search, method, iteration)
    if price_exponent is not None:
        if not isinstance(curve, PriceLaw):
            raise InputError(
                f"--price_exponent goes with --method=priced; got --method={method}."
            )
        # The limit is the paper's curve, by the paper's law.
        law = search.state(iteration).law if price_exponent == np.inf else curve.law
        curve = PriceLaw(law, _checked(price_exponent))
    scaling = solve(
        search,
        curve,
        with_ratio(search, targets, ratio),
        measure=measure,
        builder=builder,
        round_to=round_to,
        min_width=min_width,
        max_width=max_width,
    )
    state = search.state(iteration) if member.needs_search else None
    widths = np.array(scaling.widths)
    return WidthPlan(
        architecture=search.architecture,
        input_shape=search.input_shape,
        classes=search.classes,
        method=method,
        iteration=state.iteration if state else None,
        names=search.names,
        seed_widths=search.seed_widths,
        scaling=scaling,
        costs={name: int(cost(widths)) for name, cost in search.costs.items()},
        tau_range=curve.tau_range,
        builder=builder,
    )


def _checked(exponent: float) -> float:
    """The exponent, if it can be one.

    Raises:
        InputError: it is not positive.
    """
    if not exponent > 0:
        raise InputError(
            "--price_exponent is a positive number, or inf for the curve of the law; "
            f"got {exponent!r}."
        )
    return exponent


def options(budget: BudgetConfig, curve: MethodConfig) -> dict[str, Any]:
    """Keyword arguments of `make_plan` from the flags of a budget and of a method.

    Args:
        budget: Budgets and how they are met; the targets are not among the options.
        curve: The method and the iteration of the search.
    """
    return {
        "method": curve.of(budget).method,
        "iteration": curve.iteration,
        "price_exponent": curve.price_exponent,
        "ratio": budget.ratio,
        **solver_options(budget),
    }


def solver_options(solver: SolverConfig) -> dict[str, Any]:
    """Keyword arguments of `make_plan` that say how budgets are met.

    >>> sorted(solver_options(SolverConfig(round_to=8)))
    ['max_width', 'measure', 'min_width', 'round_to']
    """
    return {
        "round_to": solver.round_to,
        "min_width": solver.min_width,
        "max_width": solver.max_width,
        "measure": solver.measure,
    }
