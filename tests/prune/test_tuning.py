"""How what is left is trained: recipes, epochs, teachers."""

import copy

import keras
import numpy as np
import pytest
from trained import Unregistered, fresh, learned

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.compilation import Compilation
from ns_tf.networks.from_model import from_model
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem
from ns_tf.problem.weighted import Weighted
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.tuning import check_mixable, recipes_of, tuned, tunings_of
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
    with pytest.raises(InputError, match="Give --recipe=plain, or --task=classif"):
        recipes_of("distil", tasks.get("compiled"))
    two = copy.copy(tasks.get("compiled"))
    two.compilation = Compilation("ab", ("mse",) * 2, (1.0,) * 2, ((),) * 2)
    with pytest.raises(InputError, match=r"Give --recipe=plain\.$"):
        recipes_of("distil", two)


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
    model, problem = fresh()
    config = FinetuneConfig(finetune_epochs=1, finetune_batch=500)
    recipes, data = recipes_of("scratch", problem.task), problem.dataset
    works = tunings_of(recipes, config, data, 1.0, model)
    runtime = Runtime(seed=5)
    found = tuned(problem, problem.build, works, model, runtime)
    own = training.train(problem, problem.build, works[0].settings, runtime)
    for one, other in zip(found.model.weights, own.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_recipe_behind_another_begins_as_one_that_reads_a_file(tmp_path):
    """Dropout draws the same, whether the network was in memory or in a file."""
    digits = learned()[1].dataset
    x = image = keras.Input((8, 8, 1))
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(7, "relu", name="a")(x)
    model = keras.Model(image, keras.layers.Dense(10, name="logits")(x))
    problem = Problem.of(from_model(model), digits)
    config = FinetuneConfig(finetune_epochs=1, finetune_batch=500)
    works = tunings_of(
        recipes_of("scratch+plain", problem.task), config, digits, 1, None
    )
    runtime = Runtime(seed=5)
    found = tuned(problem, problem.build, works, None, runtime)

    first = training.train(problem, problem.build, works[0].settings, runtime)
    first.model.save(tmp_path / "first.keras")

    def read():
        return keras.saving.load_model(tmp_path / "first.keras", compile=False)

    own = training.train(problem, read, works[1].settings, runtime)
    for one, other in zip(found.model.weights, own.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tokens_are_not_mixed(rng):
    x = keras.Input((5,))
    y = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(7, 3)(x))
    model = keras.Model(x, keras.layers.Dense(3)(y))
    data = rng.integers(0, 7, (23, 5)), np.arange(23) % 3
    with pytest.raises(InputError, match="'embedding.*as tokens.*--recipe=plain"):
        check_mixable(model, from_arrays(data))
    check_mixable(model, from_arrays((data[0] * 1.0, data[1])))


def test_a_network_that_no_file_gives_goes_on_in_memory():
    digits = learned()[1].dataset
    x = Unregistered()(keras.layers.Flatten()(image := keras.Input((8, 8, 1))))
    x = keras.layers.Dense(7, "relu", name="a")(x)
    model = keras.Model(image, keras.layers.Dense(10, name="logits")(x))
    problem = Problem.of(from_model(model), digits)
    config = FinetuneConfig(finetune_epochs=1, finetune_batch=500)
    found = recipes_of("scratch+plain", problem.task)
    works = tunings_of(found, config, digits, 1, None)
    assert len(tuned(problem, problem.build, works, None, Runtime()).history) == 1
