"""The widths of a law, on a trained network."""

import numpy as np
import pytest
from searches import made_up
from small import replaced
from trained import noise_images, pruner

from ns_tf.base import InputError, ScalingLaw
from ns_tf.descend.record import new_search
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse
from ns_tf.prune.allocations.law import law_for


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


def test_layers_of_a_law_go_by_their_names_or_by_what_they_cost(handmade, rng):
    """Keras numbers layers without a name anew at every model of a process."""
    structure = analyse(from_model(handmade["flatten"]()), (6, 7, 3), 5)
    record = made_up(new_search(structure, "noise", structure.architecture.widths), rng)
    law, turned = record.state().law, tuple(reversed(record.names))
    assert law_for(record, structure) is law
    found = law_for(replaced(record, names=turned), structure)
    np.testing.assert_array_equal(found.alpha, law.alpha[::-1])
    np.testing.assert_array_equal(found.beta, law.beta[::-1])
    renamed = replaced(record, names=("conv2d_8", "conv2d_9"))
    assert law_for(renamed, structure) is law
    dearer = {"params": lambda widths: structure.params(widths) + widths[0]}
    with pytest.raises(InputError, match="layers are conv2d_8, conv2d_9, ..., and"):
        law_for(replaced(renamed, costs=dearer), structure)
