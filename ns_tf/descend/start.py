"""A search that begins with a trained model's own weights, in place of fresh ones."""

import dataclasses
from pathlib import Path

import keras

from ns_tf.base import Architecture, InputError, Widths
from ns_tf.data.dataset import Dataset, for_network, scaled
from ns_tf.descend.config import SearchConfig
from ns_tf.graph.flat import flat
from ns_tf.graph.shapes import shape_of, with_shape
from ns_tf.networks import from_model, python_models
from ns_tf.problem.alignment import aligned
from ns_tf.problem.choice import outputs_of
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.pixels import way_of
from ns_tf.run.folder import MODEL


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """Where a search from a model's own weights begins.

    Args:
        model: With its weights; never changed.
        problem: Of the search, with pixels as the model was given them.
        pixels: How these are scaled: a name of `ns_tf.data.dataset.WAYS`.
        told: How that is known, for people.
    """

    model: keras.Model
    problem: Problem
    pixels: str
    told: str = ""

    @classmethod
    def of(cls, problem: Problem, raw: Dataset) -> "Start":
        """The start of a search of a model, with its pixels as their loss tells.

        Args:
            problem: The model as a function of its widths, data, task.
            raw: The data set as it was read.

        Raises:
            InputError: the loss of the model is not finite.
        """
        model = problem.architecture.source
        raw = problem.task.prepared(aligned(raw, model), outputs_of(model))
        way = way_of(model, raw, problem.task)
        dataset = for_network(scaled(raw, way.name), problem.structure.scales_pixels)
        problem = dataclasses.replace(problem, dataset=dataset)
        return cls(model, problem, way.name, str(way))

    def keep(self, folder: Path) -> None:
        """Keeps the model in the run folder, or checks that it is the one kept there.

        Args:
            folder: The run folder.

        Raises:
            InputError: the folder's search began with other weights.
        """
        path = folder / MODEL
        if not path.exists():
            python_models.save_model(self.model, path)
            return
        check_same(self.model, from_model.load(str(path)).source, folder)


def check_same(model: keras.Model, kept: keras.Model, folder: str | Path) -> None:
    """Refuses a model whose weights are not those that a search began with.

    Args:
        model: That was given now.
        kept: Of the same graph, models within it seen through; names may differ.
        folder: Of the search.

    Raises:
        InputError: a weight differs.
    """
    if _differ(_alike(model, kept), kept):
        raise _other_weights(model, folder)


def take_weights(model: keras.Model, kept: keras.Model, folder: str | Path) -> None:
    """Gives the model of a search with fresh weights those of the model given now.

    Plans inherit them. Those of frozen layers are part of what was searched.

    Args:
        model: As of `check_same`.
        kept: As of `check_same`; changed in place.
        folder: Of the search.

    Raises:
        InputError: a weight of a frozen layer differs.
    """
    given = _alike(model, kept)
    for one, other in zip(given.layers, kept.layers, strict=True):
        if not one.trainable and _differ(one, other):
            raise _other_weights(model, folder)
    if _differ(given, kept):
        kept.set_weights(given.get_weights())


def _alike(model: keras.Model, kept: keras.Model) -> keras.Model:
    """The model in the form in which a folder keeps it."""
    return flat(with_shape(flat(model, blocks=True), shape_of(kept)), blocks=True)


def _differ(one: keras.Layer, other: keras.Layer) -> bool:
    """Whether a weight of two layers or models of the same graph differs."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return any(own.tobytes() != its.tobytes() for own, its in pairs)


def _other_weights(model: keras.Model, folder: str | Path) -> InputError:
    """The error for a model of other weights than a search has."""
    return InputError(
        f"The search in {folder} began with other weights than {model.name!r} has. "
        "Give another run folder, or the model that it was begun with."
    )


def owns(config: SearchConfig, prune: PruneConfig, architecture: Architecture) -> bool:
    """Whether a search begins with the model's own weights.

    >>> plain = Architecture("two", (8, 16), builder=None)
    >>> owns(SearchConfig(), PruneConfig(pretrain_epochs=0), plain)
    False
    >>> mine = Architecture("mine", (8, 16), builder=None, source="a model")
    >>> [owns(SearchConfig(), PruneConfig(pretrain_epochs=p), mine) for p in (0, 10)]
    [True, False]

    Args:
        config: Its `weights` decide; if they are empty, a model without pretraining
            begins with its own.
        prune: Says how many epochs of pretraining there are.
        architecture: Made of a model, or not.

    Raises:
        InputError: own weights are asked for and there are none.
    """
    if config.weights == "own" and architecture.source is None:
        raise InputError(
            f"--weights=own needs a model with weights, and {architecture.name} is "
            "built with fresh ones: name a saved model, as "
            "--architecture=keras:mine.keras, or give one to ns_tf.search."
        )
    unasked = config.weights is None and prune.pretrain_epochs == 0
    return config.weights == "own" or (unasked and architecture.source is not None)


def check_own(config: SearchConfig, widths: Widths, architecture: Architecture) -> None:
    """Refuses what a search from a model's own weights cannot do.

    Args:
        config: How many iterations there are.
        widths: Of the seed network.
        architecture: Made of the model.

    Raises:
        InputError: widths that are not the model's, or more than one iteration.
    """
    if widths != architecture.widths:
        raise InputError(
            "A search that begins with a model's own weights begins at its own widths: "
            "leave --ratio and --widths out, or give --weights=fresh."
        )
    if config.iterations > 1:
        raise InputError(
            "A search that begins with a model's own weights has one iteration; got "
            f"--iterations={config.iterations}. The next network is wider in some "
            "layers, and new filters have no weights to begin with: give "
            "--weights=fresh and --pretrain_epochs for more."
        )
