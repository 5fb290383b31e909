"""A gating on a network: what it refuses, units, what its scores depend on."""

import keras
import numpy as np
import pytest
from trained import learned, noise_images, pruner

from ns_tf.base import InputError, ScalingLaw
from ns_tf.prune import criteria, signals


@pytest.mark.parametrize(
    "network, asked, told",
    [
        ("chain", {"method": "sss", "rounds": 3}, "trained once; got --rounds=3"),
        ("no_norm", {"method": "slimming"}, "filters of 'a'. Keep that layer"),
        ("no_norm", {"method": "morphnet"}, "none with a gamma"),
    ],
)
def test_what_cannot_be_learned_is_refused(network, asked, told, handmade, rng):
    with pytest.raises(InputError, match=told):
        pruner(handmade[network](), noise_images(rng), macs=0.5, **asked).check()


def test_curvatures_are_scores_of_taylor_fg():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="sss", macs=0.5)
    same = pruner(model, problem.dataset, method="taylor_fg", macs=0.5)
    np.testing.assert_allclose(made.scorer.curvature(), same.score())
    assert criteria.get("taylor_fg").reads == "example_gradients"
    assert signals.known("example_gradients")


def test_strength_1_is_what_the_budget_needs_and_gammas_count_by_their_size():
    model, problem = learned()
    for name in ("sss", "slimming"):
        made = pruner(model, problem.dataset, method=name, macs=0.5, strength=1)
        scorer = made.scorer
        held = scorer.curvature() / np.maximum(scorer.scale(), 1e-30)
        alive = np.ones(len(held), bool)
        unit = scorer.pressure.unit(scorer.curvature(), scorer.scale())
        closed = held <= unit * scorer.pressure.price(alive)
        share = scorer.pressure.shares(~closed | made.graph.frozen)["macs"]
        assert 0.4 < share <= 0.5
        assert (scorer.scale() == 1).all() == (name == "sss")


def test_scores_say_what_they_depend_on():
    model, problem = learned()

    def depends(**asked):
        asked = {"method": "sss", "macs": 0.5, **asked}
        return pruner(model, problem.dataset, **asked).scorer.depends

    plain = depends()
    assert plain == depends() == depends(repair="none")
    others = ({"macs": 0.4}, {"strength": 1}, {"gate_epochs": 1}, {"gate_rate": 0.1})
    for other in others:
        assert depends(**other) != plain


@pytest.mark.parametrize(
    "asked", [{"method": "autopruner"}, {"method": "gdp", "rounds": 2}]
)
def test_scores_depend_on_what_a_law_says_and_not_on_where_it_lies(asked):
    model, problem = learned()

    def depends(beta, search):
        law = ScalingLaw(np.ones(3), np.array([0.3, 0.4, beta]))
        asked_for = {"allocation": "law", "macs": 0.5, "search": search, **asked}
        return pruner(model, problem.dataset, law=law, **asked_for).scorer.depends

    assert depends(0.5, "runs/a") == depends(0.5, "runs/b") != depends(0.6, "runs/a")


def test_generators_for_maps_of_any_size_are_refused():
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(5, 3, name="a")(image)
    x = keras.layers.Conv2D(7, 3, name="b")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(10)(x), name="open")
    made = pruner(model, learned()[1].dataset, method="autopruner", macs=0.5)
    with pytest.raises(InputError, match="'open' takes inputs of any size"):
        made.check()


def test_kernels_that_every_step_assigns_are_refused(rng):
    image = keras.Input((6, 7, 3))
    conv = keras.layers.Conv2D(5, 3)
    x = keras.layers.SpectralNormalization(conv, name="odd")(image)
    x = keras.layers.Conv2D(4, 3)(keras.layers.ReLU()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(5)(x))
    made = pruner(model, noise_images(rng), method="sss", macs=0.5)
    with pytest.raises(InputError, match="'odd' sets its kernel in every step"):
        made.check()
