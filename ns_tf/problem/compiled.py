"""Losses by example and metrics as sums, of what a model was compiled with.

Keras's losses are means over a batch, and its metrics are states that batches update.
Pruning needs the loss of every example, and a split's score needs sums over batches.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.compilation import CROSSENTROPY, Compilation
from ns_tf.problem.places import counted, mask_of
from ns_tf.problem.score import Score
from ns_tf.registry import unknown

LOSS = "loss"  # The name of the loss among the metrics.
_ACCURACY = ("accuracy", "acc")


@dataclasses.dataclass(frozen=True, eq=False)
class OutputLoss:
    """The loss of one output, by example.

    Args:
        given: As `compile` takes it.
        weight: Its factor in the model's loss.
    """

    given: Any
    weight: float

    def __call__(self, targets: Any, outputs: Any, weights: Any = None) -> Any:
        """Weight times loss, [batch].

        The loss of an example is the mean over its places, so the mean over examples is
        Keras's. Places that layers mask (`mask_zero`), or the loss (`ignore_class`),
        count nothing. A loss of reduction "sum" is the sum over the places.

        Args:
            targets: [batch, ...].
            outputs: [batch, ...].
            weights: Of the examples for this output, [batch]; None for 1.

        Raises:
            InputError: the loss has not one value for each example.
        """
        loss = _loss(self.given, targets, outputs)
        mask = mask_of(outputs)
        outputs, targets = (keras.ops.cast(x, loss.dtype) for x in (outputs, targets))
        losses = loss.call(targets, outputs)
        if not len(losses.shape):
            raise InputError(
                f"The compiled loss {loss.name!r} gives one number for a batch; scores "
                "need one for each example. Return losses [batch, ...], as "
                "keras.losses.Loss.call does."
            )
        axes = tuple(range(1, len(losses.shape)))
        # A loss may mask places as well.
        places = counted(losses, mask) * counted(losses, mask_of(losses))
        total = keras.ops.sum(losses * places, axis=axes)
        if loss.reduction != "sum":
            total = total / keras.ops.maximum(keras.ops.sum(places, axis=axes), 1)
        if weights is not None:
            total = total * keras.ops.cast(weights, total.dtype)
        return self.weight * total


class FunctionLoss(keras.losses.Loss):
    """A function (targets, outputs) -> losses [batch, ...] as a loss.

    Args:
        function: As `compile` takes it.
    """

    def __init__(self, function: Any):
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses [batch, ...], of targets and outputs of the same rank as Keras has it.

        An axis of length 1 that one of the two lacks at its end is added.
        """
        y_true, y_pred = same_rank(y_true, y_pred)
        return self.function(y_true, y_pred)


def same_rank(targets: Any, outputs: Any) -> tuple[Any, Any]:
    """Targets and outputs with a last axis of 1 added or left out, where it differs.

    Keras does so before it calls a function: targets [batch] of outputs [batch, 1]
    become [batch, 1].

    Args:
        targets: [batch, ...].
        outputs: [batch, ...].
    """
    more = len(outputs.shape) - len(targets.shape)
    if more == 1 and outputs.shape[-1] == 1:
        if len(targets.shape) == 1:
            return keras.ops.expand_dims(targets, -1), outputs
        return targets, keras.ops.squeeze(outputs, -1)
    if more == -1 and targets.shape[-1] == 1:
        if len(outputs.shape) == 1:
            return targets, keras.ops.expand_dims(outputs, -1)
        return keras.ops.squeeze(targets, -1), outputs
    return targets, outputs


def _loss(given: Any, targets: Any, outputs: Any) -> keras.losses.Loss:
    """The loss object of what `compile` takes."""
    if str(given).lower() in CROSSENTROPY:
        given = f"{_kind(targets, outputs)}_crossentropy"
    found = keras.losses.get(given)
    return found if isinstance(found, keras.losses.Loss) else FunctionLoss(found)


def _kind(targets: Any, outputs: Any) -> str:
    """Which crossentropy and which accuracy Keras takes for such shapes."""
    if outputs.shape[-1] == 1:
        return "binary"
    fewer = len(targets.shape) < len(outputs.shape)
    return "sparse_categorical" if fewer or targets.shape[-1] == 1 else "categorical"


@dataclasses.dataclass(frozen=True, eq=False)
class OutputMetric:
    """A compiled metric of one output, as sums.

    The states of Keras's metrics are sums over examples, which begin at 0: hits and
    examples of an accuracy, the table of a mean IoU, hits by threshold of an AUC. So
    the state of a split is the sum of the states of its batches.

    Args:
        name: As `evaluate` reports it.
        place: Of its output.
        metric: Keras's object, built.
    """

    name: str
    place: int
    metric: keras.metrics.Metric

    @classmethod
    def of(
        cls, name: str, place: int, given: Any, targets: Any, outputs: Any
    ) -> "OutputMetric":
        """The metric of what `compile` takes, in a state of its own.

        Args:
            name: As `evaluate` reports it.
            place: Of its output.
            given: A name, a function or a metric.
            targets: Some examples of its output, [batch, ...].
            outputs: Outputs of that shape, [batch, ...].
        """
        if str(given).lower() in _ACCURACY:
            given = f"{_kind(targets, outputs)}_accuracy"
        found = keras.metrics.get(given)
        if isinstance(found, keras.metrics.Metric):
            metric = type(found).from_config(found.get_config())
        else:
            metric = keras.metrics.MeanMetricWrapper(found, name=name)
        metric.update_state(targets, outputs)  # Some make their state of the shapes.
        metric.reset_state()
        return cls(name, place, metric)

    @property
    def mode(self) -> str | None:
        """ "max" if higher values are better, "min" if lower ones; None if unknown."""
        # What Keras's own ModelCheckpoint(mode="auto") reads.
        direction = getattr(self.metric, "_direction", None)
        return {"up": "max", "down": "min"}.get(direction)

    def state(self, targets: Any, outputs: Any) -> Any:
        """The state after one batch, float64 [entries].

        Args:
            targets: [batch, ...].
            outputs: [batch, ...].
        """
        zeros = [keras.ops.zeros(v.shape, v.dtype) for v in self.metric.variables]
        state = self.metric.stateless_update_state(zeros, targets, outputs)
        flat = [keras.ops.reshape(keras.ops.cast(v, "float64"), (-1,)) for v in state]
        return keras.ops.concatenate(flat)

    def value(self, state: np.ndarray) -> float:
        """The metric of a state; the mean of one that has several values.

        Args:
            state: [entries], as of `state`, summed over batches.
        """
        own = self.metric.variables
        sizes = [int(np.prod(v.shape, dtype=int)) for v in own]
        flat = np.split(np.asarray(state, float), np.cumsum(sizes)[:-1])
        variables = [
            keras.ops.cast(np.reshape(part, v.shape), v.dtype)
            for part, v in zip(flat, own, strict=True)
        ]
        return float(np.mean(self.metric.stateless_result(variables)))

    def check(self, targets: Any, outputs: Any) -> None:
        """Refuses a metric whose state is no sum over examples.

        Args:
            targets: Two examples or more, [batch, ...].
            outputs: [batch, ...].

        Raises:
            InputError: it is not: the largest error, for instance.
        """
        whole = np.asarray(self.state(targets, outputs))
        halves = (slice(None, 1), slice(1, None))
        sums = sum(np.asarray(self.state(targets[h], outputs[h])) for h in halves)
        zero = not any(np.any(v) for v in self.metric.variables)
        if not zero or not np.allclose(whole, sums, rtol=1e-4, atol=1e-6):
            raise InputError(
                f"The compiled metric {self.name!r} is no function of sums over "
                "examples, so no score of a whole split. Name another one: "
                "--task=\"compiled(metric='loss')\"."
            )


def metrics_of(
    found: Compilation, targets: Sequence[Any], outputs: Sequence[Any]
) -> list[OutputMetric]:
    """All metrics of a compiled model, called as `evaluate` calls them.

    Args:
        found: What the model was compiled with.
        targets: Some examples of each output.
        outputs: Outputs of those shapes.
    """
    several = len(found.names) > 1
    return [
        OutputMetric.of(
            f"{name}_{_name(given)}" if several else _name(given),
            place,
            given,
            targets[place],
            outputs[place],
        )
        for place, name in enumerate(found.names)
        for given in found.metrics[place]
    ]


def _name(given: Any) -> str:
    """What Keras calls a metric."""
    if isinstance(given, str):
        return given
    return getattr(given, "name", None) or getattr(given, "__name__", "metric")


def chosen(
    metrics: Sequence[OutputMetric], name: str | None = None
) -> OutputMetric | None:
    """The metric that is the score; None if the loss is.

    Args:
        metrics: All there are.
        name: Of the one that is asked for; None for the first of which it is known
            whether higher values are better.

    Raises:
        InputError: there is no metric of that name.
    """
    if name == LOSS:
        return None
    if name is None:
        return next((one for one in metrics if one.mode), None)
    known = {one.name: one for one in metrics}
    if name not in known:
        raise unknown("compiled metric", name, [*known, LOSS])
    return known[name]


def score_as(name: str, mode: str) -> Score:
    """How a metric is shown as a score of which more is better.

    >>> score_as("b_accuracy", "max").text(0.5), score_as("mae", "min").name
    ('50.00 %', 'neg_mae')

    Args:
        name: Of the metric.
        mode: "max", or "min" where lower values are better.
    """
    if mode == "max" and name.endswith(_ACCURACY):
        return Score(name, unit="%", scale=100.0)
    return Score(name if mode == "max" else f"neg_{name}", "", 1.0, digits=4)
