"""How what is left of a trained network is trained."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import TOKENS, Dataset
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.weights import Key
from ns_tf.networks.python_models import save_model
from ns_tf.parts import parts
from ns_tf.problem.problem import Problem
from ns_tf.problem.tasks import Task
from ns_tf.problem.tasks.classification import Classification
from ns_tf.problem.tasks.compiled import Compiled
from ns_tf.prune.config import FinetuneConfig
from ns_tf.run.folder import MODEL
from ns_tf.train import recipes, training
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective, Recipe
from ns_tf.train.training import TrainResult


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning:
    """A training after a cut.

    Args:
        name: Of its recipe.
        fresh: Whether it starts from fresh weights.
        settings: Epochs, batch, rate.
        objective: What is minimised in place of the task's loss.
    """

    name: str
    fresh: bool
    settings: TrainConfig
    objective: Objective | None


def recipes_of(text: str, task: Task) -> tuple[Recipe, ...]:
    """The recipes of a text, in the order in which they are done.

    Args:
        text: Names with "+" between them, perhaps with options.
        task: What targets mean.

    Raises:
        InputError: there is no such recipe, or its loss is one of classes and the task
            is another.
    """
    found = recipes.parse(text)
    for recipe in found:
        if recipe.formula is not None and not isinstance(task, Classification):
            # As of a compiled loss with an option, like label smoothing.
            single = isinstance(task, Compiled) and task.outputs == 1
            other = ", or --task=classification" * single
            raise InputError(
                f"The recipe {recipe.name} learns one class an example, without "
                f"weights; the task is {task.told}. Give --recipe=plain{other}."
            )
    return found


def check_mixable(model: keras.Model, dataset: Dataset) -> None:
    """Refuses inputs of which no mixtures can be made: numbers that a table looks up.

    Args:
        model: That learns.
        dataset: Its inputs; whole numbers may be pixels as well.

    Raises:
        InputError: they are tokens.
    """
    tables = [x for x in model.layers if isinstance(x, keras.layers.Embedding)]
    if tables and TOKENS in parts(dataset.inputs):
        raise InputError(
            f"Images are mixed in pairs, and {tables[0].name!r} reads the inputs of "
            f"{dataset.name} as tokens. Train by another recipe, as --recipe=plain or "
            "'distil(mixup=0.0)'."
        )


def tunings_of(
    found: Sequence[Recipe],
    config: FinetuneConfig,
    dataset: Dataset,
    times: float,
    whole: keras.Model,
) -> tuple[Tuning, ...]:
    """How a network is trained after a cut, one training after another.

    Args:
        found: By recipe: what is minimised, and from which weights on.
        config: Epochs and rate of the first; the others have their own rates, and a
            share of the epochs.
        dataset: Whose training images are learned.
        times: The whole network's multiply-adds over those of what is left.
        whole: Teaches, if a recipe has a teacher.
    """
    first, *others = found
    later = dataclasses.replace(config, finetune_rate=None)
    return (
        _tuning_of(first, config, dataset, times if first.equal_cost else 1.0, whole),
        *(_tuning_of(one, later, dataset, one.next_share, whole) for one in others),
    )


def _tuning_of(
    recipe: Recipe,
    config: FinetuneConfig,
    dataset: Dataset,
    times: float,
    whole: keras.Model,
) -> Tuning:
    """The training of one recipe.

    Args:
        recipe: What is minimised, and from which weights on.
        config: Epochs, rate.
        dataset: Whose training images are learned.
        times: Factor on the epochs, where the recipe does not say how many.
        whole: Teaches, if the recipe has a teacher.
    """
    objective = None
    if recipe.formula is not None:
        teacher = whole if recipe.teacher else None
        objective = Objective(recipe, dataset.classes, teacher)
    settings = config.settings(len(dataset.train), rate=recipe.rate, times=times)
    if recipe.epochs is not None:
        settings = dataclasses.replace(settings, epochs=recipe.epochs)
    return Tuning(recipe.name, recipe.fresh, settings, objective)


def tuned(
    problem: Problem,
    fresh: Callable[[], keras.Model],
    tunings: Sequence[Tuning],
    small: keras.Model,
    runtime: Runtime,
    *,
    masks: Mapping[Key, np.ndarray] | None = None,
) -> TrainResult:
    """What is left, trained by one recipe after another.

    Args:
        problem: Of what is left.
        fresh: Builds it with fresh weights, which the training draws by its seed.
        tunings: In the order in which they are done.
        small: What is left; trained in place, unless weights are fresh.
        runtime: Seed, devices, progress.
        masks: As of `ns_tf.train.training.train`.

    Returns:
        The last training, with the seconds of all.

    Raises:
        RunError: a loss is not finite.
    """
    seconds, start = 0.0, lambda: small
    for work in tunings:
        found = training.train(
            problem,
            fresh if work.fresh else start,
            work.settings,
            runtime,
            label="tune" if len(tunings) == 1 else work.name,
            objective=work.objective,
            masks=masks,
        )
        seconds += found.seconds
        start = functools.partial(_read_again, found.model)
    return dataclasses.replace(found, seconds=seconds)


def _read_again(model: keras.Model) -> keras.Model:
    """A trained network as a run folder gives it to the next training.

    Layers that draw, as dropout does, have not drawn yet in it.

    Args:
        model: Of a training that is done; not changed.

    Returns:
        The model itself if no file gives it, as where a class is not registered.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL
        save_model(model, path)
        try:
            return keras.saving.load_model(path, compile=False)
        except Exception:  # Keras raises what its parts raise.
            return model
