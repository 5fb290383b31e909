"""How much a filter matters: one file a criterion, and a file holds only the formula.

A criterion is a function whose argument names say what it reads::

    @criterion("taylor_fo", scope="global")
    def taylor_fo(gate_gradient):
        return gate_gradient**2

| argument | shape | what it is |
|---|---|---|
| `gate_gradient` | [channels] | g dL/dg of one minibatch with mean loss L |
| `kernel` | [..., filters] | the kernel of a layer that makes the filters |
| `noise` | [channels] | uniform in [0, 1), by seed and event |

It returns one score a filter; higher is kept. A criterion of `gate_gradient` is asked
at every training step and averaged over the steps since the last event; the others are
asked once, at the event. Where several layers make a filter, their scores are added.

`scope` says whether scores of different layers can be compared: of a "global" criterion
the lowest scores of the whole network go; with "layer" the layers shrink alike and the
scores decide only which filters of a layer go.
"""

import dataclasses
import inspect
from collections.abc import Callable

import numpy as np

from ns_tf.prune import signals
from ns_tf.registry import Registry

CRITERIA = Registry("criterion", __name__)
SCOPES = ("global", "layer")


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A formula, and what it may be used for."""

    name: str
    formula: Callable
    reads: str  # The signal's name.
    scope: str  # One of SCOPES.


def criterion(name: str, *, scope: str):
    """Decorator: registers a formula under `name`.

    Raises:
        ValueError: for an unknown scope or argument.
    """

    def add(formula):
        (reads,) = inspect.signature(formula).parameters
        if scope not in SCOPES or not signals.known(reads):
            raise ValueError(
                f"Criterion {name!r}: expected a scope of {SCOPES} and the name of a "
                f"signal as its argument; got {scope!r}, {reads!r}."
            )
        CRITERIA.register(name)(Criterion(name, formula, reads, scope))
        return formula

    return add


def get(name: str) -> Criterion:
    """The criterion of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return CRITERIA.get(name)


def by_layer(scores: np.ndarray, removed: int) -> np.ndarray:
    """Scores of one layer as shares of it that would be gone, up to each filter.

    With these the layer that lost the smallest share loses the next filter.

    Args:
        scores: [alive filters] of one layer.
        removed: Filters that the layer has lost already.

    Returns:
        [alive filters] in (0, 1], in the order of the scores.
    """
    rank = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    return (removed + rank + 1) / (removed + len(scores))
