"""One knob for a tuner: the budget, in place of a width for every layer.

`ScaledHyperModel` is a `keras_tuner.HyperModel` of networks on the law of a search.
Whatever budget a tuner draws, the network fits it: no trial is oversized.
"""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.data.dataset import crop_margin
from ns_tf.descend.record import USUAL
from ns_tf.graph.compilation import Compilation
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.parts import parts
from ns_tf.plan.plan import Searched
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.problem import tasks
from ns_tf.problem.compiled import FunctionLoss
from ns_tf.problem.tasks import Task
from ns_tf.problem.tasks.classification import Classification
from ns_tf.problem.tasks.compiled import Compiled
from ns_tf.problem.weighted import Weighted
from ns_tf.run.checks import LARGEST_RATIO
from ns_tf.run.option import Kind
from ns_tf.train.config import TrainConfig
from ns_tf.tune import space as tune_space
from ns_tf.tune.space import Space

RATIO, ROUND, VARIED = "ratio", "round_to", "augmentation"
EPOCHS = "tuner/epochs"  # How Hyperband names the epochs of a trial.
_UNVARIED = {"own", "none"}
# The space where none is given.
SPACE = {
    RATIO: (0.25, 1.0),
    ROUND: [1, 8],
    "rate": (0.01, 0.3),
    "weight_decay": (1e-5, 1e-3),
    "momentum": (0.5, 0.95),
    VARIED: ["none", "flip", "crop", "both"],
}
# Fields of the recipe that a compiled model has. The others are arguments of `fit`.
_COMPILED = {"rate", "weight_decay", "momentum", VARIED}


def _sizes() -> set[str]:
    """Names of all budgets, the ratio among them."""
    return {*BUDGETS.names(), RATIO}


def kinds() -> dict[str, Kind]:
    """What of a network and its training may be tuned: types by name.

    These are all budgets, the ratio, `round_to`, and the fields of `TrainConfig` that
    take a single value.
    """
    sizes = {name: Kind(float) for name in _sizes()}
    return {**sizes, ROUND: Kind(int), **tune_space.scalar_options(TrainConfig)}


class ScaledHyperModel(keras_tuner.HyperModel):
    """Networks along the law of a search, their budget a hyperparameter.

    With any of keras-tuner's tuners::

        model = ScaledHyperModel(search, {"params": (20_000, 200_000)})
        tuner = keras_tuner.RandomSearch(model, "val_accuracy", max_trials=8)
        tuner.search(images, labels, validation_split=0.1, epochs=5)

    Args:
        search: A search, as from `ns_tf.search` or `ns_tf.load`.
        space: By name: (low, high) for a range, a list of choices, or one value.
            Names are "ratio", those of budgets (with several, all hold), "round_to",
            and fields of `ns_tf.train.config.TrainConfig`: "rate", "weight_decay",
            "momentum", "augmentation"; with `recipe` the others, too. If None `SPACE`,
            of which "augmentation" is for one image.
        train: The recipe, where the space says nothing.
        **fixed: What holds for all networks: arguments of `Search.plan`.

    Raises:
        InputError: an unknown name, values that make no sense, or budgets whose ends
            no network meets.
    """

    def __init__(
        self,
        search: Searched,
        space: Mapping[str, Any] | None = None,
        *,
        train: TrainConfig | None = None,
        **fixed: Any,
    ):
        if not hasattr(search, "record"):
            raise InputError(
                f"Expected a search, of ns_tf.search or ns_tf.load; got {search!r}."
            )
        super().__init__(name=search.record.architecture)
        self.search = search
        usual = without_images(SPACE, _images(search.record.input_shape) == [True])
        self.space = Space(usual if space is None else space, kinds())
        self.train = train or TrainConfig()
        self.fixed = fixed
        self._check()

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Adds all hyperparameters to keras-tuner's."""
        self.space.declare(hp)

    def plan(self, hp: keras_tuner.HyperParameters) -> WidthPlan:
        """The network of a trial: widths on the law that meet its budget.

        Args:
            hp: The trial's hyperparameters, as `tuner.get_best_hyperparameters()` has
                them.
        """
        return self.plan_of(self.space.values(hp))

    def plan_of(self, values: Mapping[str, Any]) -> WidthPlan:
        """The network of these values of the hyperparameters.

        Args:
            values: By name; those that are no budget and no `round_to` have no effect.

        Raises:
            InputError: no network meets the budgets.
        """
        names = {*_sizes(), ROUND}
        drawn = {name: value for name, value in values.items() if name in names}
        return self.search.plan(**{**self.fixed, **drawn})

    def recipe(self, values: Mapping[str, Any]) -> TrainConfig:
        """How the network of these values is trained.

        A trial that Hyperband gives fewer epochs has the same schedule in less time.

        Args:
            values: By name; those that are no fields of the recipe have no effect.
        """
        fields = {field.name for field in dataclasses.fields(TrainConfig)}
        drawn = {name: value for name, value in values.items() if name in fields}
        recipe = dataclasses.replace(self.train, **drawn)
        return shortened(recipe, values.get(EPOCHS, recipe.epochs))

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A compiled network with fresh weights, of the trial's budget.

        Its optimizer is SGD with the trial's rate, momentum and (decoupled) weight
        decay. Its loss is that of the search's task: cross-entropy with the accuracy in
        classification (of one-hot targets where the model was compiled for these), what
        the model was compiled with in the task "compiled", else the task's loss alone
        ("val_loss" is the objective then). Augmentation is done by layers in front of
        the network, inactive outside of training. Other options are those of `fit`.

        Args:
            hp: The trial's hyperparameters.

        Raises:
            InputError: a hyperparameter has no effect on a compiled model.
        """
        idle = sorted(self.space.members.keys() - _sizes() - {ROUND} - _COMPILED)
        if idle:
            raise InputError(
                f"A compiled model knows nothing of {idle[0]}: it is a hyperparameter "
                f"of ns_tf.tune alone. Here these are: {', '.join(sorted(_COMPILED))}."
            )
        self.declare_hyperparameters(hp)
        values = self.space.values(hp)
        train = self.recipe(values)
        network = self.plan_of(values).build()
        model = _augmenting(network, train.augmentation)
        optimizer = keras.optimizers.SGD(
            train.rate, momentum=train.momentum, weight_decay=train.weight_decay
        )
        model.compile(optimizer, **_compiled_with(self.task, network))
        return model

    @property
    def task(self) -> Task:
        """What the networks are for: the search's task.

        A search that was loaded has no data to tell it by: its record names the task,
        and its model has what it was compiled with.

        Raises:
            InputError: an older record of a model of the user's names none.
        """
        problem = getattr(self.search, "problem", None)
        if problem is not None:
            return problem.task
        settings = getattr(self.search, "settings", None)
        named = self.search.record.task or (settings.task if settings else None)
        source = getattr(self.search.architecture, "source", None)
        if not named and source is not None:
            raise InputError(
                "The record of this search is an older one and names no task; give "
                "the search as ns_tf.search returns it."
            )
        task = tasks.get(named or USUAL)
        if source is not None:
            task = copy.copy(task)
            task.compilation = Compilation.of(source)
        return task

    def _check(self) -> None:
        """Passes a space whose ends are trials that can be done.

        The smallest and the largest budgets are planned, with each end of `round_to`.

        Raises:
            InputError: naming the value that no trial can have.
        """
        members = self.space.members
        varied = set(members[VARIED].ends if VARIED in members else ()) - _UNVARIED
        if varied and not any(_images(self.search.record.input_shape)):
            raise _no_image(self.name, varied.pop())
        twice = sorted(set(members) & set(self.fixed))
        if twice:
            raise InputError(
                f"{twice[0]} is a hyperparameter and fixed as well; give it once."
            )
        for name, member in members.items():
            if name not in {*_sizes(), ROUND}:
                for value in member.ends:
                    self.recipe({name: value})
        sizes = {n: m for n, m in members.items() if n in _sizes()}
        if RATIO in sizes and not 0 < max(sizes[RATIO].ends) <= LARGEST_RATIO:
            raise InputError(
                f"ratio lies between 0 and {LARGEST_RATIO}; got {sizes[RATIO].ends}."
            )
        exact = {n for n in sizes if n == RATIO or not budgets.get(n).measured}
        least = {name: min(member.ends) for name, member in sizes.items()}
        most = {name: max(member.ends) for name, member in sizes.items()}
        for grid in members[ROUND].ends if ROUND in members else (None,):
            on = {} if grid is None else {ROUND: grid}
            self.plan_of({**least, **on})
            if exact == set(sizes):  # Measured budgets take time, and never repeat.
                self.plan_of({**most, **on})


def without_images(space: Mapping[str, Any], images: bool) -> dict[str, Any]:
    """The space, without the variation of images where there are none.

    >>> without_images({"rate": 0.1, "augmentation": "flip"}, False)
    {'rate': 0.1}
    """
    return {name: value for name, value in space.items() if images or name != VARIED}


def _images(shape: Any) -> list[bool]:
    """Of each input whether it is an image [height, width, channels]."""
    return [len(one) == 3 for one in parts(shape)]


def _no_image(name: str, how: str) -> InputError:
    """The error where nothing can be cropped and flipped."""
    needs = f"{VARIED}={how} is of images [height, width, channels]"
    return InputError(f'{needs}; {name!r} takes none. Give {VARIED}="none".')


def _compiled_with(task: Task, network: keras.Model) -> dict[str, Any]:
    """The loss and the metrics that `compile` takes.

    Args:
        task: Of the search.
        network: That is compiled.

    Raises:
        InputError: nobody knows what the model was compiled with.
    """
    task = task.task if isinstance(task, Weighted) else task
    if isinstance(task, Compiled):
        if task.compilation is None:
            raise InputError(
                "A loaded search does not know what its model was compiled with; give "
                "the search as ns_tf.search returns it."
            )
        return task.compilation.arguments(network)
    if isinstance(task, Classification):
        logits = not ends_in_softmax(network)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        own = task.compilation and task.compilation.of_rows  # So `fit` gets one-hot.
        return {"loss": own or loss, "metrics": ["accuracy"]}
    return {"loss": FunctionLoss(task.loss(network))}


def shortened(train: TrainConfig, epochs: int) -> TrainConfig:
    """The recipe in other epochs; in fewer, drops and warm-up come earlier.

    >>> short = shortened(TrainConfig(epochs=300, rate_drops=(100, 200)), 30)
    >>> short.epochs, short.rate_drops
    (30, (10, 20))

    Args:
        train: The recipe.
        epochs: Of the result. With fewer than the recipe's, epochs of the schedule are
            scaled in proportion; two drops that fall on one epoch become one.
    """
    share = epochs / train.epochs
    if share >= 1:
        return dataclasses.replace(train, epochs=epochs)
    drops = (max(1, round(drop * share)) for drop in train.rate_drops)
    return dataclasses.replace(
        train,
        epochs=epochs,
        rate_drops=tuple(dict.fromkeys(drops)),
        warmup_epochs=int(train.warmup_epochs * share),
    )


def _augmenting(model: keras.Model, how: str) -> keras.Model:
    """The network behind layers that crop and flip images in training.

    Args:
        model: The network.
        how: As `ns_tf.data.dataset.augmented` takes it. "own" adds nothing: a model
            does not know the data set.

    Raises:
        InputError: the network has several inputs, or one that is no image.
    """
    if how in _UNVARIED:
        return model
    if len(model.inputs) > 1:
        raise InputError(
            f"augmentation={how} is of one image; {model.name!r} has "
            f'{len(model.inputs)} inputs. Give augmentation="none" in the space.'
        )
    if _images(model.input_shape[1:]) != [True]:
        raise _no_image(model.name, how)
    height, width, _ = shape = model.input_shape[1:]
    x = image = keras.Input(shape, name="varied_image")
    if how in ("crop", "both"):
        margin = crop_margin((height, width))
        x = keras.layers.RandomTranslation(
            margin / height,
            margin / width,
            fill_mode="constant",
            interpolation="nearest",
            name="crop",
        )(x)
    if how in ("flip", "both"):
        x = keras.layers.RandomFlip("horizontal", name="flip")(x)
    return keras.Model(image, model(x), name=model.name)
