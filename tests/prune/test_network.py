"""The network that is pruned: closed channels compute as if they were gone."""

import keras
import numpy as np
import pytest
from small import batches, made_by, prunable

from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph


@pytest.mark.parametrize(
    "name",
    [
        "residual",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("chain", "concat", "dense_block", "depthwise", "no_norm")
        ),
    ],
)
def test_scores_and_weights_are_the_same_whether_closed_or_gone(
    name, handmade, rng, float64
):
    """When to thin is a question of speed alone."""
    keras.utils.set_random_seed(7)
    model = handmade[name]()
    graph = channel_graph(model)
    steps = list(batches(rng, 4, classes=5))
    keep = (rng.random(len(graph.owner)) < 0.6) | graph.frozen
    for group in graph.groups:
        keep[rng.choice(group.channels)] = True

    def train(network, some):
        for images, labels in some:
            loss = network.train(images.astype("float64"), labels, 0.05)
        return float(loss)

    wide, thin = prunable(model, graph), prunable(handmade[name](), graph)
    train(wide, steps[:2])
    wide.close(np.flatnonzero(~keep))
    wide.forget()
    thin.restore(wide.state())
    thin.compact()
    one, other = (train(network, steps[2:]) for network in (wide, thin))
    assert thin.model.count_params() < wide.model.count_params()
    np.testing.assert_allclose(one, other, rtol=1e-9)
    scores = wide.score_sums()
    np.testing.assert_allclose(thin.score_sums()[keep], scores[keep], rtol=1e-6)
    assert (scores[~keep] == 0).all()
    assert (scores[keep & ~graph.frozen] > 0).mean() > 0.5


@pytest.fixture
def pruned(handmade):
    return prunable(handmade["chain"]())


def test_closing_zeroes_gates_and_their_momenta_and_nothing_else(pruned, rng):
    for images, labels in batches(rng, 2, classes=5):
        pruned.train(images, labels, 0.05)
    before, slots = weights.values(pruned.model), pruned._slot_values()
    channels = made_by(pruned.graph, "a")[[1, 4]]
    pruned.close(channels)
    assert (~pruned.alive).nonzero()[0].tolist() == sorted(channels)
    assert pruned.present.all()
    for values, old in (
        (weights.values(pruned.model), before),
        (pruned._slot_values(), slots),
    ):
        for key, value in values.items():
            expected = old[key].copy()
            if key[0] == "a_bn" and key[1] in ("gamma", "beta"):
                expected[[1, 4]] = 0
            np.testing.assert_array_equal(value, expected, err_msg=key)


def test_closed_gates_stay_zero_in_training(pruned, rng):
    channels = made_by(pruned.graph, "a")[[1, 4]]
    pruned.close(channels)
    for images, labels in batches(rng, 3, classes=5):
        pruned.train(images, labels, 0.1)
    norm = pruned.model.get_layer("a_bn")
    for variable in (norm.gamma, norm.beta):
        assert (variable.numpy() == 0).nonzero()[0].tolist() == [1, 4]


def test_a_thinner_network_has_the_channels_that_are_kept(pruned):
    a, b = (made_by(pruned.graph, name) for name in "ab")
    pruned.close(np.concatenate([a[:3], b[2:4]]))
    keep = pruned.alive.copy()
    keep[a[0]] = True  # A closed one may stay.
    pruned.compact(keep)
    sizes = [pruned.model.get_layer(name).filters for name in "ab"]
    assert sizes == [13 - 2, 7 - 2]
    np.testing.assert_array_equal(pruned.present, keep)
    assert not pruned.alive[a[0]]
    pruned.compact()
    assert pruned.model.get_layer("a").filters == 10


def test_a_state_makes_another_network_the_same_one(handmade, pruned, rng):
    steps = list(batches(rng, 5, classes=5))
    for number, (images, labels) in enumerate(steps[:3]):
        pruned.train(images, labels, 0.05)
        if number == 0:
            pruned.close(made_by(pruned.graph, "a")[:3])
            pruned.compact()
            pruned.close(made_by(pruned.graph, "b")[2:4])
    other = prunable(handmade["chain"](), pruned.graph)
    other.restore(pruned.state())
    for images, labels in steps[3:]:
        one, two = (float(n.train(images, labels, 0.05)) for n in (pruned, other))
        assert one == two
    expected, state = pruned.state(), other.state()
    assert expected.keys() == state.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array, err_msg=name)


def test_forgetting_starts_new_sums(pruned, rng):
    sums = []
    for images, labels in batches(rng, 2, classes=5):
        pruned.train(images, labels, 0.0)
        sums.append(pruned.score_sums())
    assert (sums[1] >= sums[0]).all() and sums[1].max() > sums[0].max()
    pruned.forget()
    assert not pruned.score_sums().any()
    assert pruned.scored  # Only in float16 may a step go unscored.
