"""What criteria read: one file a signal.

A signal turns a criterion's formula into scores of all channels::

    @signal("kernel", shape="[..., filters]")
    def kernel(formula, reading):
        ...
        return scores  # [n]

The name of a criterion's argument is the name of the signal that it reads. A signal is
asked once at an event. One that is collected in the training steps before the event
says `in_step=True`: the training step calls the formula, the signal returns the sums.
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
    """What a signal may look at, at one event."""

    network: "PrunableNetwork"
    seed: int
    event: int  # Events before this one.


@dataclasses.dataclass(frozen=True)
class Signal:
    """Something that formulas read."""

    name: str
    shape: str  # Of the formula's argument, as "[channels]".
    scores: Callable[[Callable, Reading], np.ndarray]  # (formula, reading) -> [n].
    in_step: bool  # Whether the training step calls the formula.


def signal(name: str, *, shape: str, in_step: bool = False) -> Callable:
    """Decorator: registers a signal under `name`.

    Args:
        name: What the argument of a criterion is called.
        shape: Of that argument.
        in_step: Whether the training step calls the formula.
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
    """Whether there is such a signal; imports no file, so that `--help` stays quick."""
    files = {module.name for module in pkgutil.iter_modules(__path__)}
    return name in files or name in SIGNALS
