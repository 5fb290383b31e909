"""One knob for a tuner: the budget, in place of a width for every layer.

A `keras_tuner.HyperModel` of networks on the law of a search. Whatever budget a tuner
draws, the network fits it: no trial is oversized.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.data.dataset import crop_margin
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.plan.plan import Searched, WidthPlan
from ns_tf.run.checks import LARGEST_RATIO
from ns_tf.run.option import Kind
from ns_tf.train.config import TrainConfig
from ns_tf.tune import space as tune_space
from ns_tf.tune.space import Space

RATIO, ROUND = "ratio", "round_to"
EPOCHS = "tuner/epochs"  # Hyperband's, of a trial.
SPACE = {
    RATIO: (0.25, 1.0),
    ROUND: [1, 8],
    "rate": (0.01, 0.3),
    "weight_decay": (1e-5, 1e-3),
    "momentum": (0.5, 0.95),
    "augmentation": ["none", "flip", "crop", "both"],
}
# What of a recipe is in a compiled model; the rest is in how it is fitted.
_COMPILED = {"rate", "weight_decay", "momentum", "augmentation"}


def _sizes() -> set[str]:
    """Names of budgets, the ratio among them."""
    return {*BUDGETS.names(), RATIO}


def kinds() -> dict[str, Kind]:
    """What of a network and its training may be tuned: name and type."""
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
            Names are "ratio" and those of budgets (all that are given hold),
            "round_to", and fields of `configs.TrainConfig`: "rate", "weight_decay",
            "momentum", "augmentation", and for `recipe` the others too.
            `tuning.SPACE` if None.
        train: The recipe, where the space says nothing.
        **fixed: What all networks keep to: arguments of `Search.plan`.

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
        super().__init__(name=search.record.architecture)
        self.search = search
        self.space = Space(SPACE if space is None else space, kinds())
        self.train = train or TrainConfig()
        self.fixed = fixed
        self._check()

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Adds all hyperparameters."""
        self.space.declare(hp)

    def plan(self, hp: Any) -> WidthPlan:
        """The network of a trial: widths on the law that meet its budget."""
        return self.plan_of(self.space.values(hp))

    def plan_of(self, values: Mapping[str, Any]) -> WidthPlan:
        """The network of these values of the hyperparameters.

        Raises:
            InputError: no network meets the budgets.
        """
        names = {*_sizes(), ROUND}
        drawn = {name: value for name, value in values.items() if name in names}
        return self.search.plan(**{**self.fixed, **drawn})

    def recipe(self, values: Mapping[str, Any]) -> TrainConfig:
        """How the network of these values is trained; Hyperband's epochs among them.

        A shorter training has the same schedule in less time.
        """
        fields = {field.name for field in dataclasses.fields(TrainConfig)}
        found = dataclasses.replace(
            self.train, **{n: v for n, v in values.items() if n in fields}
        )
        return shortened(found, values.get(EPOCHS, found.epochs))

    def build(self, hp: Any) -> keras.Model:
        """A compiled network with fresh weights, of the trial's budget.

        Its optimizer is SGD of the trial's rate, momentum and (decoupled) weight decay.
        Augmentation is done by layers in front, which do nothing outside of training.
        Batches, epochs and a schedule are `model.fit`'s.

        Raises:
            InputError: a hyperparameter has no effect here.
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
        logits = not ends_in_softmax(network)
        model = _augmenting(network, train.augmentation)
        model.compile(
            keras.optimizers.SGD(
                train.rate, momentum=train.momentum, weight_decay=train.weight_decay
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
            metrics=["accuracy"],
        )
        return model

    def _check(self) -> None:
        """Refuses ends of ranges that no trial could have."""
        members = self.space.members
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
            if exact == set(sizes):  # A measured one takes time, and never repeats.
                self.plan_of({**most, **on})


def shortened(train: TrainConfig, epochs: int) -> TrainConfig:
    """The recipe in fewer epochs: drops and warm-up come earlier in proportion."""
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
    """The network behind layers that vary images in training (`pipeline.augmented`)."""
    if how in ("own", "none"):  # A model knows of no data set's own way.
        return model
    x = image = keras.Input(model.input_shape[1:], name="varied_image")
    height, width, _ = model.input_shape[1:]
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
