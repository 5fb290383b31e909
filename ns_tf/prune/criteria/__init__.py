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

It returns one score for each filter; the higher, the longer a filter is kept. A
criterion of `gate_gradient` is computed at every training step and summed over the
steps since the last event; the others are computed once, at the event. Scores of
several layers that make the same filter are added.

`scope` says whether scores of different layers can be compared. With "global" the
lowest scores of the whole network are removed; with "layer" all layers shrink by the
same share, and scores decide which filters of a layer are removed.

`power` says what a score has to do with the loss: score ** power is the change of the
loss without the filter. Plans at a price read it (`ns_tf.plan.methods.priced`).

Further signals: `ns_tf.prune.signals`.
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
    """A registered formula."""

    name: str
    formula: Callable  # What the signal gives -> scores [channels].
    reads: str  # Name of the signal.
    scope: str  # "global" or "layer".
    power: float | None  # score ** power is a change of the loss; None if it is none.


def criterion(
    name: str, *, scope: str, power: float | None = None
) -> Callable[[Callable], Callable]:
    """Decorator: registers a formula under `name`, as `--criterion` takes it.

    Args:
        name: Of the criterion.
        scope: "global" if scores of different layers can be compared, else "layer".
        power: What makes a score a change of the loss; None if nothing does.

    Returns:
        A decorator of functions of one argument, whose name is that of a signal. It
        returns the function itself.

    Raises:
        ValueError: the scope or the argument is unknown, or the name is taken.
    """

    def add(formula):
        (reads,) = inspect.signature(formula).parameters
        if scope not in SCOPES or not signals.known(reads):
            raise ValueError(
                f"Criterion {name!r}: expected a scope of {SCOPES} and the name of a "
                f"signal as its argument; got {scope!r}, {reads!r}."
            )
        CRITERIA.register(name)(Criterion(name, formula, reads, scope, power))
        return formula

    return add


def get(name: str) -> Criterion:
    """The criterion of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return CRITERIA.get(name)


def by_layer(scores: np.ndarray, removed: int) -> np.ndarray:
    """Scores of one layer as the share of it that is gone when a filter goes.

    share_i = (removed + rank_i) / (removed + alive), with ranks from 1 in the order of
    the scores. Compared over layers, the layer that lost the smallest share loses the
    next filter, so all shrink alike.

    >>> by_layer(np.array([0.3, 0.1, 0.2]), removed=2).tolist()
    [1.0, 0.6, 0.8]

    Args:
        scores: [alive filters] of one layer.
        removed: Filters that the layer has lost already.

    Returns:
        [alive filters] in (0, 1], in the order of the scores; equal scores in the order
        of the filters.
    """
    rank = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    return (removed + rank + 1) / (removed + len(scores))
