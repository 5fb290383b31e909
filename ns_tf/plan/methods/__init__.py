"""Ways to choose widths for a budget: one file a method.

A method is a curve tau -> widths, made from a search (or from a network that nobody
searched, for methods that need none)::

    @method("neuralscale", help="Along the law of an iteration.", needs="search")
    def neuralscale(record, iteration):
        return power_law(record.state(iteration).law)

All methods meet budgets by the same solver. `ns_tf.plan`, `ns_tf.train` and the report
take every method that has a curve; `ns_tf.compare` takes all. A method that is no curve
says `proposes=True` and proposes the network itself::

    @method("file", help="From a JSON file.", proposes=True, takes_source=True)
    def file(setting, targets):
        return setting.propose(curve, targets)

A method that starts from a trained network says `start=`. A method that cannot do a
budget raises `NotApplicable`, and its cell stays empty.

Modules here are imported by `--help`: they import Keras and TensorFlow in functions.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import Curve, InputError, Widths
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.targets import solve
from ns_tf.registry import Registry, unknown
from ns_tf.scaling.curves import uniform_curve

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure
    from ns_tf.plan.config import SolverConfig

METHODS = Registry("method", __name__)

_TEXT = re.compile(
    r"(?:(?P<label>[\w .+-]+)=)?(?P<name>\w+)"
    r"(?:@(?P<iteration>\d+))?(?::(?P<source>.+))?"
)


class NotApplicable(Exception):
    """The method has nothing to offer for this network or budget, and why."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A method as `--methods` names it: `[LABEL=]NAME[@ITERATION][:SOURCE]`."""

    name: str
    iteration: int | None = None  # Of the search; the last if None.
    source: str | None = None  # A search's run folder or flagfile, or a file of widths.
    label: str | None = None  # As tables call it.

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """The entry that the text means.

        Raises:
            InputError: it means none, or no such method.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise InputError(
                "A method is [LABEL=]NAME[@ITERATION][:SOURCE], for instance "
                f"neuralscale@15:runs/vgg11; got {text!r}. "
                f"Known names: {', '.join(METHODS.names())}."
            )
        parts = found.groupdict()
        method = get(parts["name"])
        if not method.takes_source and (parts["iteration"] or parts["source"]):
            raise InputError(
                f"The method {method.name} takes no iteration and no source; got "
                f"{text!r}."
            )
        if parts["iteration"] is not None:
            parts["iteration"] = int(parts["iteration"])
            if parts["iteration"] < 1:
                raise InputError(f"Iterations count from 1; got {text!r}.")
        return cls(**parts)


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A network that a method proposes for a budget."""

    architecture: str
    widths: Widths
    costs: Mapping[str, int]  # By exact budget.
    tau: float


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a method may know: the task, and the search that its entry names."""

    entry: Entry
    structure: "Structure"
    plain: SearchRecord  # Of the task's network, without any iteration.
    solver: "SolverConfig"
    search: SearchRecord | None = None

    @property
    def searched(self) -> SearchRecord:
        """The search.

        Raises:
            InputError: there is none.
        """
        if self.search is None:
            raise InputError(
                f"The method {self.entry.name} needs a search: give --search=RUN_DIR, "
                f"or name one, as {self.entry.name}:RUN_DIR."
            )
        return self.search

    @property
    def iteration(self) -> int | None:
        """Of the search, from 1; None for a method without a search.

        Raises:
            InputError: the search has no such iteration.
        """
        method = get(self.entry.name)
        if not method.needs_search:
            return self.entry.iteration
        last = len(self.searched.states)
        found = self.entry.iteration or method.iteration or last
        if found > last:
            raise InputError(
                f"{self.entry.name}@{found}: the search has iterations 1 to {last}. "
                "Name one of them."
            )
        return found

    def propose(
        self,
        curve: Curve,
        targets: Mapping[str, float],
        record: SearchRecord | None = None,
    ) -> Proposal:
        """The widths on a curve that meet the budgets.

        Args:
            curve: tau -> widths.
            targets: Budgets by name; all hold.
            record: Whose costs are counted; the task's network's if None.
        """
        record = record or self.plain
        found = solve(
            record,
            curve,
            targets,
            measure=self.solver.measure,
            builder=self.structure.architecture if record is self.plain else None,
            round_to=self.solver.round_to,
            min_width=self.solver.min_width,
            max_width=self.solver.max_width,
        )
        costs = {n: int(c(np.array(found.widths))) for n, c in record.costs.items()}
        return Proposal(record.architecture, found.widths, costs, found.tau)


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to choose widths."""

    name: str
    help: str
    curve: Callable[[SearchRecord, int | None], Curve] | None  # None: only proposes.
    propose: Callable[[Setting, Mapping[str, float]], Proposal]
    needs: str | None  # "search", or None.
    iteration: int | None  # Of the search, if the entry names none; the last if None.
    takes_source: bool
    start: Callable | None  # (trained model, structure, widths) -> model to fine-tune.

    @property
    def needs_search(self) -> bool:
        """Whether its curve is made from the iterations of a search."""
        return self.needs == "search"

    def check_iteration(self, iteration: Any) -> None:
        """Refuses an iteration that cannot be one.

        Raises:
            InputError: it is no whole number, or the method has no iterations.
        """
        if not self.needs_search:
            raise InputError(
                f"The method {self.name} has no iterations; leave "
                f"--iteration={iteration} out."
            )
        if not isinstance(iteration, int) or isinstance(iteration, bool):
            raise InputError(
                f"An iteration is a whole number from 1; got {iteration!r}."
            )


def method(
    name: str,
    *,
    help: str,
    needs: str | None = None,
    proposes: bool = False,
    iteration: int | None = None,
    takes_source: bool | None = None,
    start: Callable | None = None,
) -> Callable[[Callable], Callable]:
    """Decorator: registers a curve, or a function that proposes networks.

    Args:
        name: The method's name.
        help: One sentence.
        needs: "search" if the curve is made from a search.
        proposes: The function is (setting, targets) -> `Proposal`, no curve
            (record, iteration) -> `Curve`.
        iteration: Of the search, where an entry of `--methods` names none.
        takes_source: Whether an entry may name a source; as `needs` says if None.
        start: (trained model, structure, widths) -> the model that is fine-tuned.

    Raises:
        ValueError: `needs` is unknown, or the name is taken.
    """
    if needs not in (None, "search"):
        raise ValueError(f"Method {name!r} needs 'search' or None; got {needs!r}.")

    def add(function):
        curve = None if proposes else function
        source = needs is not None if takes_source is None else takes_source
        member = Method(
            name=name,
            help=help,
            curve=curve,
            propose=function if proposes else _along(function, needs),
            needs=needs,
            iteration=iteration,
            takes_source=source,
            start=start,
        )
        METHODS.register(name)(member)
        return function

    return add


def _along(curve: Callable, needs: str | None) -> Callable:
    """Proposes the network on the curve that meets the budgets."""

    def propose(setting: Setting, targets: Mapping[str, float]) -> Proposal:
        record = setting.searched if needs else setting.plain
        return setting.propose(curve(record, setting.iteration), targets)

    return propose


def get(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return METHODS.get(name)


def with_curve() -> dict[str, Method]:
    """The methods that have a curve, by name."""
    members = {name: get(name) for name in METHODS.names()}
    return {name: one for name, one in members.items() if one.curve is not None}


def curve(record: SearchRecord, name: str, iteration: int | None = None) -> Curve:
    """The curve tau -> widths of a method.

    Raises:
        InputError: no such method or iteration, or no curve for this search.
    """
    known = with_curve()
    if name not in known:
        raise unknown("method", name, known)
    return known[name].curve(record, iteration)


def proportional(record: SearchRecord, widths: Widths) -> Curve:
    """These widths times one number; tau counts the parameters of the network.

    Args:
        record: Whose network's parameters are counted.
        widths: Filters of every layer, `[layers]`.
    """
    return uniform_curve(widths, tau=float(record.costs["params"](np.array(widths))))
