"""How many channels stay in each layer: one file an allocation.

An allocation makes a curve tau -> widths of what is known of a trained network. The
solver then finds the largest widths on it that meet every budget::

    @allocation("uniform", help="Every layer loses the same share.")
    def uniform(case):
        return uniform_curve(case.widths)

Some run the network to find out (`evaluates=True`): they read `Case.worth`, and go
through their steps by `Case.run`, which shows progress and can be continued. A name may
have arguments, as `greedy(step=4)`: keyword-only options of the function.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import Curve, InputError, ScalingLaw, Widths
from ns_tf.networks.structure import Structure
from ns_tf.prune.method import Method
from ns_tf.prune.removal import Prunable
from ns_tf.registry import Registry, parse_call
from ns_tf.scaling.grid import Grid

if TYPE_CHECKING:
    import keras

    from ns_tf.engine.loop import Stepper
    from ns_tf.graph.channels import ChannelGraph
    from ns_tf.prune.masked import Worth

ALLOCATIONS = Registry("allocation", __name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """What an allocation may know.

    Args:
        model: The trained network; not to be changed.
        graph: Its channel graph, of n channels.
        structure: Of the trained network.
        widths: Of the trained network, [layers].
        prunable: Which channels the widths count.
        scores: [n], by the method.
        method: The criterion, or the gates that have learned.
        costs: By budget: exact costs of whole widths [..., layers].
        targets: By budget: the largest cost allowed; of measured budgets too.
        grid: The whole widths that are allowed, none above the network's own.
        min_width: Filters that every layer keeps.
        weigh: By which power of its price a score is divided; None leaves it to the
            allocation.
        least_share: Share of its filters that a layer keeps, if it can; None leaves it
            to the method and the allocation.
        law: Of a search of the same network, if one was given.
        seed: Of what an allocation draws.
        limits: () -> by exact budget: the largest cost allowed. Where a measured budget
            is asked for, multiply-adds stand for it: those of the uniform widths that
            meet it.
        worth: Number of training images -> (widths -> how good the network is on them
            with the channels of highest score, before it is repaired).
        refitted: The same of the network that is cut, with layers fitted to what they
            read then (`ns_tf.prune.refitted`).
        run: (stepper, steps in all): does the steps; shows progress, and continues what
            was stopped or killed.
    """

    model: "keras.Model"
    graph: "ChannelGraph"
    structure: Structure
    widths: Widths
    prunable: Prunable
    scores: np.ndarray
    method: Method
    costs: Mapping[str, Callable]
    targets: Mapping[str, float]
    grid: Grid
    min_width: int
    weigh: float | None
    least_share: float | None
    law: ScalingLaw | None
    seed: int
    limits: Callable[[], Mapping[str, float]]
    worth: Callable[[int], "Callable[[Widths], Worth]"]
    refitted: "Callable[[int], Callable[[Widths], Worth]]"
    run: "Callable[[Stepper, int], None]"

    def widths_of(self, values: np.ndarray) -> np.ndarray:
        """Widths [..., layers] of the numbers [..., numbers] that are free.

        Layers that a user ties have one number.
        """
        return np.asarray(values)[..., self.grid.numbers(len(self.widths))]

    def budgets(self) -> dict[str, tuple[Callable, float]]:
        """By exact budget: its cost, of the free numbers [..., numbers]; its limit."""
        return {
            name: (functools.partial(self._cost, name), limit)
            for name, limit in self.limits().items()
        }

    def _cost(self, name: str, values: np.ndarray) -> np.ndarray:
        """The cost of networks of free numbers [..., numbers]."""
        return self.costs[name](self.widths_of(values))


@dataclasses.dataclass(frozen=True)
class Allocation:
    """A registered allocation."""

    name: str
    help: str  # A sentence.
    curve: Callable[..., Curve]  # Of a `Case`, and options that have defaults.
    evaluates: bool = False  # Whether it runs the network, which takes its time.
    # Options of `ns_tf.prune.config.CutConfig` that it does not read.
    ignores: tuple[str, ...] = ()


def allocation(
    name: str, *, help: str, evaluates: bool = False, ignores: tuple[str, ...] = ()
) -> Callable[[Callable], Callable]:
    """Decorator: registers an allocation under `name`, as `--allocation` takes it.

    Args:
        name: Of the allocation.
        help: A sentence that says which layers lose how much.
        evaluates: Whether it runs the network. It is asked once then, and not between
            rounds of scoring.
        ignores: Options, as "weigh", that are refused where they are given, because it
            does not read them.

    Returns:
        A decorator of functions of a `Case` to a `Curve`, which it returns as they are.
        Keyword-only arguments are options: whole numbers from 1, or True and False
        where that is the default.

    Raises:
        ValueError: the name is taken.
    """

    def add(curve):
        ALLOCATIONS.register(name)(Allocation(name, help, curve, evaluates, ignores))
        return curve

    return add


def get(text: str) -> Allocation:
    """The allocation that a text names, its options set.

    >>> get("uniform").name, get("greedy(step=4)").curve.keywords
    ('uniform', {'step': 4})

    Args:
        text: A name, or a name with arguments.

    Raises:
        InputError: there is no such allocation, or it has no such option.
    """
    name, options = parse_call(text)
    member = ALLOCATIONS.get(name)
    if not options:
        return member
    parameters = inspect.signature(member.curve).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"The allocation {name} has no {option!r}; it has "
                f"{', '.join(known) or 'no options'}."
            )
        _check(name, option, value, switch=isinstance(known[option], bool))
    curve = functools.partial(member.curve, **options)
    return dataclasses.replace(member, curve=curve)


def _check(name: str, option: str, value: Any, *, switch: bool) -> None:
    """Refuses the value of an option that is no whole number from 1, or no bool.

    Args:
        name: Of the allocation.
        option: Its name.
        value: As it was given.
        switch: Whether the option is on or off.

    Raises:
        InputError: it is another; names the option.
    """
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not (isinstance(value, bool) if switch else number):
        kind = "True or False" if switch else "a whole number from 1"
        raise InputError(f"{option} of the allocation {name} is {kind}; got {value!r}.")
