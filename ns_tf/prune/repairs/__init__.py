"""How the network that is left makes up for what went: one file a repair.

A repair changes the smaller network in place, before it is trained::

    @repair("statistics", help="...")
    def statistics(cut):
        ...

It may read the trained network beside it, and training images. Several are named as
"scale+statistics" and done in that order.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from ns_tf.graph.channels import ChannelGraph
from ns_tf.prune.scoring import Proxy, ScoredNetwork
from ns_tf.registry import Registry

REPAIRS = Registry("repair", __name__)
NONE = "none"  # The name of doing nothing.


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """A trained network, and what is left of it.

    Args:
        trained: The whole network; not to be changed.
        graph: Its channel graph, of n channels.
        keep: [n] bool: what is left.
        small: The network of those channels, to be changed in place. Its layers have
            the names of the whole network's.
        proxy: Training images.
    """

    trained: keras.Model
    graph: ChannelGraph
    keep: np.ndarray
    small: keras.Model
    proxy: Proxy


@dataclasses.dataclass(frozen=True)
class Repair:
    """A registered repair."""

    name: str
    help: str  # A sentence.
    apply: Callable[[Cut], None]
    # Refuses a network that cannot be repaired so, before anything is computed.
    check: Callable[[ScoredNetwork], None] | None = None


def repair(
    name: str, *, help: str, check: Callable[[ScoredNetwork], None] | None = None
) -> Callable[[Callable], Callable]:
    """Decorator: registers a repair under `name`, as `--repair` takes it.

    Args:
        name: Of the repair; without a "+".
        help: A sentence that says what it changes.
        check: Raises InputError for a trained network that it cannot repair, whichever
            of the channels go that may.

    Returns:
        A decorator of functions of a `Cut`, which it returns as they are.

    Raises:
        ValueError: the name is taken.
    """

    def add(apply):
        REPAIRS.register(name)(Repair(name, help, apply, check))
        return apply

    return add


def get(name: str) -> Repair:
    """The repair of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return REPAIRS.get(name)


def parse(text: str) -> tuple[Repair, ...]:
    """The repairs that "one+other" names, in that order; none for "none".

    >>> [one.name for one in parse("statistics")], parse("none")
    (['statistics'], ())

    Raises:
        InputError: there is no repair of a name.
    """
    return () if text == NONE else tuple(get(name) for name in text.split("+"))
