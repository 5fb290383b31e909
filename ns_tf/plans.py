"""From a search to the widths for a budget, and to the network that has them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf import budgets, estimation, scaling
from ns_tf.base import Curve, InputError, Scaling, Widths
from ns_tf.runs import SearchRecord

FAR = 2.0  # Extrapolation beyond which a plan warns.


@dataclasses.dataclass(frozen=True)
class Plan:
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
        from ns_tf import architectures, structure

        found = self.builder or architectures.get(self.architecture)
        model = found.build(
            self.widths, input_shape=self.input_shape, classes=self.classes
        )
        built = structure.count_params(model)
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
        return "\n".join([*self._layers(), "", *self._budgets(), *self._trust()])

    def _layers(self):
        size = max(len("layer"), *(len(name) for name in self.names))
        yield f"{'layer':<{size}}  {'searched':>8}  {'plan':>6}  {'times':>6}"
        for name, old, new in zip(
            self.names, self.seed_widths, self.widths, strict=True
        ):
            yield f"{name:<{size}}  {old:>8}  {new:>6}  {new / old:>6.2f}"

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
    measure: budgets.Measure | None = None,
    builder: Any = None,
) -> Plan:
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
    if iteration is not None:
        _check_iteration(method, iteration)
    scaled = solve(
        search,
        curve(search, method, iteration),
        with_ratio(search, targets, ratio),
        measure=measure,
        builder=builder,
        round_to=round_to,
        min_width=min_width,
        max_width=max_width,
    )
    state = None if method == "uniform" else search.state(iteration)
    widths = np.array(scaled.widths)
    return Plan(
        architecture=search.architecture,
        input_shape=search.input_shape,
        classes=search.classes,
        method=method,
        iteration=state.iteration if state else None,
        names=search.names,
        seed_widths=search.seed_widths,
        scaling=scaled,
        costs={name: int(cost(widths)) for name, cost in search.costs.items()},
        tau_range=state.law.tau_range if method == "neuralscale" else None,
        builder=builder,
    )


def solve(
    search: SearchRecord,
    along: Curve,
    targets: Mapping[str, float],
    *,
    measure: budgets.Measure | None = None,
    builder: Any = None,
    **options: Any,
) -> Scaling:
    """The widths on a curve that meet these budgets.

    Args:
        search: Whose network's costs are counted.
        along: tau -> widths.
        targets: Budgets by name; all hold.
        measure: How measured budgets are measured.
        builder: The architecture, if it has no name to find it by.
        **options: Of `scaling.at_cost`.

    Raises:
        InputError: unknown or impossible budget.
    """
    costs = {name: _cost(search, name, measure, builder) for name in targets}
    estimates = {
        name: _cost(search, budgets.get(name).estimate, measure, builder)
        for name in targets
        if budgets.get(name).estimate
    }
    return estimation.at_cost(along, costs, targets, estimates, **options)


def _check_iteration(method: str, iteration: Any) -> None:
    if method == "uniform":
        raise InputError(
            f"Uniform scaling has no iterations; leave --iteration={iteration} out."
        )
    if not isinstance(iteration, int) or isinstance(iteration, bool):
        raise InputError(f"An iteration is a whole number from 1; got {iteration!r}.")


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


def curve(search: SearchRecord, method: str, iteration: int | None = None) -> Curve:
    """The curve tau -> widths of a method.

    Raises:
        InputError: unknown method, no such iteration, or for morphnet a pruning that
            never came down to half of the filters.
    """
    if method == "neuralscale":
        return scaling.power_law(search.state(iteration).law)
    if method == "uniform":
        widths = search.default_widths
    elif method == "morphnet":
        widths = _half(search, iteration)
    else:
        raise scaling.unknown("method", method, ("neuralscale", "uniform", "morphnet"))
    return scaling.uniform(widths, tau=float(search.costs["params"](np.array(widths))))


def _half(search: SearchRecord, iteration: int | None) -> Widths:
    """Widths after the event that left half of the filters."""
    state = search.state(iteration)
    half = sum(state.widths) / 2
    for row in state.trace.history:
        if row.sum() <= half:
            return tuple(int(width) for width in row)
    raise InputError(
        "MorphNet needs a pruning that came down to half of the filters; this one "
        f"stopped above half of {sum(state.widths)}. Search with a smaller "
        "--stop_fraction."
    )


def with_ratio(
    search: SearchRecord, targets: Mapping[str, float], ratio: float | None
) -> dict[str, float]:
    """The budgets, the paper's r among them as the parameters that it means.

    Raises:
        InputError: none is given.
    """
    targets = dict(targets)
    if ratio is not None:
        widths = scaling.floor_ratio(search.default_widths, ratio)
        params = float(search.costs["params"](np.array(widths)))
        targets["params"] = min(params, targets.get("params", params))
    if not targets:
        raise InputError(
            f"Give a budget: {', '.join(budgets.BUDGETS.names())} or ratio."
        )
    return targets


def _cost(search: SearchRecord, name: str, measure, builder):
    budget = budgets.get(name)
    if name in search.costs:
        return search.costs[name]
    from ns_tf import architectures, structure

    found = structure.analyse(
        builder or architectures.get(search.architecture),
        search.input_shape,
        search.classes,
    )
    if budget.measured:
        return budget.cost(found, measure or budgets.Measure())
    return budget.cost(found)
