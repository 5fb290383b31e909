"""From a search to the widths for a budget, and to the network that has them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf import budgets
from ns_tf.base import Architecture, Scaling, Widths
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan import targets as plan_targets
from ns_tf.plan.targets import with_ratio
from ns_tf.registry import unknown
from ns_tf.render import tables

FAR = 2.0  # Extrapolation beyond which a plan warns.


@dataclasses.dataclass(frozen=True)
class WidthPlan:
    """Widths that meet a budget, and how far they are to be trusted."""

    architecture: str
    input_shape: tuple[int, int, int]
    classes: int
    method: str  # Whose curve: "neuralscale", "uniform" or "morphnet".
    iteration: int | None  # Of the search; None for uniform scaling.
    names: tuple[str, ...]  # [layers]
    seed_widths: Widths  # Of the network that was searched.
    scaling: Scaling
    costs: Mapping[str, float]  # By budget: all exact ones, asked for or not.
    tau_range: tuple[float, float] | None  # Recorded by the search.
    builder: Any = dataclasses.field(default=None, repr=False, compare=False)

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
        """How far tau is outside the recorded range: 1 inside, 3 at three times it."""
        if self.tau_range is None:
            return 1.0
        low, high = self.tau_range
        return max(low / self.scaling.tau, self.scaling.tau / high, 1.0)

    @property
    def warning(self) -> str | None:
        """What to beware of, if anything."""
        if self.extrapolation <= FAR:
            return None
        low, high = self.tau_range
        return (
            f"the law was recorded between {low:,.0f} and {high:,.0f} parameters; this "
            f"plan is {self.extrapolation:.1f} times outside, where laws are often off."
        )

    def build(self):
        """An ordinary `keras.Model` of these widths with fresh weights.

        Raises:
            RuntimeError: if what is built has other parameters than were planned.
        """
        from ns_tf.networks import architectures
        from ns_tf.networks.structure import count_params

        found = self.builder or architectures.get(self.architecture)
        model = found.build(
            self.widths, input_shape=self.input_shape, classes=self.classes
        )
        built = count_params(model)
        if built != self.params:
            raise RuntimeError(f"Planned {self.params} parameters, built {built}.")
        return model

    def to_json(self) -> dict[str, Any]:
        """Plain values: what `ns_tf.plan --output=json` prints."""
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
        }

    def __str__(self) -> str:
        return "\n".join([self._layers(), "", *self._budgets(), *self._trust()])

    def _layers(self) -> str:
        """Every layer's width before and after, as a table."""
        widths = zip(self.names, self.seed_widths, self.widths, strict=True)
        return tables.plain(
            ("layer", "searched", "plan", "times"),
            [(name, f"{a}", f"{b}", f"{b / a:.2f}") for name, a, b in widths],
            least=(5, 8, 6, 6),
        )

    def _budgets(self):
        for name, cost in {**self.costs, **self.scaling.costs}.items():
            unit = budgets.get(name).unit
            line = f"{name}: {cost:,.6g} {unit}" if cost % 1 else f"{name}: {cost:,.0f}"
            target = self.scaling.targets.get(name)
            if target is not None:
                line += f" of {target:,.10g} ({100 * (cost / target - 1):+.3f} %)"
            yield line

    def _trust(self):
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
    """A search's record, and its architecture if that has no name to find it by."""

    record: SearchRecord
    architecture: Architecture | None = dataclasses.field(default=None, repr=False)

    def plan(
        self,
        *,
        method: str = "neuralscale",
        iteration: int | None = None,
        ratio: float | None = None,
        round_to: int = 1,
        min_width: int = 1,
        max_width: int | None = None,
        measure: Measure | None = None,
        **targets: float,
    ) -> "WidthPlan":
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            method: Any method of `ns_tf.plan.methods` that has a curve.
            iteration: Of the search; the last if None.
            ratio: A budget: the parameters of the default network with every width
                times this.
            round_to: Widths are multiples of this.
            min_width: Filters that every layer has at least.
            max_width: Filters that a layer has at most.
            measure: How `latency_ms` is measured.
            **targets: Budgets by name; with several, all hold.

        Raises:
            InputError: unknown or impossible budget.
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
        )


def make_plan(
    search: SearchRecord,
    targets: Mapping[str, float],
    *,
    method: str = "neuralscale",
    iteration: int | None = None,
    ratio: float | None = None,
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | None = None,
    measure: Measure | None = None,
    builder: Any = None,
) -> WidthPlan:
    """The widths for these budgets.

    Args:
        search: What was searched.
        targets: Budgets by name; all hold.
        method: Whose curve is scaled along.
        iteration: Of the search; the last if None.
        ratio: One more budget: the parameters of the default network with every width
            times this (`int(width * ratio)`).
        round_to: Widths are multiples of this.
        min_width: Filters that every layer has at least.
        max_width: Filters that a layer has at most.
        measure: How measured budgets are measured.
        builder: The architecture, if it has no name to find it by.

    Raises:
        InputError: unknown budget or method, an impossible budget (with the smallest
            and largest reachable cost), or no such iteration.
    """
    chosen = methods.get(method)
    if iteration is not None:
        chosen.check_iteration(iteration)
    curve = methods.curve(search, method, iteration)
    scaled = plan_targets.solve(
        search,
        curve,
        with_ratio(search, targets, ratio),
        measure=measure,
        builder=builder,
        round_to=round_to,
        min_width=min_width,
        max_width=max_width,
    )
    state = search.state(iteration) if chosen.needs_search else None
    widths = np.array(scaled.widths)
    return WidthPlan(
        architecture=search.architecture,
        input_shape=search.input_shape,
        classes=search.classes,
        method=method,
        iteration=state.iteration if state else None,
        names=search.names,
        seed_widths=search.seed_widths,
        scaling=scaled,
        costs={name: int(cost(widths)) for name, cost in search.costs.items()},
        tau_range=curve.tau_range,
        builder=builder,
    )


def options(budget, curve) -> dict[str, Any]:
    """Keyword arguments of `make_plan` from a `BudgetConfig` and a `CurveConfig`."""
    return {
        "method": curve.method,
        "iteration": curve.iteration,
        "ratio": budget.ratio,
        **solver_options(budget),
    }


def solver_options(solver) -> dict[str, Any]:
    """Those of a `SolverConfig`."""
    return {
        "round_to": solver.round_to,
        "min_width": solver.min_width,
        "max_width": solver.max_width,
        "measure": solver.measure,
    }
