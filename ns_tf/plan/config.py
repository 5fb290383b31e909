"""Settings of budgets: a flag for every registered one, and how they are met."""

import dataclasses

from ns_tf import budgets
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.plan import methods
from ns_tf.run.checks import LARGEST_RATIO, above_zero, at_least, within
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class SolverConfig:
    """How budgets are met and latency is measured."""

    round_to: int = option(1, "Widths are multiples of this.")
    min_width: int = option(1, "Filters that every layer has at least.")
    max_width: int | None = option(None, "Filters that a layer has at most.")
    latency_batch: int = option(100, "Images a batch when latency is measured.")
    latency_warmup: int = option(20, "Batches run before it is measured.")
    latency_repeats: int = option(80, "Batches that it is the median of.")

    def __post_init__(self):
        at_least(self, 1, "latency_batch", "latency_repeats")
        at_least(self, 0, "latency_warmup")

    @property
    def measure(self) -> Measure:
        """How measured budgets are measured."""
        return Measure(self.latency_batch, self.latency_warmup, self.latency_repeats)


class _Budgets(SolverConfig):
    """The budget; with several, all hold."""

    def __post_init__(self):
        super().__post_init__()
        if self.ratio is not None:
            above_zero(self, "ratio")
            within(self, 0, LARGEST_RATIO, "ratio")

    @property
    def targets(self) -> dict[str, float]:
        """The budgets given, by name; `ratio` is left to who knows the network."""
        named = {name: getattr(self, name) for name in BUDGETS.names()}
        return {name: value for name, value in named.items() if value is not None}


def _budget_fields() -> list[tuple]:
    """A field for every registered budget: a new one brings its own flag."""
    members = [budgets.get(name) for name in BUDGETS.names()]
    return [(b.name, float | None, option(None, b.help)) for b in members]


BudgetConfig = dataclasses.make_dataclass(
    "BudgetConfig",
    [
        *_budget_fields(),
        (
            "ratio",
            float | None,
            option(
                None,
                "Parameters of the default network with every width times this, at "
                "most: the paper's r.",
            ),
        ),
    ],
    bases=(_Budgets,),
    frozen=True,
    namespace={"__doc__": _Budgets.__doc__, "__module__": __name__},
)


@dataclasses.dataclass(frozen=True)
class OutputConfig:
    """What is printed."""

    output: str = option(
        "table",
        "table for people, json for programs, widths as a list for --widths.",
        choices=("table", "json", "widths"),
    )


def _curve_methods() -> tuple[str, ...]:
    """The methods that have a curve: the default, then those that need no search."""
    members = methods.with_curve()

    def place(name: str) -> tuple:
        return name != "neuralscale", members[name].needs_search, name

    return tuple(sorted(members, key=place))


def _about_methods() -> str:
    """What each of them does, in one line."""
    members = methods.with_curve()
    return " ".join(f"{name}: {members[name].help}" for name in _curve_methods())


@dataclasses.dataclass(frozen=True)
class MethodConfig:
    """Whose widths."""

    method: str = option("neuralscale", _about_methods(), choices=_curve_methods())
    iteration: int | None = option(None, "Iteration of the search; the last if empty.")

    @property
    def needs_search(self) -> bool:
        """Whether the method's curve is made from a search."""
        return methods.get(self.method).needs_search
