"""Settings of plans: budgets, how they are met, the method, what is printed.

Every registered budget has a flag of its name, and every method with a curve is a
choice of `--method`. A new file in `ns_tf/budgets` or `ns_tf/plan/methods` adds its
own.
"""

import dataclasses
import functools
import math

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan import methods
from ns_tf.plan.targets import default_method
from ns_tf.run.checks import (
    LARGEST_RATIO,
    above_zero,
    at_least,
    at_least_if_set,
    within,
)
from ns_tf.run.option import option
from ns_tf.scaling.config import Wishes


@dataclasses.dataclass(frozen=True)
class _Solver:
    """How budgets are met and latency is measured."""

    round_to: int = option(1, "Widths are multiples of this.")
    min_width: int = option(1, "Filters that every layer has at least.")
    max_width: int | None = option(None, "Filters that a layer has at most.")
    latency_batch: int = option(100, "Images a batch when latency is measured.")
    latency_warmup: int = option(20, "Batches run before it is measured.")
    latency_repeats: int = option(80, "Batches that it is the median of.")
    device: str | None = option(
        None,
        "A device file (ns_tf.measure), by whose tables latency_ms is planned in place "
        "of measuring.",
    )
    device_here: bool = option(
        False,
        "Measure the networks of plans by --device with its runtime on this machine, "
        "and correct the plan until one is within 3 % and not over.",
    )


@dataclasses.dataclass(frozen=True)
class SolverConfig(Wishes, _Solver):
    """How budgets are met and latency is measured, and what widths may be.

    Raises:
        InputError: a number is out of range, or a wish of another form; names the flag.
    """

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 1, "round_to", "min_width", "latency_batch", "latency_repeats")
        at_least_if_set(self, 1, "max_width")
        at_least(self, 0, "latency_warmup")
        if self.device_here and not self.device:
            raise InputError("--device_here goes with --device, whose runtime it uses.")

    @property
    def measure(self) -> Measure:
        """Batch, warm-up and repeats for measured budgets, or the device file.

        >>> SolverConfig(latency_batch=7).measure.batch
        7
        """
        return Measure(
            self.latency_batch,
            self.latency_warmup,
            self.latency_repeats,
            self.device,
            self.device_here,
        )


class _Budgets(SolverConfig):
    """The budget; with several, all hold."""

    def __post_init__(self):
        super().__post_init__()
        above_zero(self, *self.targets)
        if self.ratio is not None:
            above_zero(self, "ratio")
            within(self, 0, LARGEST_RATIO, "ratio")

    @property
    def targets(self) -> dict[str, float]:
        """The budgets that are set, by name.

        `ratio` is not among them: it needs a network (`ns_tf.plan.targets.with_ratio`).

        >>> BudgetConfig(params=600_000, ratio=0.5).targets
        {'params': 600000}
        """
        # Those that were registered since the class was made are no fields of it.
        known = {field.name for field in dataclasses.fields(self)}
        names = [name for name in BUDGETS.names() if name in known]
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def budget_config() -> type:
    """`BudgetConfig` with a field for every budget that is registered by now."""
    return _budget_config(tuple(BUDGETS.names()))


@functools.cache
def _budget_config(names: tuple[str, ...]) -> type:
    """The class of settings with a field for each of these budgets."""
    ratio = option(
        None,
        "Parameters of the default network with every width times this, at most: the "
        "paper's r.",
    )
    members = [budgets.get(name) for name in names]
    fields = [(b.name, float | None, option(None, b.help)) for b in members]
    return dataclasses.make_dataclass(
        "BudgetConfig",
        [*fields, ("ratio", float | None, ratio)],
        bases=(_Budgets,),
        frozen=True,
        namespace={"__doc__": _Budgets.__doc__, "__module__": __name__},
    )


BudgetConfig = budget_config()  # What commands have as flags.


@dataclasses.dataclass(frozen=True)
class RefineConfig(RuntimeConfig):
    """Short trainings that choose among candidates, and how they are computed.

    Raises:
        InputError: a number is out of range, or trainings are described and there are
            none; names the flag.
    """

    refine: int = option(
        0,
        "Candidates that short trainings choose among, from 2 to some 17: uniform, the "
        "plans of priced and neuralscale, widths by the scores of a network that is "
        "trained for them, and widths between. 0 trains none.",
    )
    refine_epochs: int = option(
        6, "Epochs of the last round; a round before it has a third of them."
    )
    refine_seeds: int = option(2, "Trainings a candidate in the last round.")
    refine_batch: int = option(128, "Images a training step of these trainings.")
    refine_rate: float = option(0.1, "Their learning rate at the start; a cosine.")

    def __post_init__(self):
        super().__post_init__()
        at_least(self, 1, "refine_epochs", "refine_seeds", "refine_batch")
        above_zero(self, "refine_rate")
        at_least(self, 0, "refine")
        if self.refine:
            at_least(self, 2, "refine")
            return
        for field in dataclasses.fields(RefineConfig):
            own = field.name.startswith("refine_")
            if own and getattr(self, field.name) != field.default:
                raise InputError(f"--{field.name} goes with --refine.")

    @property
    def runtime(self) -> RuntimeConfig:
        """How trainings are computed, alone."""
        names = [field.name for field in dataclasses.fields(RuntimeConfig)]
        return RuntimeConfig(**{name: getattr(self, name) for name in names})


@dataclasses.dataclass(frozen=True)
class OutputConfig:
    """What is printed."""

    output: str = option(
        "table",
        "table for people, json for programs, widths as a list for --widths.",
        choices=("table", "json", "widths"),
    )


def _curve_methods() -> tuple[str, ...]:
    """The methods that have a curve: neuralscale, then those that need no search.

    >>> _curve_methods()
    ('neuralscale', 'divisible', 'uniform', 'morphnet', 'priced', 'ranking')
    """
    members = methods.with_curve()

    def place(name: str) -> tuple:
        return name != "neuralscale", members[name].needs_search, name

    return tuple(sorted(members, key=place))


def _about_methods() -> str:
    """The help of all methods that have a curve, as the help of one flag."""
    members = methods.with_curve()
    return " ".join(f"{name}: {members[name].help}" for name in _curve_methods())


@dataclasses.dataclass(frozen=True)
class MethodConfig:
    """The method whose widths are planned."""

    method: str | None = option(
        None,
        "If empty, ranking for multiply-adds and for milliseconds by --device, and "
        "neuralscale for parameters, bytes and milliseconds that are measured. Of a "
        "search without the scores of all filters, priced in place of ranking (uniform "
        "where scores do not say what a layer's last filters are worth). "
        f"{_about_methods()}",
        choices=_curve_methods(),
    )
    iteration: int | None = option(
        None,
        "Iteration of the search. If empty the last, of morphnet and ranking 1.",
    )
    price_exponent: float | None = option(
        None,
        "Of priced: one more filter is worth tau to minus this. If empty, as the "
        "search's scores say, or 1.",
    )

    def __post_init__(self):
        at_least_if_set(self, 1, "iteration")
        if self.price_exponent not in (None, math.inf):
            above_zero(self, "price_exponent")

    def of(self, budget: BudgetConfig) -> "MethodConfig":
        """These settings with the method that they mean for a budget.

        >>> MethodConfig().of(BudgetConfig(macs=5e7)).method
        'priced'
        >>> MethodConfig().of(BudgetConfig(ratio=0.25)).method
        'neuralscale'
        """
        name = self.method or default_method(budget.targets, budget.measure)
        return dataclasses.replace(self, method=name)
