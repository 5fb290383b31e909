"""A trained network that loses single weights: zeros in its kernels.

A "width" is the number of weights of a kernel that stay. No layer gets narrower.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Cost, InputError, Scaling, Widths
from ns_tf.budgets import Measure
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.masks import Kernels, masked
from ns_tf.graph.weights import Key
from ns_tf.networks.structure import Structure
from ns_tf.problem.problem import Problem
from ns_tf.prune.allotment import ALLOCATING
from ns_tf.prune.method import NONZERO
from ns_tf.prune.pressure import Pressure, WeightPressure
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.removal import Prunable
from ns_tf.prune.scoring import ScoredNetwork, ScoredWeights
from ns_tf.prune.sites import WeightSites
from ns_tf.prune.targets import Budgets, target_of
from ns_tf.prune.trained import copied
from ns_tf.scaling.grid import text

_RANKING, _UNIFORM = "ranking", "uniform"  # The allocations that are of weights too.


class WeightPruner(Pruner):
    """A trained network, and the number of weights that may be other than zero.

    n is the number of its weights that can go (`ns_tf.graph.masks.Kernels`). The
    budget counts what the budget `params` counts; weights that cannot go count as
    other than zero, whatever they are. The arguments are those of `Pruner`.

    Raises:
        InputError: the network has no kernel that may lose weights.
    """

    noisy = True
    listed = False

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        architecture = self.problem.architecture
        self.kernels = Kernels.of(self.model, self.kept)
        if not self.kernels.size:
            raise InputError(
                f"{self.model.name!r} has no kernel that may lose weights. Use "
                "--level=channel, or keep fewer layers."
            )
        self.prunable = Prunable(self.kernels.places, ())
        self.widths: Widths = self.kernels.sizes
        whole = int(self.problem.structure.params(architecture.widths))
        self.others = whole - self.size  # Weights that cannot go.
        costs = {NONZERO: Cost(functools.partial(_nonzero, self.others))}
        self.budgets = dataclasses.replace(self.budgets, costs=costs)

    @classmethod
    def budgets_for(
        cls,
        asked: Mapping[str, float],
        structure: Structure,
        widths: Widths,
        measure: Measure | None = None,
        *,
        whole: Structure | None = None,
    ) -> Budgets:
        """The budget `nonzero`, as a number.

        Args:
            asked: By budget: its value; at most 1 is a share of the network's weights.
            structure: Of the trained network.
            widths: Of the trained network, [layers].
            measure: Of measured budgets, which are refused, and so is a device file.
            whole: Not read.

        Raises:
            InputError: another budget, none, or more than the network has.
        """
        others = [name for name in asked if name != NONZERO]
        if others:
            instead = "" if NONZERO in asked else f", and give --{NONZERO}=0.1"
            raise InputError(
                f"--level=weight changes no width, so {others[0]} stays as it is: "
                f"leave --{others[0]} away{instead}."
            )
        if measure and measure.device:
            raise InputError(
                "--device has times of other widths, and --level=weight changes none: "
                "leave --device away."
            )
        if NONZERO not in asked:
            raise InputError(
                f"--level=weight has one budget: give --{NONZERO}=0.1, a share of the "
                "weights, or a number of them."
            )
        own = float(structure.params(np.array(widths, np.int64)))
        target = _whole(target_of(NONZERO, asked[NONZERO], own))
        return Budgets({NONZERO: target}, {}, {NONZERO: own})

    @property
    def names(self) -> tuple[str, ...]:
        """Of the kernels."""
        return self.kernels.names

    @property
    def size(self) -> int:
        """n."""
        return self.kernels.size

    @functools.cached_property
    def sites(self) -> WeightSites:
        """As of `Pruner`."""
        return WeightSites(self.problem.structure, self.kernels)

    @functools.cached_property
    def magnitudes(self) -> np.ndarray:
        """[n]: |w| of all weights that can go."""
        return np.abs(self.kernels.flat(weights.values(self.model)))

    @property
    def room(self) -> int:
        """How many of the n weights may stay."""
        return int(min(self.budgets.targets[NONZERO] - self.others, self.size))

    def pressure(self, priced: bool) -> Pressure:
        """As of `Pruner`; every weight costs one."""
        del priced
        return WeightPressure(
            self.budgets.costs,
            self.budgets.targets,
            self.prunable,
            self.size,
            priced=False,
        )

    def check(self) -> None:
        """As of `Pruner`.

        Raises:
            InputError: an option that is of channels, rounds, or a budget below what
                cannot go and one weight a kernel.
        """
        self.refuse(
            "lets weights go one by one",
            allocations={_RANKING, _UNIFORM},
            rounds=self.rounds > 1,
        )
        self.scorer.check()
        kernels = len(self.widths)
        if self.room < kernels:
            raise InputError(
                f"{NONZERO}={text(self.budgets.targets[NONZERO])} is not reached: "
                f"{self.others} weights are biases, norms and others that stay, and "
                f"each of {kernels} kernels keeps one. Give at least "
                f"{NONZERO}={self.others + kernels}."
            )

    def read(self, alive: np.ndarray | None = None) -> ScoredNetwork:
        """As of `Pruner`; every weight is a filter of its own."""
        return self.read_by_units(ScoredWeights, alive, entries=self.kernels)

    def solve(
        self,
        scores: np.ndarray,
        runtime: Runtime | None = None,
        checkpoint: str = ALLOCATING,
    ) -> Scaling:
        """How many weights stay in each kernel: in all exactly as many as may.

        First every kernel gets one weight, and its part of a share of the others: the
        method's `least_share`, or all if the allocation is "uniform". Parts are in
        proportion to the sizes of kernels. The rest goes to the highest scores of all
        kernels.

        Args:
            scores: [n]; of equal ones the larger weights stay.
            runtime: Not read.
            checkpoint: Not read.
        """
        del runtime, checkpoint
        return self.at(self.prunable.count(self.staying(scores, self.room)))

    def staying(self, scores: np.ndarray, room: int) -> np.ndarray:
        """[n] bool: the weights that stay, if so many may; as of `solve`.

        Args:
            scores: [n].
            room: At least one a kernel, at most n.
        """
        uniform = self.allocation.name == _UNIFORM
        share = 1.0 if uniform else self.method.least_share or 0.0
        sizes = np.array(self.widths)
        spare = share * (room - len(sizes)) / self.size
        least = np.minimum(1 + np.floor(spare * sizes), sizes).astype(int)
        keep = self._highest(scores, least)
        rest = np.flatnonzero(~keep)
        keep[self._first(scores, rest, room - np.count_nonzero(keep))] = True
        return keep

    def _highest(self, scores: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """[n] bool: the highest scores of each kernel, so many of them."""
        keep = np.zeros(self.size, bool)
        for own, count in zip(self.kernels.places, counts, strict=True):
            keep[self._first(scores, own, count)] = True
        return keep

    def _first(self, scores: np.ndarray, own: np.ndarray, count: int) -> np.ndarray:
        """The weights of the highest scores among some; of equal ones the large first.

        All are looked through and only equal ones are sorted: at every look of a
        schedule it is done for all weights.

        Args:
            scores: [n].
            own: Numbers of these weights, rising; of equal ones the first stay.
            count: How many of them.
        """
        if not 0 < count < len(own):
            return own[:count]
        among = scores[own]
        last = np.partition(among, -count)[-count]
        above, equal = own[among > last], own[among == last]
        order = np.argsort(-self.magnitudes[equal], kind="stable")
        return np.concatenate([above, equal[order[: count - len(above)]]])

    def at(self, widths: Widths) -> Scaling:
        """As of `Pruner`; tau is the number of weights that are left."""
        found = float(self.budgets.costs[NONZERO](np.array(widths)))
        return Scaling(
            tuple(widths), found, {NONZERO: found}, dict(self.budgets.targets)
        )

    def chosen(self, scores: np.ndarray, widths: Widths) -> np.ndarray:
        """As of `Pruner`."""
        return self._highest(scores, widths)

    @property
    def allotted(self) -> str:
        """As of `Pruner`."""
        if self.allocation.name == _UNIFORM:
            return "the same share of every kernel"
        return "weights by their scores over all kernels"

    def masks(self, keep: np.ndarray) -> dict[Key, np.ndarray]:
        """As of `Pruner`: zeros stay zeros."""
        return self.kernels.shaped(keep)

    def cut(self, keep: np.ndarray, model: keras.Model | None = None) -> keras.Model:
        """As of `Pruner`."""
        left = copied(model or self.model, self.problem.structure)
        masked(left, self.masks(keep))
        return left

    def fresh(self, keep: np.ndarray) -> keras.Model:
        """As of `Pruner`: fresh weights where one stays, and zeros elsewhere."""
        made = super().fresh(keep)
        masked(made, self.masks(keep))
        return made

    def left(self, keep: np.ndarray) -> tuple[Problem, Widths]:
        """As of `Pruner`: all channels."""
        del keep
        return self.problem, self.problem.architecture.widths

    def dearer(self, widths: Widths) -> float:
        """As of `Pruner`: a zero is multiplied like any number."""
        del widths
        return 1.0

    @property
    def stays(self) -> list[tuple[str, str]]:
        """As of `Pruner`: all layers keep their size, for one reason."""
        return []

    def told(self, widths: Widths) -> str:
        """As of `Pruner`: the share of each kernel that is left."""
        rows = zip(self.names, self.widths, widths, strict=True)
        shares = [f"{name} {now / was:.2%} of {was:,}" for name, was, now in rows]
        whole = self.size + self.others
        ratio = whole / (self.others + sum(widths))
        return (
            f"weights kept: {', '.join(shares)}; all {self.others:,} others (biases, "
            "norms, kernels that are kept)\n"
            f"compression: {ratio:.4g}, weights over those that are not zero. No width "
            "changed: it takes as much memory and time as the whole network, unless "
            "what stores or runs it skips zeros."
        )


def _whole(number: float) -> float:
    """A number of weights; the nearest whole one, if it is off by rounding alone.

    >>> 0.29 * 100, _whole(0.29 * 100), _whole(28.9)
    (28.999999999999996, 29.0, 28.9)
    """
    near = float(round(number))
    return near if math.isclose(number, near, rel_tol=1e-9) else number


def _nonzero(others: int, widths: np.ndarray) -> np.ndarray:
    """Weights that are left.

    >>> _nonzero(10, np.array([[3, 2], [1, 1]])).tolist()
    [15, 12]

    Args:
        others: That cannot go.
        widths: [..., kernels].
    """
    return others + np.asarray(widths).sum(axis=-1)
