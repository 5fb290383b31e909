"""When the pruned network is built anew without its closed channels."""

import dataclasses

# What a rebuild counts for every operation of the network. It takes some 0.06 seconds
# (copying, tracing, the first run), and leaves memory behind: TensorFlow keeps oneDNN's
# compiled primitives. Counted thrice there are a third to two fifths fewer rebuilds,
# and an iteration takes 1 % longer, so flat is the optimum (docs/performance.md).
REBUILD_SECONDS = 0.18
PASSES = 3  # A training step costs this many forward passes.


@dataclasses.dataclass
class Rebuilding:
    """Decides after which events the network is built anew.

    It pays when as much time was lost on closed channels since the last rebuild as a
    rebuild takes, which is when the sum of both is least where they grow steadily, and
    if as much would be lost until the end. The times are nominal, not measured: a run
    that is continued rebuilds where one that was never stopped does.
    """

    when: str  # As `--rebuild` takes it.
    cost: float  # Seconds of a rebuild.
    waste: float = 0.0  # Seconds lost on closed channels since the last one.

    def due(self, excess: float, events: int) -> bool:
        """Whether to rebuild after an event.

        Args:
            excess: Seconds that closed channels will take until the next event.
            events: How many events are still to come.
        """
        pays = self.waste >= self.cost and excess * events >= self.cost
        if self.when == "always" or (self.when == "pays" and pays):
            self.waste = 0.0
            return True
        self.waste += excess
        return False
