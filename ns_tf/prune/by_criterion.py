"""Scores by a criterion: read from the network as it is, once or in rounds."""

import numpy as np

from ns_tf.base import InputError
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.prune import rounds, signals
from ns_tf.prune.criteria import Criterion, by_norm
from ns_tf.prune.method import WEIGHT, Scored
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.rounds import REOPEN, Rounds
from ns_tf.prune.scoring import tally_in
from ns_tf.prune.strength import AUTO


class ByCriterion:
    """A criterion on a network that is pruned (`ns_tf.prune.method.Scorer`).

    Args:
        criterion: The formula.
        pruner: The network of n channels, its budgets, the images that are read.
    """

    def __init__(self, criterion: Criterion, pruner: Pruner):
        self.criterion, self.pruner = criterion, pruner

    def check(self) -> None:
        """Refuses a network that the criterion cannot read.

        Raises:
            InputError: names the layer, or the criterion.
        """
        reads, level = self.criterion.reads, self.pruner.config.level
        if level == WEIGHT and not signals.of_weights(reads):
            raise InputError(
                f"{self.criterion.name} reads `{reads}`, which single weights do not "
                f"have: take {WEIGHT!r} from its `levels`."
            )
        self._check_options()
        if self.criterion.of_classes:
            self._check_classes()
        check = signals.get(reads).check
        if check is not None:
            check(self.pruner.read())

    def _check_options(self) -> None:
        """Refuses options that a criterion has no use for.

        Raises:
            InputError: names the option.
        """
        pruner, config = self.pruner, self.pruner.config
        given = ["strength"] * (config.strength != AUTO)
        given += ["gate_epochs"] * (config.gate_epochs is not None)
        if given:
            raise InputError(
                f"--{given[0]} is of gates that learn, and {self.criterion.name} is a "
                f"criterion: leave --{given[0]} away, or give another --method."
            )
        if pruner.rounds == 1 and config.closed is not None:
            raise InputError(
                "--closed says what channels do between rounds, and there is one: give "
                "--rounds=8, or leave --closed away."
            )

    def _check_classes(self) -> None:
        """Refuses a network whose outputs are no classes of which one holds.

        Raises:
            InputError: it has one number an example, or the task is another.
        """
        task, outputs = self.pruner.problem.task, self.pruner.model.outputs
        size = outputs[0].shape[-1]
        if not task.one_holds or size == 1:
            raise InputError(
                f"{self.criterion.name} compares probabilities of classes of which one "
                f"holds; here the task is {task.told}, with outputs of {size} "
                f"value{'s' * (size != 1)}. Use taylor_fo."
            )

    @property
    def depends(self) -> tuple:
        """What decides which units close between rounds."""
        pruner, config = self.pruner, self.pruner.config
        if pruner.rounds == 1:
            return ()
        return (
            *(pruner.rounds, pruner.closed, sorted(pruner.budgets.targets.items())),
            *(config.allocation, config.weigh, config.least_share, pruner.law_numbers),
            pruner.grid,
        )

    def checkpoints(self, checkpoint: str) -> list[str]:
        """As of `ns_tf.prune.method.Scorer`."""
        if self.pruner.rounds == 1:
            return [checkpoint]
        numbers = range(self.pruner.rounds)
        own = [rounds.name_of(checkpoint, number) for number in numbers]
        return [rounds.all_of(checkpoint), *own]

    def score(self, runtime: Runtime, checkpoint: str) -> Scored:
        """The criterion's scores of all channels.

        Args:
            runtime: Shows progress, and continues a scoring that was killed.
            checkpoint: Name of the file that it continues from.

        Raises:
            InputError: the criterion cannot read a layer of this network.
        """
        pruner = self.pruner
        every = np.ones(pruner.size, bool)
        if pruner.rounds == 1:
            return Scored(self._round(every, 0, runtime, checkpoint))
        work = Rounds(
            pruner.rounds,
            lambda alive, number: self._round(alive, number, runtime, checkpoint),
            pruner.allotment.part_way,
            len(every),
            reopen=pruner.closed == REOPEN,
        )
        name = rounds.all_of(checkpoint)
        loop.run(work, pruner.rounds, runtime, label="rounds", checkpoint=name)
        return Scored(work.scores)

    def _round(
        self, alive: np.ndarray, number: int, runtime: Runtime, checkpoint: str
    ) -> np.ndarray:
        """[n]: scores of one round, in which the channels `alive` [n] are open."""
        pruner, member = self.pruner, self.criterion
        tally = tally_in(runtime, rounds.name_of(checkpoint, number))
        reading = signals.Reading(pruner.read(alive), pruner.seed, number, tally)
        scores = signals.get(member.reads).scores(member.formula, reading)
        if member.by_norm:
            for channels in pruner.prunable.all:
                scores[channels] = by_norm(scores[channels], alive[channels])
        return pruner.joined(scores)
