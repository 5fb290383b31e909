"""When the pruned network is built anew without its closed channels: a matter of speed.

Closed channels cost time at every step, a rebuild costs time once. Neither changes what
is computed.
"""

import dataclasses
import math

import numpy as np

from ns_tf import budgets
from ns_tf.networks.structure import Structure
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.removal import Prunable

# Nominal seconds of a rebuild for each operation of the network. A rebuild takes 0.06
# (copying, tracing, the first run), and leaves memory behind, as TensorFlow keeps
# oneDNN's compiled primitives. Three times that makes a third to two fifths fewer
# rebuilds, and an iteration 1 % slower (docs/performance.md).
REBUILD_SECONDS = 0.18
PASSES = 3  # A training step costs this many forward passes.


@dataclasses.dataclass
class Due:
    """Decides after which events the network is built anew.

    With "pays", the network is rebuilt when closed channels have cost as many seconds
    since the last rebuild as a rebuild takes, and would cost as many again until the
    end. Where the excess grows steadily, this makes the sum of both costs least. The
    seconds are nominal, not measured, so a continued run rebuilds at the same events as
    one that was never stopped.

    >>> due = Due("pays", cost=2.0)
    >>> [due(excess=1.0, events=events) for events in (9, 8, 7)]
    [False, False, True]
    """

    when: str  # "pays", "always" or "never", as `--rebuild` takes it.
    cost: float  # Seconds of a rebuild.
    waste: float = 0.0  # Seconds that closed channels cost since the last rebuild.

    def __call__(self, excess: float, events: int) -> bool:
        """Whether to rebuild after an event; adds the excess to the waste if not.

        Args:
            excess: Seconds that closed channels cost until the next event.
            events: How many events are still to come.
        """
        pays = self.waste >= self.cost and excess * events >= self.cost
        if self.when == "always" or (self.when == "pays" and pays):
            self.waste = 0.0
            return True
        self.waste += excess
        return False


class Rebuilder:
    """Rebuilds a network that is pruned, after the events after which that is due.

    Args:
        network: The network; rebuilt in place.
        prunable: Which of its channels the widths count.
        structure: Of the architecture; the time of a step follows from its
            multiply-adds.
    """

    def __init__(
        self, network: PrunableNetwork, prunable: Prunable, structure: Structure
    ):
        self.network, self.prunable = network, prunable
        self.macs = budgets.get("macs").cost(structure)
        cost = REBUILD_SECONDS * len(network.graph.calls)
        self.due = Due(network.config.rebuild, cost)

    def rebuild_if_due(self, filters: int) -> None:
        """Rebuilds the network without closed channels, if that is due.

        Args:
            filters: Filters that are still to be removed.
        """
        network, config = self.network, self.network.config
        keep = network.alive if config.rebuild == "always" else network.fast()
        if np.array_equal(keep, network.present):
            return
        now, then = (
            float(self.macs(np.array(self.prunable.count(channels))))
            for channels in (network.present, keep)
        )
        images = config.search_batch * config.steps_per_event
        # Fewer channels may cost more: an identity may become a projection.
        macs = PASSES * max(0.0, now - then) * images
        events = math.ceil(filters / config.filters_per_event)
        if self.due(macs / network.execution.speed, events):
            network.compact(keep)
