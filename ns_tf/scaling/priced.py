"""Whole widths of most value under budgets: the price law's optimum, filled up."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ns_tf.base import Cost, PriceLaw, Scaling, Unpriced
from ns_tf.networks.priced_cost import PricedCost
from ns_tf.scaling.bounds import Bounds
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.estimated import solve_by_estimates
from ns_tf.scaling.grid import check_reach, grid_of
from ns_tf.scaling.program import Program
from ns_tf.scaling.solve import at_cost
from ns_tf.scores import Fall

_USELESS = 10.0  # A larger gap says nothing, as of an exponent of 1,000.


@dataclasses.dataclass(frozen=True)
class Pricing:
    """How a plan at a price came about, and how good it is."""

    exponent: float  # p, after the floor: one more filter is worth tau^-p.
    floored: bool  # Whether p was below the floor.
    # By budget: lambda_k B_k over the sum of all. 0 for a budget that does not bind.
    shares: Mapping[str, float]
    # How far the loss is above the least that any real-valued widths within the
    # budgets have, as a share of it: at most so far from the best value.
    gap: float
    source: str = "given"  # Of p; "assumed" or "recorded" where nobody gave it.
    fall: Fall | None = None  # Of the worth of filters, where it is recorded.
    asked: float = math.nan  # p before the floor.

    def worth(self, budget: str, other: str) -> float | None:
        """How many percent more of `other` are worth 1 % more of `budget`.

        None if `other` does not bind, so that more of it is worth nothing.

        >>> Pricing(1.0, False, {"macs": 0.75, "params": 0.25}, 0.0).worth(
        ...     "macs", "params")
        3.0
        """
        if not self.shares[other]:
            return None
        return self.shares[budget] / self.shares[other]

    @property
    def silence(self) -> str:
        """Why a floored exponent says nothing of the last filters of a layer.

        >>> print(Pricing(1.1, True, {"macs": 1.0}, 0.0, "assumed", asked=1.0).silence)
        one more filter is worth tau^-1 (assumed), and prices need 1.1, above every beta
        """
        by = "assumed" if self.source == "assumed" else "by its scores"
        return (
            f"one more filter is worth {self._worth} ({by}), and prices need "
            f"{self.exponent:.3g}, above every beta"
        )

    def lines(self) -> Iterator[str]:
        """What budgets are worth, and how far the plan is from the best, for people."""
        yield f"priced: {self._exponent()}"
        if self.floored and self.fall is not None:
            yield (
                "Scores fall too slowly here to say what a layer's last filters are "
                "worth; --refine lets short trainings choose."
            )
        for name, share in self.shares.items():
            taken = f"takes {share:.1%} of the value" if share else "does not bind"
            yield f"{name} {taken}"
        first, *others = [name for name, share in self.shares.items() if share] or [""]
        for other in others:
            worth = self.worth(first, other)
            yield f"1 % more {first} is worth {worth:.3g} % more {other}"
        if self.gap > _USELESS:
            yield "no bound says how far the value is from the best of such widths"
        else:  # Rounding may take it below 0.
            gap = max(self.gap, 0.0)
            yield f"at most {gap:.3%} more loss of value than any such widths"

    @property
    def _worth(self) -> str:
        """tau^-p, for people."""
        return f"tau^{0.0 - self.asked:.3g}"

    def _exponent(self) -> str:
        """What one more filter is worth, who says so, and whether it was raised."""
        text = f"one more filter is worth {self._worth}"
        if self.fall is not None:
            low, high = self.fall.tau_range
            p, sure = self.asked, 1.96 * self.fall.error
            text += f" (p from {p - sure:.2f} to {p + sure:.2f})"
            text += f", by {self.fall.events} events"
            text += f" from {low:,.0f} to {high:,.0f} parameters"
        elif self.source == "assumed":
            text += ", assumed: no scores say it"
        raised = f"; {self.exponent:.3g} is used, above every beta"
        return text + (raised if self.floored else "")


@dataclasses.dataclass(frozen=True)
class PricedScaling(Scaling):
    """Widths of most value that meet budgets."""

    pricing: Pricing
    # Where the law gives a layer its width, of the layers that it decides on: these
    # grow by it, are at no end of the grid, as kept ones are, and several, or the
    # budget decides alone.
    taus: tuple[float, ...]


def at_price(
    price: PriceLaw,
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    *,
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | Sequence[int] | None = None,
    bounds: Bounds | None = None,
    fall: Fall | None = None,
) -> Scaling:
    """The whole widths of most value that meet every budget.

    The optimum of the price law (`ns_tf.scaling.prices`) is rounded down until it meets
    every budget, and filled up: of the layers that can grow by `round_to` within all
    budgets, the one grows whose step is worth most for its price, until none can.

    >>> from ns_tf.base import ScalingLaw
    >>> from ns_tf.networks.costs import CostPolynomial
    >>> law = ScalingLaw(np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    >>> cost = CostPolynomial.collect(
    ...     "MACs", [(3, 0, 2, (-1, -1)), (1, 0, 1, (-1, -1))])
    >>> scaling = at_price(PriceLaw(law, 1.0), {"macs": Cost(cost)}, {"macs": 900})
    >>> scaling.widths, scaling.costs, scaling.pricing.shares
    ((27, 30), {'macs': 891}, {'macs': 1.0})

    Args:
        price: The law, and what filters are worth.
        costs: By budget, exact costs or tables of a device; or measured costs whose
            estimate is exact.
        targets: By budget: the largest cost allowed; all hold.
        round_to: Every width is a multiple of it.
        min_width: The least width.
        max_width: The largest width, or that of each layer; 65,536 if None.
        bounds: What a user wishes for single layers; it holds as well. Tied layers
            follow the mean of their laws, in logarithms.
        fall: The record that the exponent was read from, if it was.

    Returns:
        The widths, their costs, how they were priced (`PricedScaling`); tau is the
        geometric mean of those of the layers that grow by the law. An infinite
        exponent, or one from `ns_tf.base.ENDLESS` on, gives the plan along the law's
        curve (`ns_tf.scaling.solve.at_cost`), which is the limit.

    Raises:
        InputError: a budget without a price, targets that the smallest widths exceed or
            the largest do not reach, or a law in which no width grows.
    """
    limits = {"round_to": round_to, "min_width": min_width, "max_width": max_width}
    if price.along:
        curve = power_law(price.along)
        return at_cost(curve, costs, targets, **limits, bounds=bounds)
    grid = grid_of(**limits, bounds=bounds)
    prices = {name: _price(name, costs[name]) for name in targets}
    program = Program.of(price, prices, grid)
    layers = len(price.law.alpha)
    source = price.source if fall is None else "recorded"

    def solve(known: Mapping[str, Cost], goals: Mapping[str, float]) -> PricedScaling:
        del known  # The prices are those of the budgets, or of their estimates.
        both = {name: (cost, goals[name]) for name, cost in prices.items()}
        check_reach(both, grid, layers)
        widths, shares, gap = program.solve(goals)
        value, numbers = program.value, grid.numbers(layers)
        log_taus = value.log_taus(widths)[numbers]
        widths = widths[numbers]
        free = (widths > grid.low) & (widths < grid.high)
        free &= len(np.unique(numbers[free])) > 1
        grows = ~value.steady[numbers]
        return PricedScaling(
            widths=tuple(int(width) for width in widths),
            tau=float(np.exp(log_taus[grows].mean())),
            costs={n: np.asarray(cost(widths)).item() for n, cost in prices.items()},
            targets=dict(goals),
            pricing=Pricing(
                value.exponent,
                value.floored,
                shares,
                gap,
                source,
                fall,
                price.exponent,
            ),
            taus=tuple(np.exp(log_taus[free & grows]).tolist()),
        )

    if any(costs[name].estimate for name in targets):
        return solve_by_estimates(solve, costs, targets, grid, layers)
    return solve(costs, targets)


def _price(name: str, cost: Cost) -> PricedCost:
    """The cost of a budget that a plan at a price can be solved for.

    Raises:
        Unpriced: it has none.
    """
    of = cost.estimate.of if cost.estimate else cost.of
    if not isinstance(of, PricedCost):
        raise Unpriced(
            f"The budget {name} has no price: it is measured, and no polynomial of the "
            "widths. Use --method=neuralscale for it, or budget params or macs; of "
            "latency_ms, --device has prices."
        )
    return of
