"""What criteria read: one file a signal.

A signal turns a criterion's formula into scores of all channels::

    @signal("kernel", shape="[..., filters]")
    def kernel(formula, reading):
        ...
        return scores  # [n]

The name of a criterion's argument is the name of the signal that it reads. A signal is
called once at each event; n is the number of channels of the seed network. With
`in_step=True` the training step calls the criterion's formula on gate gradients, and
the signal returns what the steps since the last event summed up.

A signal of one's own needs no file here: decorate it before the search begins.
"""

import dataclasses
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.prune.network import PrunableNetwork

SIGNALS = Registry("signal", __name__)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a signal may read at one event."""

    network: "PrunableNetwork"  # With its weights after the last training step.
    seed: int  # Of the run, for signals that draw random numbers.
    event: int  # How many events were before this one.


@dataclasses.dataclass(frozen=True)
class Signal:
    """A registered signal."""

    name: str
    shape: str  # Of the formula's argument, as "[channels]".
    scores: Callable[[Callable, Reading], np.ndarray]  # (formula, reading) -> [n]
    in_step: bool  # Whether the training step calls the formula.


def signal(name: str, *, shape: str, in_step: bool = False) -> Callable:
    """Decorator: registers a signal under `name`.

    Args:
        name: Of the argument by which criteria read it.
        shape: Of that argument, as "[channels]".
        in_step: Whether the training step calls the formula, on gate gradients.

    Returns:
        A decorator of functions (formula, `Reading`) -> scores [n], which it returns
        as they are.

    Raises:
        ValueError: the name is taken.
    """

    def add(scores):
        SIGNALS.register(name)(Signal(name, shape, scores, in_step))
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
    files = {module.name for module in pkgutil.iter_modules(__path__)}
    return name in files or name in SIGNALS
