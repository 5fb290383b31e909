"""The price law: the widths of most value at the price of the budget's own unit."""

import numpy as np

from ns_tf.base import DescentState, PriceLaw, PruneTrace
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method
from ns_tf.prune import criteria
from ns_tf.prune.config import PruneConfig
from ns_tf.scaling.law import fit_by_layer

# p where no scores say how the worth of a filter falls. It was the best of 0.72, 1 and
# 2 for VGG11 on CIFAR-10 (docs/results.md).
ASSUMED = 1.0
ROWS = 20  # Of a law that prices are taken from.


@method(
    "priced",
    help="Widths of most value by the law, a filter of a layer priced in the budget.",
    needs="search",
)
def priced(record: SearchRecord, iteration: int | None) -> PriceLaw:
    """The price law of an iteration (`ns_tf.scaling.prices`).

    Its law is that of the iteration. Where fewer than `ROWS` networks stand behind it,
    they are the smallest ones of a pruning, far from any budget: then each layer is
    fitted to all events from its own first loss on. The limit of large exponents is the
    paper's curve, by the paper's law, all the same.
    """
    state = record.state(iteration)
    law, history = state.law, state.trace.history
    if len(state.trace.tau) < ROWS <= len(history):
        tau = record.costs["params"](history)
        law = fit_by_layer(PruneTrace(history, tau), state.widths)
    worth, sizes = _worth(record, state)
    return PriceLaw(law, ASSUMED, "assumed", worth, sizes, limit=state.law)


def _worth(
    record: SearchRecord, state: DescentState
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What the last filter was worth at every event, and the sizes then, [events].

    None for both if the scores do not say it.

    A score is no worth yet: that of Taylor-FO is the square of a change of the loss, so
    a filter is worth its root, and p is half of the scores' exponent.

    Args:
        record: Its costs count parameters.
        state: Of the iteration.
    """
    scores = state.trace.scores
    if scores is None:
        return None, None
    criterion = scores.criterion or PruneConfig.criterion
    known = criterion in criteria.CRITERIA.names()
    power = criteria.get(criterion).power if known else None
    if power is None:
        return None, None
    sizes = record.costs["params"](state.trace.history).astype(float)
    usable = np.isfinite(scores.removed) & (scores.removed > 0)
    return scores.removed[usable] ** power, sizes[usable]
