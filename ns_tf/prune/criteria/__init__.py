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

These serve searches and trained networks; the following trained networks alone
(`ns_tf.trained(...).prune`):

| argument | shape | what it is |
|---|---|---|
| `example_gradients` | [images, channels] | g dL_i/dg of every image's own loss L_i |
| `gamma` | [channels] | gamma of a batch norm that scales the channels |
| `active` | [channels] | share of images and pixels at which a ReLU behind is above 0 |
| `logits`, `masked_logits` | [images, classes] | outputs of the network, whole and \
without one channel |
| `gram` | [channels, channels] | X'X of what channels contribute to their readers |
| `place` | [channels] | the place of a channel among those of its layer, from 0 |
| `reading_kernel` | [..., channels, filters] | the kernel of a layer that reads them |

It returns one score for each filter; the higher, the longer a filter is kept. A
criterion of `gate_gradient` is computed at every training step and summed over the
steps since the last event; the others are computed once, at the event. Scores of
several layers that make the same filter are added.

`scope` says whether scores of different layers can be compared. With "global" the
lowest scores of the whole network are removed; with "layer" all layers shrink by the
same share, and scores decide which filters of a layer are removed.

`power` says what a score has to do with the loss: score ** power is the change of the
loss without the filter. Plans at a price read it (`ns_tf.plan.methods.priced`).

A criterion also says what else its paper does, where a trained network is pruned: how
many channels go in each layer, how the network is repaired and trained, in how many
rounds it is scored. All of it can be chosen otherwise.

Further signals: `ns_tf.prune.signals`.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.prune import signals
from ns_tf.prune.method import Method
from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.prune.method import Scorer
    from ns_tf.prune.pruner import Pruner

CRITERIA = Registry("criterion", __name__)
SCOPES = ("global", "layer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Criterion(Method):
    """A registered formula."""

    formula: Callable  # What the signal gives -> scores [channels].
    reads: str  # Name of the signal.
    power: float | None = None  # score ** power is a change of the loss, if it is one.
    by_norm: bool = False  # Whether the scores of a layer are divided by their norm.
    # Whether it takes the network's outputs for probabilities of one class of several.
    of_classes: bool = False

    @property
    def in_search(self) -> bool:
        """Whether a search can score by it while it trains."""
        return signals.in_search(self.reads) and not self.by_norm

    def scorer(self, pruner: "Pruner") -> "Scorer":
        """What scores the channels of a network by this criterion."""
        from ns_tf.prune.by_criterion import ByCriterion  # Imports TensorFlow.

        return ByCriterion(self, pruner)


def criterion(
    name: str, *, scope: str, allocation: str | None = None, **preset: Any
) -> Callable[[Callable], Callable]:
    """Decorator: registers a formula under `name`, as `--criterion` takes it.

    Args:
        name: Of the criterion.
        scope: "global" if scores of different layers can be compared, else "layer".
        allocation: How many channels of a trained network go in each layer; "ranking"
            if None and the scope is global, else "uniform".
        **preset: Further fields of `Criterion`: repair, recipe, images, levels, ...

    Returns:
        A decorator of functions of one argument, whose name is that of a signal. A
        signal may give further arguments beside its own. It returns the function
        itself.

    Raises:
        ValueError: the scope or the argument is unknown, or the name is taken.
    """

    def add(formula):
        names = list(inspect.signature(formula).parameters)
        reads = [one for one in names if signals.known(one)]
        if scope not in SCOPES or len(reads) != 1:
            raise ValueError(
                f"Criterion {name!r}: expected a scope of {SCOPES} and the name of a "
                f"signal as its argument; got {scope!r}, {', '.join(map(repr, names))}."
            )
        usual = "ranking" if scope == "global" else "uniform"
        member = Criterion(
            name=name,
            scope=scope,
            formula=formula,
            reads=reads[0],
            allocation=allocation or usual,
            **preset,
        )
        CRITERIA.register(name)(member)
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


def by_norm(scores: np.ndarray, alive: np.ndarray | None = None) -> np.ndarray:
    """Scores of one layer divided by the L2 norm of those alive; zeros stay zeros.

    >>> by_norm(np.array([1.75, 1.125, 0.25])).round(5).tolist()
    [0.83517, 0.53689, 0.11931]

    Args:
        scores: [filters] of one layer.
        alive: [filters] bool: which are left; all, if None.
    """
    norm = np.linalg.norm(scores if alive is None else scores[alive])
    return scores / norm if norm > 0 else scores
