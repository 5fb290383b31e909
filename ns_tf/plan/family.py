"""Candidates for one budget: uniform widths, those of methods, and means of the two.

No method is the best for every network and budget. The candidates differ in how far
they go from uniform widths, and all meet the budgets; short trainings choose among them
(`ns_tf.plan.refine`).
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import Along, Architecture, Curve, InputError, PriceLaw, Scaling
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods, targets
from ns_tf.plan.measured import Measurements
from ns_tf.plan.plan import check_names
from ns_tf.plan.width_plan import WidthPlan, plan_of
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.law import unfitted

if TYPE_CHECKING:
    from ns_tf.plan.refine import Refinement

UNIFORM = "uniform"
BY_SCORES = "taylor_fo"
_STEEPER = (2.0, 1.5, 4.0)  # Times the exponent of the plan at a price.


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Widths that meet the budgets."""

    label: str  # Also the name of a folder.
    scaling: Scaling
    tau_range: tuple[float, float] | None = None  # Recorded, of a law.
    unfitted: tuple[str, ...] = ()  # Layers without a slope in it.


@dataclasses.dataclass(frozen=True)
class Family:
    """The candidates of a search for some budgets.

    Args:
        search: With at least one iteration.
        targets: Budgets by name; all hold.
        iteration: Of the search; each method's own if None, most often the last.
        builder: The architecture, if no registered name finds it.
        options: Of `ns_tf.plan.targets.solve`: measure, round_to, min_width, max_width,
            wishes.
        measurements: Of measured budgets: what is not measured again; grows.
        way_down: Widths of a trained network as it loses filters by its scores
            (`ns_tf.plan.by_scores`); None if there is none.
    """

    search: SearchRecord
    targets: Mapping[str, float]
    iteration: int | None
    builder: Architecture | None
    options: Mapping[str, Any]
    measurements: Measurements = dataclasses.field(default_factory=dict)
    way_down: Curve | None = None

    @classmethod
    def of(
        cls,
        search: SearchRecord,
        budgets: Mapping[str, float],
        *,
        iteration: int | None = None,
        ratio: float | None = None,
        builder: Architecture | None = None,
        **options: Any,
    ) -> "Family":
        """The family of a search for the budgets of a plan.

        Args:
            search: With at least one iteration.
            budgets: By name; all hold.
            iteration: Of the search; the last if None.
            ratio: The paper's r as one more budget.
            builder: The architecture, if no registered name finds it.
            **options: Of `ns_tf.plan.targets.solve`.

        Raises:
            InputError: unknown budgets, or none at all, or no such iteration.
        """
        check_names(budgets)
        if iteration is not None:
            methods.get("ranking").check_iteration(iteration)
        search.state(iteration)
        goals = targets.with_ratio(search, budgets, ratio)
        return cls(search, goals, iteration, builder, options)

    def uniform(self, factor: float = 1.0) -> Scaling:
        """Uniform widths within the budgets times a factor.

        Args:
            factor: Above 0.

        Raises:
            InputError: an impossible budget.
        """
        goals = {name: factor * target for name, target in self.targets.items()}
        return self._solved(methods.curve(self.search, UNIFORM), goals)

    def wants_scores(self, count: int) -> bool:
        """Whether widths by the scores of a trained network are among the first.

        Args:
            count: How many candidates are asked for.
        """
        # Before it there are uniform, the other methods, and a mean with each.
        own = self.iteration or methods.get("ranking").iteration
        others = 2 + (self.search.state(own).trace.whole is not None)
        return self._by_price or count > 1 + 2 * others

    def candidates(self, count: int) -> tuple[Candidate, ...]:
        """The first candidates of different widths; uniform is the first of all.

        Args:
            count: How many, at most: a family ends.

        Raises:
            InputError: an impossible budget.
        """
        found: dict[tuple, Candidate] = {}
        for candidate in self._all():
            found.setdefault(candidate.scaling.widths, candidate)
            if len(found) == count:
                break
        return tuple(found.values())

    def plan(self, chosen: Candidate, refinement: "Refinement") -> WidthPlan:
        """The plan of a candidate that short trainings chose.

        Args:
            chosen: One of the candidates.
            refinement: How it was chosen.
        """
        plan = plan_of(
            self.search,
            chosen.scaling,
            method="refined",
            iteration=self.search.state(self.iteration).iteration,
            tau_range=chosen.tau_range,
            builder=self.builder,
            wishes=self.options.get("wishes"),
            unfitted=chosen.unfitted,
        )
        measure = self.options.get("measure")
        about = targets.device_text(measure, self.targets, plan.widths)
        return dataclasses.replace(plan, refinement=refinement, device=about)

    def _all(self) -> Iterator[Candidate]:
        """All candidates, those of most promise first; some may have equal widths."""
        uniform = self._at(UNIFORM, methods.curve(self.search, UNIFORM))
        yield uniform
        law, priced, ends = self._of("neuralscale"), self._of("priced"), []
        for end in self._ends(law, priced):
            ends.append(end)
            yield end
            yield self._between(uniform, end, 0.5)
        for end in ends[:1]:
            yield self._between(uniform, end, 0.25)
        for end in self._steeper(priced):
            yield end
            yield self._between(uniform, end, 0.5)
        for end in ends:
            yield self._between(uniform, end, 0.75)
        if law:
            yield self._between(uniform, law, 0.25)

    def _ends(
        self, law: Candidate | None, priced: Candidate | None
    ) -> Iterator[Candidate]:
        """The plans of methods, those of most promise for these budgets first.

        Args:
            law: The plan of the law; None if there is none.
            priced: The plan at a price; None if there is none.
        """
        scored = None
        with contextlib.suppress(InputError):  # Widths on the way may not be allowed.
            scored = self.way_down and self._at(BY_SCORES, self.way_down)
        ranked = self._of("ranking")
        found = [law, priced, ranked, scored]
        if self._by_price:
            found = [scored, ranked, priced, law]
        return (one for one in found if one is not None)

    @property
    def _by_price(self) -> bool:
        """Whether a plan for these budgets asks what filters cost."""
        measure = self.options.get("measure")
        return targets.default_method(self.targets, measure) == "priced"

    def _curve(self, name: str) -> Along:
        """What a method makes of the search."""
        return methods.curve(self.search, name, self.iteration)

    def _of(self, method: str) -> Candidate | None:
        """The plan of a method; None where it has none for these budgets.

        As at a price where a budget has none, or along a law that does not come to
        them. Other reasons to refuse are those of uniform widths, which come before it.
        """
        try:
            return self._at(method, self._curve(method))
        except InputError:
            return None

    def _steeper(self, priced: Candidate | None) -> Iterator[Candidate]:
        """Plans at a price between that of the record and the curve of the law.

        Args:
            priced: The plan at a price; None if there is none.
        """
        for factor in _STEEPER if priced else ():
            p = float(f"{factor * priced.scaling.pricing.exponent:.3g}")
            law = PriceLaw(self._curve("priced").law, p)
            yield self._at(f"priced_p{p:g}", law)

    def _at(self, label: str, along: Along) -> Candidate:
        """The candidate that meets the budgets."""
        scaling = self._solved(along, self.targets)
        without = unfitted(along, self.search.names)
        return Candidate(label, scaling, along.tau_range, without)

    def _solved(self, along: Along, goals: Mapping[str, float]) -> Scaling:
        """The widths that meet some budgets."""
        return targets.solve(
            self.search,
            along,
            goals,
            builder=self.builder,
            measurements=self.measurements,
            **self.options,
        )

    def _between(self, one: Candidate, other: Candidate, share: float) -> Candidate:
        """A weighted geometric mean of two, scaled to the budgets.

        Args:
            one: Weighs 1 - share.
            other: Weighs the share.
            share: From 0 to 1.
        """
        logs = [np.log(np.array(c.scaling.widths, float)) for c in (one, other)]
        mean = np.exp((1 - share) * logs[0] + share * logs[1])
        params = float(self.search.costs["params"](np.ceil(mean).astype(int)))
        label = f"{share:g}_to_{other.label}"
        return self._at(label, uniform_curve(mean, tau=params))
