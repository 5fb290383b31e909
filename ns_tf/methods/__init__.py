"""Ways to choose widths for a budget, to be compared: one file a method.

A method is a function that proposes a network for budgets::

    @method("uniform", help="The default widths times one number.")
    def uniform(setting, targets):
        return setting.propose(scaling.uniform(setting.plain.default_widths), targets)

All meet budgets by the same solver and are trained by the same recipe; a method that
starts from a trained network says `start=`. A method that cannot do a budget raises
`NotApplicable`, and its cell stays empty.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf import plans, runs
from ns_tf.base import Curve, InputError, Widths
from ns_tf.configs import SolverConfig
from ns_tf.registry import Registry
from ns_tf.structure import Structure

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
    structure: Structure
    plain: runs.SearchRecord  # Of the task's network, without any iteration.
    solver: SolverConfig
    search: runs.SearchRecord | None = None

    @property
    def searched(self) -> runs.SearchRecord:
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
        record: runs.SearchRecord | None = None,
    ) -> Proposal:
        """The widths on a curve that meet the budgets.

        Args:
            curve: tau -> widths.
            targets: Budgets by name; all hold.
            record: Whose costs are counted; the task's network's if None.
        """
        record = record or self.plain
        found = plans.solve(
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
    propose: Callable[[Setting, Mapping[str, float]], Proposal]
    needs_search: bool
    iteration: int | None  # Of the search, if the entry names none; the last if None.
    takes_source: bool
    start: Callable | None  # (trained model, structure, widths) -> model to fine-tune.


def method(
    name: str,
    *,
    help: str,
    needs_search: bool = False,
    iteration: int | None = None,
    takes_source: bool | None = None,
    start=None,
):
    """Decorator: registers what proposes networks under `name`."""

    def add(propose):
        source = needs_search if takes_source is None else takes_source
        member = Method(name, help, propose, needs_search, iteration, source, start)
        METHODS.register(name)(member)
        return propose

    return add


def get(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return METHODS.get(name)
