"""A plan: widths that meet every budget, what they cost, and the network they make."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf import budgets
from ns_tf.base import Architecture, Scaling, Widths
from ns_tf.descend.record import SearchRecord
from ns_tf.parts import Parts
from ns_tf.render import tables
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.growth import ScalingInTurns

if TYPE_CHECKING:
    import keras

    from ns_tf.plan.refine import Refinement
    from ns_tf.scaling.priced import Pricing

FAR = 2.0  # Extrapolation beyond which a plan warns.


@dataclasses.dataclass(frozen=True)
class WidthPlan:
    """Widths that meet every budget, their costs, and the distance to the record.

    `print(plan)` shows a row a layer and a row a cost; `to_json` gives the same to
    programs; `build` makes the network.
    """

    architecture: str
    input_shape: tuple[int, ...] | Parts
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
    # How short trainings chose it; None if none did.
    refinement: "Refinement | None" = None
    wishes: tuple[str, ...] = ()  # What was wished for the widths, as flags.
    device: str | None = None  # The device whose file said milliseconds, in words.
    unfitted: tuple[str, ...] = ()  # Layers without a slope of their own.
    # Of the price law that would have been taken, had it not been silent.
    unpriced: "Pricing | None" = None

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
        plan at a price has a tau for every layer that it decides on, of which the one
        furthest outside counts; there may be none. Of a plan whose layers grew in
        turns, as for RAM alone, the parameters count too.
        """
        if self.tau_range is None:
            return 1.0
        low, high = self.tau_range
        taus = getattr(self.scaling, "taus", (self.scaling.tau,))
        if isinstance(self.scaling, ScalingInTurns):
            taus = (*taus, self.params)
        return max([1.0, *(low / tau for tau in taus), *(tau / high for tau in taus)])

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
            **({"wishes": list(self.wishes)} if self.wishes else {}),
            **({"device": self.device} if self.device else {}),
            **({"unfitted": list(self.unfitted)} if self.unfitted else {}),
            **{
                name: dataclasses.asdict(part)
                for name, part in (
                    ("pricing", self.pricing),
                    ("unpriced", self.unpriced),
                    ("refinement", self.refinement),
                )
                if part
            },
        }

    @property
    def pricing(self) -> "Pricing | None":
        """How a plan at a price came about; None for a plan along a curve."""
        return getattr(self.scaling, "pricing", None)

    def __str__(self) -> str:
        prices = self.pricing.lines() if self.pricing else self._silence()
        lines = [self._layers(), "", *self._budgets(), *prices, *self._ranked()]
        lines += self._trust()
        chosen = ["", *self.refinement.lines()] if self.refinement else []
        return "\n".join(lines + chosen)

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
        if self.wishes:
            yield f"wished: {' '.join(self.wishes)}"
        if self.device:
            yield f"device: {self.device}"
        for name, cost in {**self.costs, **self.scaling.costs}.items():
            unit = budgets.get(name).unit
            line = f"{name}: {cost:,.6g} {unit}" if cost % 1 else f"{name}: {cost:,.0f}"
            target = self.scaling.targets.get(name)
            if target is not None:
                line += f" of {target:,.10g} ({100 * (cost / target - 1):+.3f} %)"
            yield line

    def _silence(self) -> Iterator[str]:
        """Why the plan is uniform where nobody asked for that."""
        if self.unpriced:
            yield (
                f"uniform: {self.unpriced.silence}. --refine lets short trainings "
                "choose; --method=priced takes the raised exponent."
            )

    def _ranked(self) -> Iterator[str]:
        """What a plan by the scores of filters goes by, where there is one."""
        if self.method != "ranking":
            return
        if any(a < b for a, b in zip(self.widths, self.seed_widths, strict=True)):
            yield (
                f"ranking: by the scores of all filters in iteration {self.iteration}, "
                "before the first removal"
            )
        else:
            yield (
                "ranking: no smaller than the searched network, so its widths are "
                "scaled evenly; --method=priced goes by its law, --refine lets short "
                "trainings choose"
            )

    def _trust(self) -> Iterator[str]:
        """The recorded range, layers without a slope, and the warning.

        Nothing for a curve without a record.
        """
        if self.tau_range is None:
            return
        low, high = self.tau_range
        yield (
            f"law of iteration {self.iteration}, recorded from {low:,.0f} to "
            f"{high:,.0f} parameters; extrapolated {self.extrapolation:.2f} times"
        )
        if self.unfitted:
            every = len(self.unfitted) == len(self.names)
            whose = "that of uniform scaling" if every else "the others' median"
            yield (
                f"too few filters lost for a slope, so {whose} is taken: "
                f"{', '.join(self.unfitted)}"
            )
        if self.warning:
            yield f"Warning: {self.warning}"


def plan_of(
    search: SearchRecord,
    scaling: Scaling,
    *,
    method: str,
    iteration: int | None,
    tau_range: tuple[float, float] | None,
    builder: Architecture | None,
    wishes: Wishes | None = None,
    unfitted: tuple[str, ...] = (),
) -> WidthPlan:
    """The plan of these widths.

    Args:
        search: Whose network it is.
        scaling: The widths, and how they meet the budgets.
        method: That found them.
        iteration: Of the search; None for a method that needs none.
        tau_range: Recorded by the search; None for a curve without a record.
        builder: The architecture, if no registered name finds it.
        wishes: Of the plan, if it had any.
        unfitted: Layers without a slope of their own.
    """
    widths = np.array(scaling.widths)
    return WidthPlan(
        architecture=search.architecture,
        input_shape=search.input_shape,
        classes=search.classes,
        method=method,
        iteration=iteration,
        names=search.names,
        seed_widths=search.seed_widths,
        scaling=scaling,
        costs={name: int(cost(widths)) for name, cost in search.costs.items()},
        tau_range=tau_range,
        builder=builder,
        wishes=tuple(bound.wish for bound in search.bounds(wishes).each),
        unfitted=unfitted,
    )
