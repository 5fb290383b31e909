"""Shares of every layer by an agent that learns (AMC, He et al., ECCV 2018)."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import Curve, Widths
from ns_tf.graph.channels import ChannelGraph, layer_of
from ns_tf.graph.weights import kernels
from ns_tf.prune.allocations import Case, allocation
from ns_tf.prune.ddpg import Agent, Transitions
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.grid import Grid

LEAST = 0.2  # The least share of its filters that the agent leaves a layer.
NOISE, DECAY = 0.5, 0.95  # Of actions: deviation at the first learned episode, factor.
UPDATES = 32  # Of the agent, after an episode.
_KEEP = 100  # Episodes that the agent remembers.
_DRAW = 0xA3C  # Keeps the agent's draws apart from those of images.
_VALUES = 10  # Numbers of a state.


@allocation(
    "amc",
    help="Shares of all layers by an agent that learns.",
    evaluates=True,
    ignores=("least_share", "search"),
)
def amc(
    case: Case,
    *,
    random: int = 30,
    episodes: int = 120,
    images: int = 1000,
    refit: bool = False,
) -> Curve:
    """The best widths that an agent finds, times one number.

    In an episode the agent goes through the layers and says which share of its filters
    each keeps, never more than the budgets allow. The score of the network of these
    widths, untrained, is the reward of the episode.

    Source: He et al., AMC, 2018. Departures: actions are shares of a layer's own
    filters, not of those that it reads; channels go by the criterion's scores; unless
    `refit`, nothing is fitted in an episode, but batch norms take the statistics of the
    images; the critic is not asked about shares that the budgets do not allow;
    there are fewer episodes, and more updates after each.

    Args:
        case: Its scores say which filters of a layer go.
        random: Episodes of random shares at the beginning.
        episodes: Episodes after them, in which the agent learns.
        images: Training images that the reward is read from.
        refit: Whether the layers that read what is left are fitted in every episode, as
            in the paper. An episode takes many times as long.
    """
    worth = (case.refitted if refit else case.worth)(images)
    # Layers that a user ties are one: the first of them speaks for all.
    numbers = case.grid.numbers(len(case.widths))
    first = np.unique(numbers, return_index=True)[1]
    layers = Layers(
        case.grid.free(len(case.widths)),
        tuple(case.widths[layer] for layer in first),
        case.budgets(),
        features(case.model, case.graph, [case.prunable.widths[i] for i in first]),
    )
    search = Search(
        layers,
        lambda values: worth(tuple(case.widths_of(values).tolist())).score,
        random=random,
        episodes=episodes,
        seed=case.seed,
    )
    case.run(search, random + episodes)
    best = case.widths_of(search.best)
    return uniform_curve(best, float(case.structure.params(best)))


def features(
    model: keras.Model, graph: ChannelGraph, widths: Iterable[np.ndarray]
) -> np.ndarray:
    """What a state says of each layer, [layers, 7], each column from 0 to 1.

    Number, kind (a dense layer or not), inputs, filters, strides, size of the window,
    weights: those of the first layer that makes the filters.

    Args:
        model: The trained network.
        graph: Its channel graph.
        widths: [layers]: numbers of the channels that each width counts.
    """
    shapes = [(axes[-1], kernel.shape) for axes, kernel in kernels(model, graph)]
    rows = []
    for number, channels in enumerate(widths):
        found = (shape for own, shape in shapes if channels[0] in own)
        *window, inputs, _ = next(found, (1, 1))
        maker = graph.groups[graph.owner[channels[0]]].makers[0]
        layer = model.get_layer(layer_of(maker))
        stride = np.prod(getattr(layer, "strides", 1))
        size, filters = np.prod(window), len(channels)
        weights = size * inputs * filters
        rows.append((number, not window, inputs, filters, stride, size, weights))
    return _scaled(np.array(rows, float))


def _scaled(columns: np.ndarray) -> np.ndarray:
    """Columns from 0 to 1; one that is the same everywhere is 0."""
    low = columns.min(axis=0)
    span = columns.max(axis=0) - low
    return (columns - low) / np.where(span > 0, span, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Layers:
    """The layers that an agent goes through, under budgets.

    Args:
        grid: The whole widths that are allowed.
        widths: Of the whole network, [layers].
        budgets: By name: cost of whole widths [..., layers], the largest allowed.
        features: [layers, 7].
    """

    grid: Grid
    widths: Widths
    budgets: Mapping[str, tuple[Callable, float]]
    features: np.ndarray

    def floor(self) -> np.ndarray:
        """[layers]: what the layers to come have at least.

        `LEAST` of their filters, or what the grid allows if that is over a budget.
        """
        least = self.grid.nearest(LEAST * np.array(self.widths))
        if self.fits(least[None])[0]:
            return least
        return np.broadcast_to(self.grid.low, len(self.widths)).astype(np.int64)

    def fits(self, rows: np.ndarray) -> np.ndarray:
        """[networks] bool: which widths [networks, layers] meet all budgets."""
        met = [np.asarray(cost(rows)) <= limit for cost, limit in self.budgets.values()]
        return np.all(met, axis=0)

    def width(self, number: int, share: float, left: np.ndarray) -> int:
        """The width of a layer: a share of its filters, if the budgets allow it.

        A layer of 10 filters costs 8 each, the others 20 at least: at a budget of 60 it
        keeps half.

        >>> def cost(widths):
        ...     return 8 * widths[..., 0] + 20 * widths[..., 1]
        >>> layers = Layers(Grid(1, 1, np.array([10, 1])), (10, 1),
        ...                 {"macs": (cost, 60)}, np.zeros((2, 7)))
        >>> layers.width(0, 0.9, np.array([2, 1])), layers.width(0, 0.3, [2, 1])
        (5, 3)

        Args:
            number: Of the layer.
            share: Of its filters, 0 to 1.
            left: [layers]: widths of the layers before it, the least of those after it.
        """
        low, high, step = (
            int(np.broadcast_to(end, len(self.widths))[number])
            for end in (self.grid.low, self.grid.high, self.grid.step)
        )
        able = np.arange(low, high + 1, step)
        rows = np.repeat(np.array(left)[None], len(able), axis=0)
        rows[:, number] = able
        fitting = able[self.fits(rows)]
        asked = share * self.widths[number]
        under = fitting[fitting <= max(low, asked + step / 2)]
        return int(under[-1]) if len(under) else low

    def state(self, number: int, left: np.ndarray, before: float) -> np.ndarray:
        """What the agent sees before a layer, [10].

        Its features; what the layers before it have saved, and what this one and those
        after it cost, as shares of what the whole network costs by the first budget;
        the share of the layer before.

        Args:
            number: Of the layer.
            left: [layers]: as of `width`.
            before: The share of the layer before it.
        """
        cost = next(iter(self.budgets.values()))[0]
        whole, past = np.array(self.widths), np.array(self.widths)
        past[:number] = left[:number]
        total, now = float(cost(whole)), float(cost(past))
        rest = np.where(np.arange(len(whole)) < number, left, whole)
        rest[number:] = np.minimum(1, rest[number:])
        saved = (total - now) / total
        return np.array(
            [*self.features[number], saved, (now - float(cost(rest))) / total, before]
        )


class Search:
    """Episodes of an agent, as a stepper (`ns_tf.engine.loop.Stepper`).

    Args:
        layers: What the agent goes through.
        reward: Widths -> how good the network is; higher is better.
        random: Episodes of random shares at the beginning.
        episodes: Episodes after them, in which the agent learns.
        seed: Draws the agent's weights, shares and batches.
    """

    def __init__(
        self,
        layers: Layers,
        reward: Callable[[Widths], float],
        *,
        random: int,
        episodes: int,
        seed: int,
    ):
        self.layers, self.reward, self.seed = layers, reward, seed
        self.random, self.total = random, random + episodes
        count = len(layers.widths)
        rng = np.random.default_rng([seed, _DRAW])
        self.agent = Agent(_VALUES, rng, _KEEP * count)
        self.rows = np.zeros((0, count), np.int64)  # Widths, by episode.
        self.rewards = np.zeros(0)  # By episode.

    @property
    def steps(self) -> int:
        """Episodes so far."""
        return len(self.rewards)

    @property
    def finished(self) -> bool:
        """Whether all episodes are over."""
        return self.steps >= self.total

    @property
    def best(self) -> Widths:
        """The widths of the highest reward; of the first such episode."""
        return tuple(int(width) for width in self.rows[np.argmax(self.rewards)])

    def batches(self) -> Iterable[tuple]:
        """The numbers of the episodes that are left, from 0."""
        return ((number,) for number in range(self.steps, self.total))

    def step(self, number: int) -> None:
        """Plays an episode, and learns from it.

        Args:
            number: Of the episode; with the seed it decides all draws.
        """
        rng = np.random.default_rng([self.seed, _DRAW, number])
        widths, states, shares, most = self._play(number, rng)
        reward = float(self.reward(tuple(int(width) for width in widths)))
        self.rows = np.concatenate([self.rows, widths[None]])
        self.rewards = np.append(self.rewards, reward)
        count = len(widths)
        after = np.concatenate([states[1:], np.zeros((1, _VALUES))])
        last = np.arange(count) == count - 1
        rewards, most_after = np.full(count, reward), np.append(most[1:], 1.0)
        self.agent.see(
            Transitions(states, shares, rewards, after, last, most, most_after)
        )
        if number >= self.random:
            for _ in range(UPDATES):
                self.agent.learn(rng)

    def _play(
        self, number: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """An episode: widths, states [layers, 10], shares kept, the largest allowed."""
        left, states, shares, most = self.layers.floor(), [], [], []
        for layer, whole in enumerate(self.layers.widths):
            state = self.layers.state(layer, left, shares[-1] if shares else 1.0)
            share = self._share(number, state, rng)
            most.append(self.layers.width(layer, 1.0, left) / whole)
            left[layer] = self.layers.width(layer, share, left)
            states.append(state)
            shares.append(left[layer] / whole)
        return left, np.array(states), np.array(shares), np.array(most)

    def _share(self, number: int, state: np.ndarray, rng: np.random.Generator) -> float:
        """The share that the agent tries: at random first, then less and less so."""
        if number < self.random:
            return float(rng.uniform(LEAST, 1))
        mean = np.clip(self.agent.action(state), LEAST, 1)
        deviation = NOISE * DECAY ** (number - self.random)
        while True:  # A normal draw, cut off at both ends.
            share = float(rng.normal(mean, deviation))
            if LEAST <= share <= 1:
                return share

    def shown(self) -> dict[str, float]:
        """For progress: the last reward and the best."""
        return {"reward": self.rewards[-1], "best": self.rewards.max()}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The agent, and widths and rewards of all episodes."""
        return {
            **self.agent.state(),
            "rows": self.rows,
            "scores": self.rewards,
        }, {}

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned."""
        del facts
        self.agent.restore(arrays)
        self.rows, self.rewards = arrays["rows"], arrays["scores"]
