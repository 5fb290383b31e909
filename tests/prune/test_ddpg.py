"""Deep deterministic policy gradient: derivatives, targets, and what it learns."""

import dataclasses

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ns_tf.prune.ddpg import Agent, Net, Transitions


def some(rng, count=16, values=3):
    """Transitions drawn at random; every fourth ends an episode."""
    numbers = rng.random((2, count, values)).astype("float32")
    actions, rewards = rng.random((2, count)).astype("float32")
    last, most = np.arange(count) % 4 == 3, np.ones((2, count), "float32")
    return Transitions(numbers[0], actions, rewards, numbers[1], last, *most)


def test_derivatives_are_those_of_differences(rng):
    """In float64, by a weight of each layer and by the inputs."""
    for sigmoid in (False, True):
        net = Net((3, 7, 5, 1), rng, sigmoid=sigmoid)
        net.weights = [rng.normal(size=w.shape) for w in net.weights]
        x, back = rng.normal(size=(4, 3)), rng.normal(size=4)
        gradients, by_input = net.gradients(x, back)
        step = 1e-6
        for array, gradient in [
            *zip(net.weights, gradients, strict=True),
            (x, by_input),
        ]:
            place = tuple(rng.integers(0, n) for n in array.shape)
            sides = []
            for sign in (1, -1):
                array[place] += sign * step
                sides.append(net(x) @ back)
                array[place] -= sign * step
            slope = (sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-5, atol=1e-8)


def test_targets_are_the_reward_less_the_baseline_at_the_end_of_an_episode(rng):
    """With discount 1, elsewhere what is expected of the next state."""
    agent, batch = Agent(3, rng, 100), some(rng)
    agent.baseline = 0.25
    found = agent.targets(batch)
    np.testing.assert_allclose(found[batch.last], batch.rewards[batch.last] - 0.25)
    actions = agent.slow_actor(batch.after)
    x = np.concatenate([batch.after, actions[:, None]], axis=1)
    np.testing.assert_array_equal(found[~batch.last], agent.slow_critic(x)[~batch.last])


def test_the_baseline_goes_half_the_way_to_the_mean_reward(rng):
    agent = Agent(3, rng, 100)
    batch = some(rng)
    agent.see(
        Transitions(*(np.repeat(getattr(batch, f)[:1], 9, axis=0) for f in vars(batch)))
    )
    agent.learn(rng)
    reward = float(batch.rewards[0])
    assert abs(agent.baseline - reward) < 1e-6
    agent.baseline = reward + 1
    agent.learn(rng)
    assert abs(agent.baseline - reward - 0.5) < 1e-6


def test_it_remembers_as_much_as_it_may(rng):
    agent = Agent(3, rng, 20)
    first, second = some(rng), some(rng)
    agent.see(first)
    agent.see(second)
    np.testing.assert_array_equal(agent.memory.rewards[-16:], second.rewards)
    assert len(agent.memory.rewards) == 20 and agent.memory.last.dtype == bool


@pytest.mark.slow
def test_the_critic_learns_what_an_action_is_worth_and_the_actor_to_do_it(rng):
    """Of one step and a reward of 1 - (action - 0.75)²."""
    agent, start = Agent(3, rng, 200), 0.5
    actions = rng.random(200).astype("float32")
    states = np.ones((200, 3), "float32")
    rewards = 1 - (actions - 0.75) ** 2
    every = np.ones(200, "float32")
    agent.see(Transitions(states, actions, rewards, states, every > 0, every, every))
    assert abs(agent.action(states[0]) - start) < 0.05
    for _ in range(150):
        agent.learn(rng)
    x = np.concatenate([states[:3], np.array([[0.1], [0.75], [0.5]])], axis=1)
    low, best, middle = agent.critic(x.astype("float32"))
    assert low < middle < best and agent.action(states[0]) > 0.55


def test_neither_targets_nor_steps_depend_on_actions_that_are_not_allowed(rng):
    """A critic that praises them would lead an actor there for ever."""
    agent, batch = Agent(3, rng, 100), some(rng)
    capped = dataclasses.replace(batch, most=batch.most * 0, most_after=batch.most * 0)
    for net in (agent.slow_critic, agent.critic):
        net.weights[0][-1] += 1  # The more action, the more it promises.
    zero = np.concatenate([batch.after, np.zeros((16, 1), "float32")], axis=1)
    agent.baseline = 0.0
    found, last = agent.targets(capped), batch.last
    np.testing.assert_array_equal(found[~last], agent.slow_critic(zero)[~last])
    before = [weight.copy() for weight in agent.actor.weights]
    agent.see(capped)
    agent.learn(rng)
    for one, other in zip(agent.actor.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_update_multiplies_on_one_thread_and_gives_the_others_back(rng, monkeypatch):
    seen = []

    def threads():
        libraries = [one for one in threadpool_info() if one["user_api"] == "blas"]
        return {one["num_threads"] for one in libraries}

    monkeypatch.setattr(Agent, "_learn", lambda self, rng: seen.append(threads()))
    with threadpool_limits(2, user_api="blas"):
        Agent(3, rng, 20).learn(rng)
        assert seen == [{1}] and threads() == {2}
