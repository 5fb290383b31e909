"""How hard gates are pulled on, so that what stays alive comes to cost the budgets.

A gate near its optimum is held by curvature: L ~ H (1 - g)^2 / 2, with H the mean over
examples of (dL_i/dg)^2. A pull of strength times price closes a gate whose H is below
it. So strengths are in units of the H / price at which the channels above it meet the
budgets, and strength 1 is about right for any network and loss.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf.prune.ranking import Ranking
from ns_tf.prune.removal import Prunable

RAMP = 0.7  # Share of the steps after which the planned cost is the budget.
_GAIN = 0.5  # By which a cost above the plan raises the logarithm of the strength,
_MOST = 0.2  # and at most that much at once.
_RANGE = 100.0  # A strength stays within this factor of its start.


@dataclasses.dataclass(frozen=True, eq=False)
class Pressure:
    """Budgets as gates feel them, of a network of n channels.

    Args:
        costs: By budget: whole widths [..., layers] -> costs [...].
        limits: By budget: the largest cost allowed.
        prunable: Which channels the widths count.
        size: n.
        priced: Whether channels of different layers have different prices.
        least: Channels that every layer keeps.
        course: Share of the ramp that is done -> share of the fall that is planned.
    """

    costs: Mapping[str, Callable]
    limits: Mapping[str, float]
    prunable: Prunable
    size: int
    priced: bool = True
    least: int = 1
    course: Callable[[float], float] = float

    def widths(self, alive: np.ndarray) -> np.ndarray:
        """[layers]: channels that are alive in each, at least `least`.

        Args:
            alive: [n] bool.
        """
        counted = np.array(self.prunable.count(alive), np.int64)
        return np.maximum(self.least, counted)

    def price(self, alive: np.ndarray) -> np.ndarray:
        """[n]: what one channel takes of the budgets, 1 in the mean; 0 where none can.

        It is the derivative of the costs at the widths that are alive, each divided by
        its limit. Channels that follow a width share its price.

        Args:
            alive: [n] bool.
        """
        layers = np.ones(len(self.prunable.widths))
        if self.priced:
            layers = prices(self.costs, self.limits, self.widths(alive))
        found = np.zeros(self.size)
        for channels, price in zip(self.prunable.widths, layers, strict=True):
            found[channels] = price
        for channels, layer, factor in self.prunable.followers:
            found[channels] = layers[layer] / factor
        return found

    def unit(self, held: np.ndarray, scale: np.ndarray) -> float:
        """The strength that closes as many channels as the budgets ask for.

        Args:
            held: [n]: the pull that each withstands: H of channels.
            scale: [n]: by what its pull is multiplied; |gamma|, or 1.

        Returns:
            0 if the whole network is within the budgets.
        """
        pull = self.price(np.ones(self.size, bool)) * scale
        # A channel without a pull is closed by no strength.
        held = np.divide(held, pull, out=np.full(self.size, np.inf), where=pull > 0)
        ranking = Ranking.of(held, self.prunable, min_width=self.least)
        inside = np.ones(len(ranking.widths), bool)
        for name, limit in self.limits.items():
            inside &= np.asarray(self.costs[name](ranking.widths)) <= limit
        gone = int(np.argmax(inside)) if inside.any() else len(ranking.order)
        if not gone:
            return 0.0
        removed = held[ranking.order[:gone]]
        return float(removed[np.isfinite(removed)].max(initial=0.0))

    def shares(self, alive: np.ndarray) -> dict[str, float]:
        """By budget: what the channels alive cost, as a share of the whole network.

        Args:
            alive: [n] bool.
        """
        return self._shares(self.widths(alive))

    def _shares(self, widths: np.ndarray) -> dict[str, float]:
        """`shares` of widths [layers]."""
        whole = self._whole
        return {
            n: float(self.costs[n](widths) / self.costs[n](whole)) for n in self.limits
        }

    def planned(self, progress: float) -> dict[str, float]:
        """By budget: the planned share, which falls from 1 to the limit.

        Args:
            progress: Share of the steps that are done.
        """
        gone = self.course(ramped(progress))
        whole = self._whole
        ends = {n: limit / self.costs[n](whole) for n, limit in self.limits.items()}
        return {n: float(1 - gone * (1 - min(1.0, end))) for n, end in ends.items()}

    def excess(self, alive: np.ndarray, progress: float) -> float:
        """By how much the costs are above the plan, of several budgets the most.

        Args:
            alive: [n] bool.
            progress: Share of the steps that are done.
        """
        return self._excess(self.widths(alive), progress)

    def _excess(self, widths: np.ndarray, progress: float) -> float:
        """`excess` of widths [layers]."""
        shares, planned = self._shares(widths), self.planned(progress)
        return max(shares[name] - planned[name] for name in self.limits)

    def _sums(self, left: np.ndarray) -> np.ndarray:
        """[layers]: how many whole gates are left in each, in whole numbers."""
        sums = [np.round(left[own].sum()) for own in self.prunable.widths]
        return np.maximum(self.least, np.array(sums, np.int64))

    def felt(self, alive: np.ndarray, left: np.ndarray, progress: float) -> float:
        """What steers the strength: the excess, less what is on its way already.

        Gates take their time to close. A strength that rises until the first of them
        have closed is far above what the budgets need by then, and closes too many at
        once. So it rises no further than the plan is missed by what is left of gates.

        Args:
            alive: [n] bool.
            left: [n], 0 to 1: what is left of each gate.
            progress: Share of the steps that are done.
        """
        excess = self.excess(alive, progress)
        if excess <= 0:
            return excess
        return min(excess, max(0.0, self._excess(self._sums(left), progress)))

    @property
    def _whole(self) -> np.ndarray:
        """[layers]: the widths of the whole network."""
        return np.array([len(own) for own in self.prunable.widths], np.int64)


class WeightPressure(Pressure):
    """The budget as the gates of single weights feel it: each costs one.

    The arguments are those of `Pressure`.
    """

    def unit(self, held: np.ndarray, scale: np.ndarray) -> float:
        """As of `Pressure`, without the widths after every weight that goes.

        Args:
            held: [n].
            scale: Not read.
        """
        del scale
        ((name, limit),) = self.limits.items()
        gone = int(np.ceil(self.costs[name](self._whole) - limit))
        return float(np.partition(held, gone - 1)[gone - 1]) if gone > 0 else 0.0

    def excess(self, alive: np.ndarray, progress: float) -> float:
        """As of `Pressure`, as a logarithm: a few percent of all are the usual budget.

        Args:
            alive: [n] bool.
            progress: Share of the steps that are done.
        """
        return self._excess(self.widths(alive), progress)

    def _excess(self, widths: np.ndarray, progress: float) -> float:
        """`excess` of widths [layers]."""
        (share,) = self._shares(widths).values()
        (planned,) = self.planned(progress).values()
        return float(np.log(share / planned))


@dataclasses.dataclass(frozen=True, eq=False)
class Pull:
    """How hard gates are pulled on, and how fast they move.

    Args:
        strength: At the beginning.
        auto: Whether it is steered to the budgets.
        rates: [n]: of gates in a bank.
    """

    strength: float
    auto: bool
    rates: np.ndarray


def prices(
    costs: Mapping[str, Callable], limits: Mapping[str, float], widths: np.ndarray
) -> np.ndarray:
    """[layers]: sum over budgets of dF/dw / limit, of mean 1 over all filters.

    The derivative of the cost F is taken as (F(w + 1) - F(w - 1)) / 2 in each width,
    which is exact where F has no width to the third power. Where no filter that is left
    saves anything alone, as no block where several have the peak, all prices are 1. Of
    the network of MorphNet's example, whose derivatives are 45 and 18:

    >>> def macs(widths):
    ...     return 9 * (3 * widths[..., 0] + widths[..., 0] * widths[..., 1])
    >>> found = prices({"macs": macs}, {"macs": 90.0}, np.array([2, 2]))
    >>> found.round(6).tolist(), round(float(found[0] / found[1]), 6)
    ([1.428571, 0.571429], 2.5)

    Args:
        costs: By budget: whole widths [..., layers] -> costs [...].
        limits: By budget: the largest cost allowed.
        widths: [layers].
    """
    step = np.eye(len(widths), dtype=np.int64)
    more, less = widths + step, widths - step
    found = np.zeros(len(widths))
    for name, limit in limits.items():
        slope = np.asarray(costs[name](more)) - np.asarray(costs[name](less))
        found += slope / (2 * limit)
    total = float((found * widths).sum())
    return found * widths.sum() / total if total > 0 else np.ones(len(widths))


def ramped(progress: float) -> float:
    """Share of the ramp that is done: of the first 0.7 of the steps.

    >>> ramped(0.35), ramped(0.9)
    (0.5, 1.0)

    Args:
        progress: Share of all steps that are done.
    """
    return min(1.0, progress / RAMP)


def steered(strength: float, start: float, excess: float) -> float:
    """The next strength: higher if costs are above their plan.

    strength · exp(clip(0.5 excess, -0.2, 0.2)), within a factor of 100 of its start.

    >>> round(steered(2.0, 1.0, 0.1), 6), round(steered(2.0, 1.0, -1.0), 6)
    (2.102542, 1.637462)

    Args:
        strength: Now.
        start: At the beginning.
        excess: Share of the whole cost by which the network is above its plan.
    """
    factor = np.exp(np.clip(_GAIN * excess, -_MOST, _MOST))
    return float(np.clip(strength * factor, start / _RANGE, start * _RANGE))


def gate_rates(
    curvature: np.ndarray, pull: np.ndarray, steps: int, pace: float
) -> np.ndarray:
    """[n]: the rate of each gate in a bank, min(5 pace / (pull steps), 0.3 / H).

    By the first a gate that nothing holds closes in a fifth of the training, however
    little its channel costs: at one rate for all, cheap channels would stay, whatever
    they are worth. The second keeps a gate that is held firmly from swinging.

    >>> held, pull = np.array([0.0, 60.0, 0.0]), np.array([0.5, 0.5, 0.1])
    >>> gate_rates(held, pull, steps=40, pace=1.0).tolist()
    [0.25, 0.005, 1.25]

    Args:
        curvature: [n]: H.
        pull: [n]: strength 1 times the price; 0 stops a gate.
        steps: Of the training.
        pace: Factor of the rate: 1 for plain gradient steps, less where momentum adds
            steps up (`BankGates.pace`).
    """
    bound = np.divide(
        0.3, curvature, out=np.full(curvature.shape, np.inf), where=curvature > 0
    )
    most = np.divide(5 * pace / steps, pull, out=np.zeros(pull.shape), where=pull > 0)
    return np.minimum(most, bound)
