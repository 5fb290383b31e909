"""Widths by the scores of a network that is trained for them.

Uniform widths of twice the budgets are trained for a short time. Then filters go by
their first-order Taylor scores, divided by what they cost, until the budgets hold
(`ns_tf.prune.healthy`). At equal multiply-adds such widths were 3.6 points above
uniform ones on MobileNetV2, and level with them on VGG11 and PreAct ResNet18, with 16
to 63 % fewer parameters; on MobileNetV2 with CIFAR-100, 1.9 points below
(docs/results.md).
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ns_tf.base import Curve, InputError, Widths
from ns_tf.budgets import exact_costs
from ns_tf.networks.arena import ExactCost
from ns_tf.plan.family import Family
from ns_tf.plan.short_trainings import ShortTrainings, done
from ns_tf.prune.healthy import way_down
from ns_tf.prune.scoring import SCORING
from ns_tf.run import files
from ns_tf.run.folder import MODEL, WAY_DOWN
from ns_tf.run.watch import Watch
from ns_tf.scaling.ranks import along, weigh_for
from ns_tf.train.job import Job

_TIMES = (2.0, 1.5, 1.25)  # The budgets; the first that some network costs.


@dataclasses.dataclass(frozen=True, eq=False)
class Trunk:
    """The network whose scores say the widths.

    Args:
        job: Its training.
        targets: Exact budgets by name, which say what a filter costs.
    """

    job: Job
    targets: Mapping[str, float]

    @classmethod
    def of(
        cls, family: Family, trainings: ShortTrainings, epochs: int
    ) -> "Trunk | None":
        """The trunk for the budgets of a family.

        Args:
            family: Says the budgets, and what widths may be.
            trainings: Among which its own is.
            epochs: How long it is trained.

        Returns:
            None where widths may not be so much larger than uniform ones.

        Raises:
            InputError: an impossible budget, or a batch that is too large.
        """
        uniform, larger = family.uniform(), _larger(family)
        if larger in (None, uniform.widths):
            return None
        job = trainings.job("trunk", larger, epochs)
        job.check()
        costs = {**exact_costs(job.problem.structure), **family.search.costs}
        return cls(job, _exact(family.targets, costs, uniform.widths))

    def way_down(self, watch: Watch) -> Curve | None:
        """The curve tau -> widths of the trained network on its way down.

        Args:
            watch: Shows progress, lets it stop.

        Returns:
            None where its training failed, which its folder says.

        Raises:
            InputError: an operation that no score can be read behind, or a damaged
                file of widths.
            Interrupted: a signal asked to stop; the same call goes on.
        """
        job = self.job
        if not done(job, watch):
            return None
        path = job.folder / WAY_DOWN
        runtime = job.runtime.watched(watch.at(job.folder))
        if not path.exists():
            trained = job.problem.build(job.widths)
            trained.load_weights(job.folder / MODEL)  # Also of layers not registered.
            rows = way_down(trained, job.problem, self.targets, runtime)
            files.write_arrays(path, {"widths": rows}, {})
        runtime.watch.checkpoint(SCORING).remove()  # Of scores that took long.
        return along(_rows_in(path, job.widths), job.problem.structure.params)


def _rows_in(path: Path, widths: Widths) -> np.ndarray:
    """The rows of a file: widths [networks, layers] on a way down.

    Args:
        path: Of the file.
        widths: Of the network that the way begins at.

    Raises:
        InputError: the file is damaged, or holds no such rows.
    """
    what = "list of widths"
    arrays, _ = files.read_arrays(path, what=what)
    with files.readable(path, what):
        rows = arrays["widths"]
        whole = rows.dtype.kind in "iu" and rows[:1].tolist() == [list(widths)]
        if not whole or rows.min() < 1 or (rows[1:] > rows[:-1]).any():
            raise ValueError(f"it holds no widths on a way down from {widths}")
    return rows


def _larger(family: Family) -> Widths | None:
    """Uniform widths of more than the budgets; None if none may be so large."""
    for times in _TIMES:
        with contextlib.suppress(InputError):  # Out of reach.
            return family.uniform(times).widths
    return None


def _exact(
    targets: Mapping[str, float], costs: Mapping[str, ExactCost], widths: Widths
) -> dict[str, float]:
    """The exact ones of the budgets; something exact in place of others.

    Multiply-adds, or parameters if all budgets count sizes: those have no price.

    Args:
        targets: Budgets by name.
        costs: By exact budget.
        widths: Uniform ones that meet the budgets.
    """
    found = {name: value for name, value in targets.items() if name in costs}
    if len(found) < len(targets):
        name = "macs" if weigh_for(targets) else "params"
        own = float(costs[name](np.array(widths)))
        found[name] = min(own, found.get(name, own))
    return found
