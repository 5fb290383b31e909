"""Li et al.: the filters of largest norm stay, and nothing grows."""

import numpy as np
import pytest
from toys import network_of, setting_of

from ns_tf.graph.inherit import crossings
from ns_tf.networks.architectures import ARCHITECTURES
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable
from ns_tf.prune import trained as prune_trained
from ns_tf.prune.removal import Prunable, down_to


@pytest.mark.parametrize("network", ARCHITECTURES.names())
def test_li_l1_offers_nothing_larger_than_the_default(network):
    setting = setting_of("li_l1", network)
    full = float(setting.plain.costs["params"](np.array(setting.plain.default_widths)))
    with pytest.raises(NotApplicable, match="smaller"):
        methods.get("li_l1").propose(setting, {"params": 2 * full})
    proposal = methods.get("li_l1").propose(setting, {"params": full})
    assert proposal.widths == setting.plain.default_widths


def test_li_l1_has_the_widths_of_uniform_scaling():
    for budget in (3e5, 1e6):
        proposals = [
            methods.get(name).propose(setting_of(name), {"params": budget})
            for name in ("li_l1", "uniform")
        ]
        assert proposals[0] == proposals[1]


def test_li_l1_keeps_the_filters_of_largest_norm(handmade, randomise):
    model = randomise(handmade["chain"]())
    structure = analyse(from_model(model), (6, 7, 3), 5)
    trained = randomise(structure.build())
    smaller = methods.get("li_l1").start(trained, structure, (5, 3))
    kernel, thin = (
        {layer.name: layer for layer in m.layers}["a"].kernel.numpy()
        for m in (trained, smaller)
    )
    norms = np.abs(kernel).sum((0, 1, 2))
    best = np.sort(np.argsort(norms)[-5:])
    np.testing.assert_array_equal(thin, kernel[..., best])


def test_li_l1_chooses_the_same_channels_at_both_ends_of_an_identity(randomise):
    structure, plain = network_of("preact_resnet18")
    widths = tuple(width // 16 for width in plain.default_widths)
    thinner = tuple(width * 3 // 4 for width in widths)
    trained = randomise(structure.build(widths))
    graph = structure.graph(trained)
    scores = prune_trained._norms(trained, graph)
    keep = down_to(scores, Prunable.of(structure, graph), thinner)
    joined = crossings(graph)
    assert joined
    assert all(keep[source] == keep[target] for target, source in joined.items())
    model = methods.get("li_l1").start(trained, structure, thinner)
    assert count_params(model) == int(structure.params(np.array(thinner)))
