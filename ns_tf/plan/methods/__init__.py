"""Ways to choose widths for a budget: one file a method.

A method is a curve tau -> widths, made from a search (or from a network that nobody
searched, for methods that need none)::

    @method("neuralscale", help="Along the law of an iteration.", needs="search")
    def neuralscale(record, iteration):
        return power_law(record.state(iteration).law)

All methods meet budgets by the same solver. `ns_tf.plan`, `ns_tf.train` and the report
take every method that has a curve; `ns_tf.compare` takes all. A method without a curve
is registered with `proposes=True` and returns the network itself::

    @method("file", help="From a JSON file.", proposes=True, takes_source=True)
    def file(setting, targets):
        return setting.propose(curve, targets)

A network that is pruned from a trained one, then fine-tuned, is a proposal that says
how (`pruning`); its widths may follow from the trained network (`widths=None`). What
follows the colon in an entry is a source (`takes_source`), or a choice that is part of
the row's name (`takes_choice`): `pruned:taylor_fo`.
A method that cannot do a budget raises `NotApplicable`; a comparison lists the reason
in place of a row.

`--help` imports the modules of this folder, so they import Keras and TensorFlow inside
functions only.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import Along, Curve, InputError, Unpriced, Widths
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
    """The method proposes no network for this architecture or budget; says why."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A method as `--methods` names it: `[LABEL=]NAME[@ITERATION][:SOURCE]`.

    >>> Entry.parse("mine=neuralscale@15:runs/vgg11")
    Entry(name='neuralscale', iteration=15, source='runs/vgg11', label='mine')
    """

    name: str
    iteration: int | None = None  # Of the search; the last if None.
    source: str | None = None  # A run folder, a file, or a choice.
    label: str | None = None  # As tables call it.

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """The entry of a text.

        Raises:
            InputError: the text has another form, names no method, or gives an
                iteration or a source to a method that takes none.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InputError(
                "A method is [LABEL=]NAME[@ITERATION][:SOURCE], for instance "
                f"neuralscale@15:runs/vgg11 or pruned:sss@block; got {text!r}. "
                f"Known names: {', '.join(METHODS.names())}."
            )
        parts = match.groupdict()
        method = get(parts["name"])
        if method.takes_choice and parts["iteration"]:
            raise InputError(
                f"The method {method.name} has no iterations; got {text!r}."
            )
        needless = not method.takes_source and not method.takes_choice
        if needless and (parts["iteration"] or parts["source"]):
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

    architecture: str  # Its name; conv_cut proposes another one than the task's.
    widths: Widths | None  # [layers]; None if they follow from a training.
    costs: Mapping[str, int] = dataclasses.field(default_factory=dict)  # Exact ones.
    tau: float = math.nan  # Position on the curve, in parameters.
    pruning: str | None = None  # As of `ns_tf.prune.choices.Choices`.
    # The row whose widths it has: a label, or "" for the first that is pruned.
    like: str | None = None
    # Layer -> arguments, plain values, of the layer of an epitome in its place.
    epitomes: Mapping[str, Mapping[str, Any]] | None = None
    # What is trained before it, and which: ("supernet", "universal").
    trunk: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a method may read: the network that is compared, and the entry's search."""

    entry: Entry
    structure: "Structure"  # Of the network that is compared.
    plain: SearchRecord  # Of that network, without any iteration.
    solver: "SolverConfig"  # How budgets are met.
    search: SearchRecord | None = None  # None for methods that need none.

    @property
    def searched(self) -> SearchRecord:
        """The record of the entry's search.

        Raises:
            InputError: there is no search.
        """
        if self.search is None:
            raise no_search(self.entry.name)
        return self.search

    @property
    def iteration(self) -> int | None:
        """The iteration of the search, from 1; None for a method without a search.

        The entry's if it names one, else the method's own, else the last.

        Raises:
            InputError: the search has no such iteration.
        """
        method = get(self.entry.name)
        if not method.needs_search:
            return self.entry.iteration
        last = len(self.searched.states)
        iteration = self.entry.iteration or method.iteration or last
        if iteration > last:
            raise InputError(
                f"{self.entry.name}@{iteration}: the search has iterations 1 to "
                f"{last}. Name one of them."
            )
        return iteration

    def propose(
        self,
        curve: Along,
        targets: Mapping[str, float],
        record: SearchRecord | None = None,
    ) -> Proposal:
        """The network of largest tau on a curve, or of most value, under all budgets.

        Args:
            curve: tau -> widths.
            targets: Budgets by name; all hold.
            record: Whose costs are counted; those of the network that is compared if
                None.

        Raises:
            NotApplicable: a budget has no price.
            InputError: an unknown budget, or one that the curve cannot meet.
        """
        record = record or self.plain
        try:
            scaling = solve(
                record,
                curve,
                targets,
                measure=self.solver.measure,
                builder=self.structure.architecture if record is self.plain else None,
                round_to=self.solver.round_to,
                min_width=self.solver.min_width,
                max_width=self.solver.max_width,
                wishes=self.solver.wishes,
            )
        except Unpriced as error:
            raise NotApplicable(str(error).rstrip(".")) from error
        widths = np.array(scaling.widths)
        costs = {name: int(cost(widths)) for name, cost in record.costs.items()}
        return Proposal(record.architecture, scaling.widths, costs, scaling.tau)


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to choose widths for a budget."""

    name: str
    help: str  # One sentence.
    # (record, iteration) -> tau -> widths; None for a method that only proposes.
    curve: Callable[[SearchRecord, int | None], Along] | None
    propose: Callable[[Setting, Mapping[str, float]], Proposal]
    needs: str | None  # "search", or None.
    iteration: int | None  # The default iteration of the search; the last if None.
    takes_source: bool  # Whether an entry may name an iteration and a source.
    takes_choice: bool  # Whether it may have a choice after the colon.
    of_weights: bool  # Whether it may meet the budget of single weights.

    @property
    def needs_search(self) -> bool:
        """Whether its curve is made from the iterations of a search."""
        return self.needs == "search"

    def check_iteration(self, iteration: Any) -> None:
        """Refuses an iteration that is no whole number, or that nothing has.

        Raises:
            InputError: it is none, or the method has no iterations.
        """
        if not self.needs_search:
            raise InputError(
                f"The method {self.name} has no iterations; leave "
                f"--iteration={iteration} out."
            )
        whole = isinstance(iteration, (int, np.integer))
        if not whole or isinstance(iteration, bool):
            told = f"An iteration is a whole number from 1; got {iteration!r}."
            raise InputError(told)


def method(
    name: str,
    *,
    help: str,
    needs: str | None = None,
    proposes: bool = False,
    iteration: int | None = None,
    takes_source: bool | None = None,
    takes_choice: bool = False,
    of_weights: bool = False,
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
        takes_choice: Whether what follows the colon is a choice, no source.
        of_weights: Whether its networks may meet the budget `nonzero`.

    Raises:
        ValueError: `needs` is unknown, or the name is taken.
    """
    if needs not in (None, "search"):
        raise ValueError(f"Method {name!r} needs 'search' or None; got {needs!r}.")

    def add(function: Callable) -> Callable:
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
            takes_choice=takes_choice,
            of_weights=of_weights,
        )
        METHODS.register(name)(member)
        return function

    return add


def _along(curve: Callable, needs: str | None) -> Callable:
    """A method's `propose`: the network on its curve that meets the budgets."""

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


def no_search(name: str) -> InputError:
    """The error for a method that needs a search and has none."""
    return InputError(
        f"The method {name} needs a search: give --search=RUN_DIR, or {name}:RUN_DIR."
    )


def with_curve() -> dict[str, Method]:
    """The methods that have a curve, by name."""
    members = {name: get(name) for name in METHODS.names()}
    return {name: one for name, one in members.items() if one.curve is not None}


def curve(record: SearchRecord, name: str, iteration: int | None = None) -> Along:
    """The curve tau -> widths of a method, or what it says that filters are worth.

    Args:
        record: Of the search, or of a network that nobody searched.
        name: Of the method.
        iteration: Of the search, from 1; if None the method's own, else the last.

    Raises:
        InputError: no such method or iteration, or no curve for this search.
    """
    known = with_curve()
    if not isinstance(name, str) or name not in known:
        raise unknown("method", name, known)
    own = known[name].iteration if iteration is None else iteration
    return known[name].curve(record, own)


def proportional(record: SearchRecord, widths: Widths) -> Curve:
    """The curve of these widths times one number, sqrt(tau / params(widths)).

    At tau = params(widths) it has these widths.

    Args:
        record: Whose network's parameters are counted.
        widths: Filters of every layer, `[layers]`.
    """
    return uniform_curve(widths, tau=float(record.costs["params"](np.array(widths))))
