"""What a model was compiled with, output by output: losses, their weights, metrics."""

import dataclasses
import hashlib
import json
import reprlib
import types
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import InputError, reason_of
from ns_tf.graph.calls import functional

CROSSENTROPY = ("crossentropy", "ce")  # Of which kind, Keras says by the targets.


@dataclasses.dataclass(frozen=True, eq=False)
class Compilation:
    """Losses and metrics of a compiled model, in the order of `model.outputs`.

    Args:
        names: Of the outputs: keys of a dictionary, else as Keras names them.
        losses: By output, as `compile` takes them; None where an output has none.
        weights: By output: the factor of its loss.
        metrics: By output: the metrics of its own, as `compile` takes them.
        weighted: The same of `weighted_metrics`, which no score is; empty if there are
            none.
    """

    names: tuple[str, ...]
    losses: tuple[Any, ...]
    weights: tuple[float, ...]
    metrics: tuple[tuple[Any, ...], ...]
    weighted: tuple[tuple[Any, ...], ...] = ()

    @classmethod
    def of(cls, model: keras.Model) -> "Compilation | None":
        """What a model was compiled with; None without a loss.

        Args:
            model: Functional, with its outputs in a list or a dictionary or of one
                output; or sequential.

        Raises:
            InputError: losses or metrics that name no output of the model.
        """
        if not model.compiled or not model.loss:
            return None
        names = output_names(model)
        # Keras gives loss weights and metrics as they were given in private alone.
        weights = model._compile_loss._user_loss_weights
        own = model._compile_metrics
        metrics, weighted = (
            getattr(own, f"_user_{kind}metrics", None) for kind in ("", "weighted_")
        )
        return cls(
            names,
            _by_output("loss", model.loss, names),
            tuple(
                1.0 if weight is None else float(weight)
                for weight in _by_output("loss_weights", weights, names)
            ),
            _metrics(metrics, names),
            _metrics(weighted, names) if weighted else (),
        )

    @property
    def of_rows(self) -> Any:
        """Its loss, if it compares classes that come one-hot or as probabilities.

        >>> Compilation(("a",), ("categorical_crossentropy",), (1.0,), ((),)).of_rows
        'categorical_crossentropy'
        """
        given = self.losses[0]
        if str(given).lower() in CROSSENTROPY:
            return given
        loss, kind = keras.losses.get(given), keras.losses.CategoricalCrossentropy
        rows = isinstance(loss, kind) or loss is keras.losses.categorical_crossentropy
        return given if rows else None

    def arguments(self, model: keras.Model) -> dict[str, Any]:
        """The arguments of `compile` for a model of the same outputs.

        Args:
            model: Its outputs are one, or a list or a dictionary of them.
        """
        by_output = {
            "loss": self.losses,
            "loss_weights": self.weights,
            "metrics": list(map(list, self.metrics)),
        }
        if self.weighted:
            by_output["weighted_metrics"] = list(map(list, self.weighted))
        if isinstance(functional(model).output, dict):
            return {
                kind: dict(zip(self.names, one, strict=True))
                for kind, one in by_output.items()
            }
        if len(self.names) == 1:
            return {kind: one[0] for kind, one in by_output.items()}
        return {kind: list(one) for kind, one in by_output.items()}

    @property
    def digest(self) -> str:
        """6 hexadecimal digits of losses, weights and metrics, by their settings.

        Not of `weighted`, as nothing that is computed depends on it.
        """
        told = [self.losses, self.weights, self.metrics]
        text = json.dumps(keras.tree.map_structure(_settings, told))
        return hashlib.sha256(text.encode()).hexdigest()[:6]

    def onto(self, model: keras.Model) -> None:
        """Compiles a model of the same outputs with these losses and metrics.

        The optimizer is Keras's default: trainings of ns_tf have their own.

        Args:
            model: Changed in place.
        """
        model.compile(**self.arguments(model))


def output_names(model: keras.Model) -> tuple[str, ...]:
    """The names of a model's outputs, in the order of `model.outputs`.

    Args:
        model: Its outputs are one, or a list or a dictionary of them.
    """
    graph = functional(model)  # A sequential model has no `output` itself.
    if isinstance(graph.output, dict):
        return tuple(sorted(graph.output))
    return tuple(graph.output_names)


def carried(model: keras.Model, copy: keras.Model) -> keras.Model:
    """A copy of a model, compiled as the model is.

    Args:
        model: The original.
        copy: Of the same outputs; changed in place, unless it is the model.
    """
    if copy is not model:
        found = Compilation.of(model)
        if found is not None:
            found.onto(copy)
    return copy


def check_kept(model: keras.Model) -> None:
    """Refuses a loss or a metric that no other process could read from a file.

    Args:
        model: Compiled or not.

    Raises:
        InputError: naming what has to be registered.
    """
    if not model.compiled:
        return
    try:
        config = model.get_compile_config() or {}
        for part in ("loss", "metrics", "weighted_metrics"):
            keras.saving.deserialize_keras_object(config.get(part), safe_mode=True)
    except Exception as error:  # Keras raises what its parts raise.
        raise InputError(
            f"What {model.name!r} is compiled with cannot be read from a file: "
            f"{reason_of(error)} Register your losses and metrics with "
            "@keras.saving.register_keras_serializable()."
        ) from error


def check_read(model: keras.Model, path: str | Path) -> None:
    """Refuses a model that was compiled with a loss which this process does not know.

    It would be taken for a model of another task.

    Args:
        model: As it was read.
        path: Its `.keras` file.

    Raises:
        InputError: naming what has to be registered.
    """
    if model.compiled:
        return
    with zipfile.ZipFile(path) as file:
        config = json.loads(file.read("config.json"))
    loss = (config.get("compile_config") or {}).get("loss")
    if loss:
        name = loss.get("config") if isinstance(loss, dict) else loss
        named = name if isinstance(name, str) else reprlib.repr(loss)
        raise InputError(
            f"{path} was trained by a loss that is not known here, {named}. Import "
            "what registers it with @keras.saving.register_keras_serializable(), or "
            "say another task (--task, task=)."
        )


def _by_output(what: str, given: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """One entry for each output: by name, by place, or the same for all.

    >>> _by_output("loss", {"b": "mse"}, ("a", "b")), _by_output("loss", "mae", ("a",))
    ((None, 'mse'), ('mae',))

    Raises:
        InputError: names that no output has, or another number of entries.
    """
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise InputError(
                f"The model is compiled with a {what} for {unknown[0]!r}; its outputs "
                f"are {', '.join(names)}. Compile it with these names."
            )
        return tuple(given.get(name) for name in names)
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise InputError(
                f"The model is compiled with {len(given)} entries of {what} for "
                f"{len(names)} outputs: {', '.join(names)}. Compile it with one each."
            )
        return tuple(given)
    return (given,) * len(names)


def _metrics(given: Any, names: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
    """The metrics of each output.

    >>> _metrics(["mae", "mse"], ("a",)), _metrics([["mae"], None], ("a", "b"))
    ((('mae', 'mse'),), (('mae',), ()))
    """
    if not given:
        return ((),) * len(names)
    if len(names) == 1 and not isinstance(given, Mapping):
        return (tuple(keras.tree.flatten(given)),)
    entries = _by_output("metrics", given, names)
    return tuple(
        () if entry is None else tuple(keras.tree.flatten(entry)) for entry in entries
    )


def _settings(part: Any) -> Any:
    """What says the same of a loss, a metric or a number in every process.

    >>> _settings(keras.losses.mean_squared_error), _settings("mse"), _settings(0.5)
    ('mean_squared_error', 'mse', 0.5)

    Args:
        part: As `compile` takes it.
    """
    if part is None or isinstance(part, (str, float)):
        return part
    if isinstance(part, types.FunctionType):  # Of a lambda Keras gives its code.
        return part.__name__
    try:
        config = keras.saving.serialize_keras_object(part)["config"]
        return [type(part).__name__, json.dumps(config, sort_keys=True)]
    except Exception:  # Keras raises what its parts raise.
        return type(part).__name__
