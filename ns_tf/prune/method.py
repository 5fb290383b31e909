"""What says which channels of a trained network go: a criterion, or gates that learn.

Both end in one score a channel, and both say what else their paper does. A criterion
reads the network as it is (`ns_tf.prune.criteria`). A gating trains it first
(`ns_tf.prune.gatings`), so its scores come with weights.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ns_tf.base import InputError
from ns_tf.registry import unknown

if TYPE_CHECKING:
    from ns_tf.engine.runtime import Runtime
    from ns_tf.prune.pruner import Pruner

# What is removed: channels, whole blocks, or single weights.
LEVELS = CHANNEL, BLOCK, WEIGHT = "channel", "block", "weight"
PLAIN = "plain"  # The recipe that fits any task.
NONZERO = "nonzero"  # The budget where single weights go: those that are not zero.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """What a trained network is pruned by, and what its paper does besides.

    All but the name and the scope can be chosen otherwise.
    """

    name: str
    scope: str  # "global" if scores of different layers can be compared, else "layer".
    allocation: str = "uniform"
    repair: str = "statistics"
    recipe: str = PLAIN
    images: int = 1024  # Training images that are read.
    # Share of its channels that a layer keeps, if it can; None leaves it to the
    # allocation.
    least_share: float | None = None
    weigh: float | None = None  # As `Case.weigh`; None leaves it to the allocation.
    rounds: int = 1  # Times that channels are scored on the way to the budgets.
    closed: str = "stay"  # Of channels that a round closed: "stay", or "reopen".
    levels: tuple[str, ...] = (CHANNEL,)  # What it can remove.

    def scorer(self, pruner: "Pruner") -> "Scorer":
        """What scores the channels of a network that is pruned."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Scores of all channels, and the weights that they are of.

    Args:
        scores: [n]; the higher, the longer a channel is kept.
        weights: Of the network that has learned, by (layer, weight); None if nothing
            was trained.
        table: Rows of what was seen while it learned, by name of the column.
    """

    scores: np.ndarray
    weights: Mapping[tuple[str, str], np.ndarray] | None = None
    table: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


class Scorer(Protocol):
    """Scores the channels of one network, under its budgets."""

    depends: tuple  # Settings that the scores depend on, beside network and images.

    def check(self) -> None:
        """Refuses what cannot be scored, before anything is computed.

        Raises:
            InputError: says what, and why.
        """

    def score(self, runtime: "Runtime", checkpoint: str) -> Scored:
        """The scores of all channels.

        Args:
            runtime: Shows progress, and continues what was killed.
            checkpoint: Name of the file that it continues from.
        """

    def checkpoints(self, checkpoint: str) -> list[str]:
        """The files that `score` continues from, to be removed when scores are kept."""


def get(name: str) -> Any:
    """The criterion or the gating of that name.

    Raises:
        InputError: there is none; suggests the nearest name. Or there are both.
    """
    found = [one.get(name) for one in _registries() if name in one.names()]
    if not found:
        raise unknown("method", name, names())
    if len(found) > 1:
        raise InputError(
            f"{name!r} is the name of a criterion and of a gating; register one of "
            "them under another name."
        )
    return found[0]


def names(level: str | None = None) -> list[str]:
    """The names of all criteria and gatings, sorted.

    Args:
        level: Of those alone that remove this. Of all, if None.
    """
    return sorted(
        name
        for one in _registries()
        for name in one.names()
        if level is None or level in one.get(name).levels
    )


def check_level(name: str, level: str) -> None:
    """Refuses a level that there is not, or that a method cannot remove.

    Args:
        name: Of the method.
        level: Of `LEVELS`.

    Raises:
        InputError: there is no such level or method; or says which methods can.
    """
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    levels = get(name).levels
    if level not in levels:
        removes = " or ".join(f"{one}s" for one in levels)
        other = ""
        if level == CHANNEL:  # Perhaps no level was given.
            first = levels[0]
            other = f" Give --level={first}; in compare {name}@{first}."
        raise InputError(
            f"{name} removes {removes}, and what should go are {level}s.{other} "
            f"Methods that can: {', '.join(names(level))}."
        )


def _registries() -> tuple:
    """Where methods are registered; their modules read this one."""
    from ns_tf.prune import criteria, gatings

    return criteria.CRITERIA, gatings.GATINGS
