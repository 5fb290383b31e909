"""How what is left is trained: recipes, epochs, teachers."""

import pytest
from trained import learned

from ns_tf.base import InputError
from ns_tf.problem import tasks
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.tuning import recipe_of, tuning_of


def test_a_recipe_says_what_is_minimised_from_which_weights_on():
    model, problem = learned()
    config, found = FinetuneConfig(finetune_epochs=3), {}
    for name in ("plain", "distil", "scratch_b"):
        recipe = recipe_of(name, problem.task)
        found[name] = tuning_of(recipe, config, problem.dataset, 2.0, model)
    assert found["plain"].objective is None and not found["plain"].fresh
    assert found["distil"].objective.teacher is model
    assert found["scratch_b"].fresh and found["scratch_b"].settings.epochs == 6
    assert found["plain"].settings.epochs == 3
    with pytest.raises(InputError, match="learns one class an example"):
        recipe_of("distil", tasks.get("regression"))
