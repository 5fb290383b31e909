"""How what is left of a trained network is trained."""

import dataclasses

import keras

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset
from ns_tf.problem.tasks import Task
from ns_tf.problem.tasks.classification import Classification
from ns_tf.prune.config import FinetuneConfig
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective, Recipe


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning:
    """The training after a cut.

    Args:
        fresh: Whether it starts from fresh weights.
        settings: Epochs, batch, rate.
        objective: What is minimised in place of the task's loss.
    """

    fresh: bool
    settings: TrainConfig
    objective: Objective | None


def recipe_of(name: str, task: Task) -> Recipe:
    """The recipe of a name.

    Args:
        name: Perhaps with options.
        task: What targets mean.

    Raises:
        InputError: there is no such recipe, or its loss is one of classes and the task
            is another.
    """
    recipe = recipes.get(name)
    if recipe.formula is not None and not isinstance(task, Classification):
        raise InputError(
            f"The recipe {recipe.name} learns one class an example, without "
            f"weights; the task is {task.name}. Give --recipe=plain."
        )
    return recipe


def tuning_of(
    recipe: Recipe,
    config: FinetuneConfig,
    dataset: Dataset,
    times: float,
    whole: keras.Model,
) -> Tuning:
    """How a network is trained after a cut.

    Args:
        recipe: What is minimised, and from which weights on.
        config: Epochs, rate.
        dataset: Whose training images are learned.
        times: The whole network's multiply-adds over those of what is left.
        whole: Teaches, if the recipe has a teacher.
    """
    objective = None
    if recipe.formula is not None:
        teacher = whole if recipe.teacher else None
        objective = Objective(recipe, dataset.classes, teacher)
    settings = config.settings(
        len(dataset.train),
        rate=recipe.rate,
        times=times if recipe.equal_cost else 1.0,
    )
    return Tuning(recipe.fresh, settings, objective)
