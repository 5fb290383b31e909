"""The widths of a law, on a trained network."""

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError, ScalingLaw


def test_widths_follow_the_law_and_stay_below_the_networks_own(
    handmade, randomise, rng
):
    model = randomise(handmade["flatten"]())
    law = ScalingLaw(np.array([0.01, 2.0]), np.array([0.8, 0.2]))
    made = pruner(
        model, noise_images(rng), law=law, method="random", allocation="law", params=0.5
    )
    found = made.solve(made.score())
    assert found.costs["params"] <= found.targets["params"]
    np.testing.assert_allclose(
        np.minimum(law.widths(found.tau), made.widths), found.widths, atol=1
    )


def test_without_a_law_of_as_many_widths_it_is_refused(handmade, randomise, rng):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    asked = {"method": "random", "allocation": "law", "params": 0.5}
    made = pruner(model, dataset, **asked)
    with pytest.raises(InputError, match="--search=RUN_DIR"):
        made.solve(made.score())
    made = pruner(model, dataset, law=ScalingLaw(np.ones(3), np.ones(3)), **asked)
    with pytest.raises(InputError, match="of 3 widths, and the trained network has 2"):
        made.solve(made.score())
