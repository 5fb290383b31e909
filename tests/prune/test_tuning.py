"""How what is left is trained: recipes, epochs, teachers."""

import numpy as np
import pytest
from trained import learned

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.problem import tasks
from ns_tf.problem.weighted import Weighted
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.tuning import recipes_of, tuned, tunings_of
from ns_tf.train import training


def test_a_recipe_says_what_is_minimised_from_which_weights_on():
    model, problem = learned()
    config, found = FinetuneConfig(finetune_epochs=3), {}
    for name in ("plain", "distil", "scratch_b"):
        recipes = recipes_of(name, problem.task)
        (found[name],) = tunings_of(recipes, config, problem.dataset, 2.0, model)
    assert found["plain"].objective is None and not found["plain"].fresh
    assert found["distil"].objective.teacher is model
    assert found["scratch_b"].fresh and found["scratch_b"].settings.epochs == 6
    assert found["plain"].settings.epochs == 3
    with pytest.raises(InputError, match="learns one class an example"):
        recipes_of("distil", tasks.get("regression"))
    with pytest.raises(InputError, match="the task is classification with weights"):
        recipes_of("distil", Weighted(problem.task))


def test_recipes_behind_others_have_rates_and_epochs_of_their_own():
    model, problem = learned()
    config = FinetuneConfig(finetune_epochs=25, finetune_rate=0.5)

    def found(text):
        recipes = recipes_of(text, problem.task)
        tunings = tunings_of(recipes, config, problem.dataset, 2.0, model)
        return [(one.name, one.settings.epochs, one.settings.rate) for one in tunings]

    assert found("distil+refine") == [("distil", 25, 0.5), ("refine", 2, 1e-3)]
    assert found("scratch_b+refine(epochs=7)+plain") == [
        ("scratch_b", 50, 0.5),
        ("refine", 7, 1e-3),
        ("plain", 25, 0.01),
    ]
    with pytest.raises(InputError, match="refine learns one class an example"):
        recipes_of("plain+refine", tasks.get("regression"))


def test_fresh_weights_are_those_of_the_seed():
    model, problem = learned()
    config = FinetuneConfig(finetune_epochs=1, finetune_batch=250)
    recipes, data = recipes_of("scratch", problem.task), problem.dataset
    works = tunings_of(recipes, config, data, 1.0, model)
    runtime = Runtime(seed=5)
    found = tuned(problem, problem.build, works, model, runtime)
    own = training.train(problem, problem.build, works[0].settings, runtime)
    for one, other in zip(found.model.weights, own.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
