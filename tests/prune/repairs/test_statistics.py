"""The repair that measures the statistics of norms again."""

import numpy as np
from trained import noise_images, pruner


def test_what_is_left_has_the_statistics_of_its_own_activations(
    handmade, randomise, rng
):
    model, dataset = randomise(handmade["chain"]()), noise_images(rng)
    made = pruner(
        model, dataset, method="random", macs=0.5, proxy_images=16, repair="statistics"
    )
    scores = made.score()
    small, _ = made.cut_and_repair(made.chosen(scores, made.solve(scores).widths))
    ((images, _),) = made.proxy(1024).batches()
    norm = next(one for one in small.layers if hasattr(one, "moving_mean"))
    before = type(small)(small.inputs, norm.input)(images, training=False)
    axes = tuple(range(before.ndim - 1))
    np.testing.assert_allclose(norm.moving_mean, np.mean(before, axes), atol=1e-5)
