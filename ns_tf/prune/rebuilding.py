"""When the pruned network is built anew without its closed channels."""

import dataclasses
import math

import numpy as np

from ns_tf import budgets
from ns_tf.networks.structure import Structure
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.removal import Prunable

# Seconds that a rebuild counts for every operation of the network. It takes some 0.06
# (copying, tracing, the first run), and leaves memory behind: TensorFlow keeps oneDNN's
# compiled primitives. Counted three times there are a third to two fifths fewer
# rebuilds, and an iteration takes 1 % longer (docs/performance.md).
REBUILD_SECONDS = 0.18
PASSES = 3  # A training step costs this many forward passes.


@dataclasses.dataclass
class Due:
    """Decides after which events the network is built anew.

    A rebuild pays when as much time was lost on closed channels since the last one as
    it takes (where the loss grows steadily, the sum of both is least then), and if as
    much would be lost until the end. The times are nominal, not measured, so that a run
    that is continued rebuilds at the same events as one that was never stopped.

    >>> due = Due("pays", cost=2.0)
    >>> [due(excess=1.0, events=events) for events in (9, 8, 7)]
    [False, False, True]
    """

    when: str  # As `--rebuild` takes it: "pays", "always" or "never".
    cost: float  # Seconds of a rebuild.
    waste: float = 0.0  # Seconds lost on closed channels since the last one.

    def __call__(self, excess: float, events: int) -> bool:
        """Whether to rebuild after an event; counts the time that is lost otherwise.

        Args:
            excess: Seconds that closed channels take until the next event.
            events: How many events are still to come.
        """
        pays = self.waste >= self.cost and excess * events >= self.cost
        if self.when == "always" or (self.when == "pays" and pays):
            self.waste = 0.0
            return True
        self.waste += excess
        return False


class Rebuilder:
    """Builds a network that is pruned anew, where that pays.

    Args:
        network: The network.
        prunable: Which of its channels the widths count.
        structure: Of the seed network; its cost in multiply-adds is the time of a step.
    """

    def __init__(
        self, network: PrunableNetwork, prunable: Prunable, structure: Structure
    ):
        self.network, self.prunable = network, prunable
        self.macs = budgets.get("macs").cost(structure)
        cost = REBUILD_SECONDS * len(network.graph.calls)
        self.due = Due(network.config.rebuild, cost)

    def rebuild_if_due(self, filters: int) -> None:
        """Builds the network anew without closed channels, if that is due.

        Args:
            filters: How many are still to be removed.
        """
        network, config = self.network, self.network.config
        keep = network.alive if config.rebuild == "always" else network.fast()
        if np.array_equal(keep, network.present):
            return
        held, needed = (
            float(self.macs(np.array(self.prunable.count(channels))))
            for channels in (network.present, keep)
        )
        images = config.search_batch * config.steps_per_event
        # With fewer channels more can be computed: a projection may appear.
        macs = PASSES * max(0.0, held - needed) * images
        events = math.ceil(filters / config.filters_per_event)
        if self.due(macs / network.execution.speed, events):
            network.compact(keep)
