"""Deep deterministic policy gradient (Lillicrap et al., ICLR 2016), in NumPy.

An actor maps states to an action between 0 and 1, a critic maps state and action to the
reward that is to be expected. Both are networks of two hidden layers, so small that
NumPy trains them in no time, on any machine to the same bits.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import ThreadpoolController

HIDDEN = 300  # Units of each hidden layer, as in AMC.
ACTOR_RATE, CRITIC_RATE = 1e-4, 1e-3  # Of Adam, as in AMC.
TRACKING = 0.01  # Share of the way that the targets go at each update (tau).
BATCH = 64  # Transitions of an update.
BASELINE = 0.5  # Share of the way that the baseline goes to the batch's mean reward.
_KIND = np.float32
_END = 3e-3  # The last layer begins this small, so that first answers are all alike.


class Net:
    """A network of two hidden layers with ReLU, trained by Adam.

    Args:
        sizes: Units of input, hidden layers and output.
        rng: Draws the weights.
        sigmoid: Whether the output lies between 0 and 1.
    """

    def __init__(
        self, sizes: Sequence[int], rng: np.random.Generator, *, sigmoid: bool = False
    ):
        self.sigmoid, self.updates = sigmoid, 0
        self.weights: list[np.ndarray] = []
        for number, (n, m) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            bound = _END if number == len(sizes) - 2 else n**-0.5
            kernel = rng.uniform(-bound, bound, (n, m)).astype(_KIND)
            self.weights += [kernel, np.zeros(m, _KIND)]
        self.moments = [np.zeros_like(w) for w in (*self.weights, *self.weights)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Outputs [batch] of inputs [batch, inputs]."""
        return self._layers(x)[-1][:, 0]

    def _layers(self, x: np.ndarray) -> list[np.ndarray]:
        """The input and the output of every layer."""
        values = [x]
        pairs = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        for number, (kernel, bias) in enumerate(pairs):
            y = values[-1] @ kernel + bias
            if number < len(pairs) - 1:
                y = np.maximum(y, 0)
            elif self.sigmoid:
                y = 1 / (1 + np.exp(-y))
            values.append(y)
        return values

    def gradients(
        self, x: np.ndarray, by_output: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Derivatives of a sum over a batch by the weights, and by the inputs.

        Args:
            x: [batch, inputs].
            by_output: [batch]: the derivative by each output.
        """
        values = self._layers(x)
        back = by_output[:, None]
        if self.sigmoid:
            back = back * values[-1] * (1 - values[-1])
        found: list[np.ndarray] = []
        for layer in range(len(values) - 2, -1, -1):
            kernel = self.weights[2 * layer]
            found = [values[layer].T @ back, back.sum(axis=0), *found]
            back = back @ kernel.T
            if layer:
                back = back * (values[layer] > 0)
        return found, back

    def descend(self, gradients: Sequence[np.ndarray], rate: float) -> None:
        """A step of Adam (0.9, 0.999).

        Args:
            gradients: By the weights.
            rate: Learning rate.
        """
        self.updates += 1
        count = len(self.weights)
        scale = rate * (1 - 0.999**self.updates) ** 0.5 / (1 - 0.9**self.updates)
        for i, gradient in enumerate(gradients):
            mean, square = self.moments[i], self.moments[count + i]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            self.weights[i] -= scale * mean / (np.sqrt(square) + 1e-8)

    def track(self, other: "Net") -> None:
        """Goes the share `TRACKING` of the way to another network's weights."""
        for own, theirs in zip(self.weights, other.weights, strict=True):
            own += TRACKING * (theirs - own)

    def arrays(self) -> list[np.ndarray]:
        """Weights and moments, which a checkpoint keeps."""
        return [*self.weights, *self.moments]


@dataclasses.dataclass(frozen=True)
class Transitions:
    """What an agent has seen.

    Args:
        states: [transitions, values].
        actions: [transitions], 0 to 1.
        rewards: [transitions]: what the episode ended with.
        after: [transitions, values]: the states that followed.
        last: [transitions] bool: whether the episode ended there.
        most: [transitions]: the largest action that was allowed.
        most_after: [transitions]: the same in the states that followed.
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    after: np.ndarray
    last: np.ndarray
    most: np.ndarray
    most_after: np.ndarray

    def then(self, others: "Transitions", most: int) -> "Transitions":
        """These and others, the last `most` of them."""
        pairs = zip(_fields(self), _fields(others), strict=True)
        return Transitions(
            *(np.concatenate(pair)[-most:].astype(pair[0].dtype) for pair in pairs)
        )

    def take(self, places: np.ndarray) -> "Transitions":
        """Those at some places."""
        return Transitions(*(array[places] for array in _fields(self)))


def _fields(transitions: Transitions) -> list[np.ndarray]:
    """Its arrays, in order."""
    return [getattr(transitions, f.name) for f in dataclasses.fields(transitions)]


class Agent:
    """An actor and a critic that learn from transitions.

    Args:
        values: Numbers of a state.
        rng: Draws the first weights.
        capacity: Transitions that are kept.
    """

    def __init__(self, values: int, rng: np.random.Generator, capacity: int):
        hidden = (HIDDEN, HIDDEN, 1)
        self.actor = Net((values, *hidden), rng, sigmoid=True)
        self.critic = Net((values + 1, *hidden), rng)
        self.slow_actor = Net((values, *hidden), rng, sigmoid=True)
        self.slow_critic = Net((values + 1, *hidden), rng)
        for slow, net in zip(self._nets[2:], self._nets[:2], strict=True):
            slow.weights = [w.copy() for w in net.weights]
        self.capacity, self.baseline = capacity, np.nan
        self.memory = Transitions(
            *(np.zeros((0, values), _KIND), np.zeros(0, _KIND), np.zeros(0, _KIND)),
            *(np.zeros((0, values), _KIND), np.zeros(0, bool)),
            *(np.zeros(0, _KIND), np.zeros(0, _KIND)),
        )

    @property
    def _nets(self) -> tuple[Net, ...]:
        return self.actor, self.critic, self.slow_actor, self.slow_critic

    def action(self, state: np.ndarray) -> float:
        """What the actor does in a state [values]."""
        return float(self.actor(state[None].astype(_KIND))[0])

    def see(self, transitions: Transitions) -> None:
        """Keeps transitions to learn from."""
        self.memory = self.memory.then(transitions, self.capacity)

    def learn(self, rng: np.random.Generator) -> None:
        """An update of both networks by a batch of what was seen, on one thread.

        Args:
            rng: Draws the batch.
        """
        with _libraries().limit(limits=1, user_api="blas"):
            self._learn(rng)

    def _learn(self, rng: np.random.Generator) -> None:
        """As of `learn`, on as many threads as NumPy takes."""
        size = min(BATCH, len(self.memory.rewards))
        batch = self.memory.take(rng.integers(0, len(self.memory.rewards), size))
        mean = float(batch.rewards.mean())
        if np.isnan(self.baseline):
            self.baseline = mean
        self.baseline += BASELINE * (mean - self.baseline)
        x = _joined(batch.states, batch.actions)
        wrong = self.critic(x) - self.targets(batch)
        gradients, _ = self.critic.gradients(x, 2 * wrong / size)
        self.critic.descend(gradients, CRITIC_RATE)
        # The actor goes where the critic expects more.
        wanted = self.actor(batch.states)
        x = _joined(batch.states, np.minimum(wanted, batch.most))
        _, by_input = self.critic.gradients(x, np.full(size, -1 / size, _KIND))
        # An action above the largest allowed is that one: nothing depends on it.
        by_action = np.where(wanted > batch.most, 0, by_input[:, -1])
        gradients, _ = self.actor.gradients(batch.states, by_action)
        self.actor.descend(gradients, ACTOR_RATE)
        self.slow_actor.track(self.actor)
        self.slow_critic.track(self.critic)

    def targets(self, batch: Transitions) -> np.ndarray:
        """What the critic should say, [batch]: Bellman's equation with discount 1.

        The reward less the baseline where an episode ends; elsewhere what the slow
        critic expects of the next state. Actions that are not allowed were never seen,
        so the critic is not asked about them.

        Args:
            batch: Transitions.
        """
        actions = np.minimum(self.slow_actor(batch.after), batch.most_after)
        x = _joined(batch.after, actions)
        ends = batch.rewards - _KIND(self.baseline)
        return np.where(batch.last, ends, self.slow_critic(x))

    def state(self) -> dict[str, np.ndarray]:
        """All that a continued agent needs, by name."""
        arrays = {
            f"net{n}_{i}": array
            for n, net in enumerate(self._nets)
            for i, array in enumerate(net.arrays())
        }
        memory = {f.name: getattr(self.memory, f.name) for f in _MEMORY}
        updates = np.array([net.updates for net in self._nets])
        return {
            **arrays,
            **memory,
            "updates": updates,
            "baseline": np.array(self.baseline),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Sets what `state` returned."""
        for n, net in enumerate(self._nets):
            for i, array in enumerate(net.arrays()):
                array[...] = arrays[f"net{n}_{i}"]
            net.updates = int(arrays["updates"][n])
        self.memory = Transitions(*(arrays[f.name] for f in _MEMORY))
        self.baseline = float(arrays["baseline"])


_MEMORY = dataclasses.fields(Transitions)


@functools.cache
def _libraries() -> ThreadpoolController:
    """What multiplies matrices for NumPy.

    Several threads wait for each other longer than such small products take: where
    other programs use the cores, an update took up to 30 times as long.
    """
    return ThreadpoolController()


def _joined(states: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """What a critic reads: states [batch, values] with actions [batch] behind them."""
    return np.concatenate([states, actions[:, None]], axis=1)
