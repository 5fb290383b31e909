"""A trained network with some of its channels alone, by closed gates."""

import numpy as np
from trained import noise_images

from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.problem.problem import Problem
from ns_tf.prune.masked import MaskedNetwork
from ns_tf.prune.scoring import Proxy
from ns_tf.prune.trained import cut


def test_it_is_what_the_cut_network_is_by_the_statistics_of_each_batch(
    handmade, randomise, rng, float64
):
    """Of a network with norms, to 1e-10 in float64; and nothing of the model moves."""
    model, dataset = randomise(handmade["residual"]()), noise_images(rng)
    problem = Problem.of(from_model(model), dataset)
    graph, task = channel_graph(model), problem.task
    before = [np.array(w) for w in model.weights]
    proxy = Proxy.of(dataset, images=23, batch=16, seed=3)
    masked = MaskedNetwork(model, graph, task, proxy)
    keep = graph.frozen | (rng.random(len(graph.owner)) < 0.7)
    small = cut(model, problem.structure, keep)
    total, right = 0.0, 0
    for images, labels in proxy.batches():
        outputs = small(images, training=True)
        total += np.sum(task.loss(small)(labels, outputs))
        right += np.sum(np.argmax(outputs, axis=-1) == labels)
    found = masked.worth(keep)
    np.testing.assert_allclose(found.loss, total / 23, rtol=1e-10)
    np.testing.assert_allclose(found.score, right / 23)
    assert masked.worth(keep) == found
    for one, other in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)
