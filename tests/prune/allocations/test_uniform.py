"""The same share of every layer."""

import numpy as np
from trained import noise_images, pruner


def test_every_layer_has_the_same_share(handmade, randomise, rng):
    model = randomise(handmade["flatten"]())
    made = pruner(model, noise_images(rng), method="random", params=0.5)
    found = made.solve(made.score())
    share = np.array(found.widths) / np.array(made.widths)
    np.testing.assert_allclose(share, share.mean(), atol=1 / min(made.widths))
    assert (found.costs["params"] / made.budgets.own["params"]) > 0.4
