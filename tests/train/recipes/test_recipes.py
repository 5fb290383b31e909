"""Recipes by name, their options; every one trains what is left of a network."""

import keras
import numpy as np
import pytest
from picked import picked
from trained import TUNING, learned, pruner

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.pruned import prune_trained
from ns_tf.train import recipes
from ns_tf.train.recipes import RECIPES, Objective


def test_options_of_a_recipe_are_set_by_its_text():
    assert recipes.get("distil").mixup == 1
    other = recipes.get("distil(mixup=0.5, temperature=4.0)")
    assert other.mixup == 0.5 and other.formula.keywords == {"temperature": 4.0}
    assert recipes.get("plain(rate=0.5)").rate == 0.5


def test_behind_another_a_recipe_has_its_own_rate_and_share_of_the_epochs():
    first, second = recipes.parse("distil(temperature=1e+1)+refine")
    assert (first.name, first.rate, first.next_share) == ("distil", 0.01, 1)
    assert (second.name, second.rate, second.next_share) == ("refine", 1e-3, 0.08)
    (alone,) = recipes.parse("refine")
    assert alone.rate == 0.01 and alone.epochs is None
    given = recipes.parse("refine+plain+refine(rate=0.5, epochs=3)")
    assert [one.rate for one in given] == [0.01, 0.01, 0.5] and given[2].epochs == 3


@pytest.mark.parametrize(
    "text, told",
    [
        ("plain+scratch_b", "Put scratch_b first, or leave it out"),
        (
            "distil(epochs=0)",
            "epochs of the recipe distil is a whole number of at least",
        ),
        ("distil(epochs=1.5)", "is a whole number of at least 1; got 1.5"),
        ("distil+", "Expected a name"),
        ("distill", "Did you mean 'distil'"),
        ("distil(heat=2)", "has no 'heat'; it has temperature, share, mixup, rate"),
        ("distil(share='a')", "share of the recipe distil is a number from 0 to 1"),
        ("distil(share=-1)", "Expected a name|a number from 0"),
        ("distil(share=1.5)", "a number from 0 to 1; got 1.5"),
        ("refine(share=2)", "a number from 0 to 1; got 2"),
        ("distil(temperature=0)", "temperature of the recipe distil .* above 0; got 0"),
        ("plain(rate=0.0)", "rate of the recipe plain is a number above 0"),
        ("distil(mixup=1e999)", "mixup of the recipe distil is a number from 0; got"),
        ("distil(", "Expected a name"),
    ],
)
def test_what_is_no_recipe_is_refused(text, told):
    with pytest.raises(InputError, match=told):
        recipes.parse(text)


def test_hard_labels_are_soft_ones_of_one_class(rng):
    model, problem = learned()
    objective = Objective(recipes.get("distil"), 10, model)
    loss = objective.loss(model)
    logits, taught = rng.normal(size=(2, 7, 10)).astype("float32")
    labels = rng.integers(0, 10, 7)
    hard = loss(keras.ops.convert_to_tensor(labels), logits, taught)
    soft = loss(keras.ops.one_hot(labels, 10), logits, taught)
    np.testing.assert_allclose(hard, soft, rtol=1e-6)


def test_a_softmax_at_the_end_changes_no_loss(rng):
    model, _ = learned()
    ended = keras.Model(model.input, keras.layers.Softmax()(model.output))
    logits, taught = rng.normal(size=(2, 7, 10)).astype("float32")
    labels = np.eye(10, dtype="float32")[rng.integers(0, 10, 7)]
    distil = recipes.get("distil")
    plain = Objective(distil, 10, model).loss(model)(labels, logits, taught)
    soft = [keras.ops.softmax(x) for x in (logits, taught)]
    behind = Objective(distil, 10, ended).loss(ended)(labels, *soft)
    np.testing.assert_allclose(behind, plain, rtol=1e-4)


# `scratch` trains in `tests/prune/test_tuning.py`, both in rows of comparisons.
FRESH = "scratch", "scratch_b"


@pytest.mark.parametrize(
    "name", picked(lambda name: name not in FRESH, RECIPES.names())
)
def test_every_recipe_trains_what_is_left(name):
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5)
    tuning = TUNING.__class__(recipe=name, finetune_epochs=1, finetune_batch=50)
    found = prune_trained(made, tuning, Runtime())
    assert len(found.tuned.history) == (2 if name == "scratch_b" else 1)
    assert np.isfinite(found.tuned.history[0].train_loss)
    if name in ("plain", "distil"):  # From the weights that are left.
        assert found.accuracies["tuned"] > 0.5
