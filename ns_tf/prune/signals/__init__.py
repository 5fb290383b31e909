"""What criteria read: one file a signal.

A signal turns a criterion's formula into scores of all channels::

    @signal("kernel", shape="[..., filters]")
    def kernel(formula, reading):
        ...
        return scores  # [n]

The name of a criterion's argument is the name of the signal that it reads. n is the
number of channels of the network. There are two kinds of network to read:

* One that a search prunes while it trains (`ns_tf.prune.network`). A signal is called
  once at each event. With `in_step=True` the training step calls the criterion's
  formula on gate gradients, and the signal returns what the steps since the last event
  summed up.
* One that is trained already (`ns_tf.prune.scoring`). A signal is called once. It may
  read images by `Reading.tally`, which shows progress and can be continued.

The signals of `IN_SEARCH` read both kinds, the others trained networks alone.

A signal of one's own needs no file here: decorate it before the search begins.
"""

import dataclasses
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.prune.network import PrunableNetwork
    from ns_tf.prune.scoring import ScoredNetwork

SIGNALS = Registry("signal", __name__)
# The files here whose signals a search has too.
IN_SEARCH = ("gate_gradient", "kernel", "noise")
# Those of which a single weight has a value, too.
OF_WEIGHTS = ("example_gradients", "kernel", "noise")
# (steps in all, first step -> items from there on, what an item adds, arrays).
Tally = Callable[[int, Callable[[int], Iterable], Callable, Mapping[str, Any]], None]


def tally_at_once(
    total: int,
    items: Callable[[int], Iterable],
    add: Callable[..., None],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Calls `add` with every item; shows nothing and keeps nothing.

    Args:
        total: Number of items.
        items: Place of the first item -> the items from there on, each the arguments of
            `add`.
        add: Adds one item to the arrays.
        arrays: By name; changed in place.
    """
    del total, arrays
    for item in items(0):
        add(*item)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a signal may read: in a search at one event, else once."""

    network: "PrunableNetwork | ScoredNetwork"  # With its weights as they are now.
    seed: int  # Of the run, for signals that draw random numbers.
    event: int = 0  # How many events were before this one.
    tally: Tally = tally_at_once  # How a signal goes through images or channels.


@dataclasses.dataclass(frozen=True)
class Signal:
    """A registered signal."""

    name: str
    shape: str  # Of the formula's argument, as "[channels]".
    scores: Callable[[Callable, Reading], np.ndarray]  # (formula, reading) -> [n]
    in_step: bool  # Whether the training step calls the formula.
    # Of a trained network: refuses one that cannot be read, without any image.
    check: Callable[["ScoredNetwork"], None] | None = None


def signal(
    name: str,
    *,
    shape: str,
    in_step: bool = False,
    check: Callable[["ScoredNetwork"], None] | None = None,
) -> Callable:
    """Decorator: registers a signal under `name`.

    Args:
        name: Of the argument by which criteria read it.
        shape: Of that argument, as "[channels]".
        in_step: Whether the training step calls the formula, on gate gradients.
        check: Raises InputError for a trained network that cannot be read.

    Returns:
        A decorator of functions (formula, `Reading`) -> scores [n], which it returns
        as they are.

    Raises:
        ValueError: the name is taken.
    """

    def add(scores):
        SIGNALS.register(name)(Signal(name, shape, scores, in_step, check))
        return scores

    return add


def get(name: str) -> Signal:
    """The signal of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return SIGNALS.get(name)


def known(name: str) -> bool:
    """Whether there is such a signal.

    Files are found by name and not imported, as some import TensorFlow, which `--help`
    does without.
    """
    return _is_file(name) or name in SIGNALS


def in_search(name: str) -> bool:
    """Whether a search has this signal: of the files here, those of `IN_SEARCH`.

    >>> in_search("kernel"), in_search("masked_logits")
    (True, False)

    Args:
        name: Of a signal. One that a program registers is taken to be for searches.
    """
    return name in IN_SEARCH or not _is_file(name)


def of_weights(name: str) -> bool:
    """Whether single weights have this signal: of the files here, `OF_WEIGHTS`.

    >>> of_weights("kernel"), of_weights("active")
    (True, False)

    Args:
        name: Of a signal. One that a program registers is taken to be of weights.
    """
    return name in OF_WEIGHTS or not _is_file(name)


def _is_file(name: str) -> bool:
    """Whether a file here has the signal."""
    return name in {module.name for module in pkgutil.iter_modules(__path__)}
