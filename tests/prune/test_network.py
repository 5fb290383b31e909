"""The network that is pruned: closed channels compute as if they were gone."""

import keras
import numpy as np
import pytest
from small import batches, prunable

from ns_tf.graph.walk import channel_graph


@pytest.mark.parametrize(
    "name", ["chain", "concat", "dense_block", "depthwise", "residual", "no_norm"]
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

    def run(thin: bool):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        pruned = prunable(copy, graph)
        for number, (images, labels) in enumerate(steps):
            if number == 2:
                pruned.close(np.flatnonzero(~keep))
                pruned.forget()
                if thin:
                    pruned.compact()
            loss = pruned.train(images.astype("float64"), labels, 0.05)
        return pruned, float(loss)

    (wide, one), (thin, other) = run(False), run(True)
    assert thin.model.count_params() < wide.model.count_params()
    np.testing.assert_allclose(one, other, rtol=1e-9)
    scores = wide.score_sums()
    np.testing.assert_allclose(thin.score_sums()[keep], scores[keep], rtol=1e-6)
    assert (scores[~keep] == 0).all()
    assert (scores[keep & ~graph.frozen] > 0).mean() > 0.5
