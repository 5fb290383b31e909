"""Whatever a model was compiled for: its own losses, loss weights and metrics."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, refusing
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import with_targets
from ns_tf.graph.compilation import Compilation
from ns_tf.parts import brackets, each, parts
from ns_tf.problem.compiled import (
    LOSS,
    OutputLoss,
    OutputMetric,
    chosen,
    metrics_of,
    score_as,
)
from ns_tf.problem.tasks import Task, task

_TRIED = 2  # Examples on which losses and metric are tried before any work.


@task(
    "compiled",
    help="What the model was compiled with: its losses, their weights, a metric.",
)
class Compiled(Task):
    """Targets and outputs are what the compiled losses take, one or several.

    The loss of an example is the sum over the outputs of weight times loss, where the
    loss of an output is the mean over its places. The score is a compiled metric, or
    the loss. Higher scores are better: where lower values of the metric are better, the
    score is its negative and called "neg_" and its name, as scikit-learn's scorers are.

    Args:
        metric: Name of the metric, as `evaluate` reports it, or "loss". None takes the
            first one of which it is known whether higher is better, and else the loss.
        mode: "max" if higher values of the metric are better, "min" if lower; None asks
            the metric.

    Raises:
        InputError: another mode.
    """

    score = score_as(LOSS, "min")
    answers = "prediction"

    def __init__(self, metric: str | None = None, mode: str | None = None):
        if mode not in (None, "min", "max"):
            raise InputError(f"mode is 'min' or 'max'; got {mode!r}.")
        self.metric, self.mode = metric, mode
        self._metric: OutputMetric | None = None

    @property
    def outputs(self) -> int:
        """Of the model; 1 where there is none yet."""
        return len(self.compilation.names) if self.compilation else 1

    def bound(self, model: keras.Model | None, dataset: Dataset) -> "Compiled":
        """The task of a compiled model; itself if it has a model already.

        Args:
            model: Compiled with a loss.
            dataset: Its targets have the order of the outputs.

        Raises:
            InputError: the model is not compiled, the targets are not those of its
                losses, or it has no such metric.
        """
        if self.compilation is not None:
            return self
        found = None if model is None else Compilation.of(model)
        if found is None:
            raise InputError(
                "The task 'compiled' needs a model that is compiled with a loss; this "
                "one is not, or its file names a loss that is not known here. Call "
                "model.compile(loss=...), and register functions and classes of your "
                "own with @keras.saving.register_keras_serializable()."
            )
        targets, outputs = _examples(model, dataset)
        made = copy.copy(self)
        made.compilation = found
        shapes = brackets(each(np.shape, dataset.train.labels))
        with refusing(
            f"{dataset.name}: the compiled losses and metrics cannot be computed for "
            f"targets {shapes}"
        ):
            made.losses(targets, outputs)
            made._metric = chosen(metrics_of(found, targets, outputs), self.metric)
        if made._metric:
            made._metric.check(*(one[made._metric.place] for one in (targets, outputs)))
            made.score = score_as(made._metric.name, self._mode(made._metric))
        return made

    def _mode(self, metric: OutputMetric) -> str:
        """Whether more or less of the metric is better.

        Raises:
            InputError: nobody says it.
        """
        mode = self.mode or metric.mode
        if mode is None:
            raise InputError(
                f"Is a higher {metric.name} better, or a lower one? Say it: "
                f"--task=\"compiled(metric='{metric.name}', mode='max')\" or 'min'."
            )
        return mode

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set as it is, of as many classes as the first output has values.

        Args:
            dataset: Any targets.
            outputs: Shape of the first output.
        """
        size = (outputs or (1,))[-1]
        if size == dataset.classes:
            return dataset
        labels = [getattr(dataset, name).labels for name in SPLITS]
        return with_targets(dataset, labels, size)

    def check(self, dataset: Dataset) -> None:
        """Passes the targets: `bound` tried the losses on them.

        Args:
            dataset: Not used.
        """

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """The weighted sum of the losses of all outputs.

        Args:
            model: Not used: what was compiled says it.

        Returns:
            (targets, outputs) -> losses [batch]. Of several outputs both are nests.
        """
        return self.losses

    def weighted_loss(self, model: keras.Model) -> Callable[[Any, Any, Any], Any]:
        """As of any task; the loss of an output is multiplied by its own weights.

        Args:
            model: Not used: what was compiled says it.
        """
        return self.losses

    def losses(self, targets: Any, outputs: Any, weights: Any = None) -> Any:
        """Losses [batch].

        Args:
            targets: [batch, ...], or a tuple of them in the order of the outputs.
            outputs: As the model gives them.
            weights: Of the examples, [batch], or a tuple of such by output; None for 1.
        """
        found = self.compilation
        if not isinstance(weights, tuple):
            weights = (weights,) * len(found.losses)
        by_output = zip(
            map(OutputLoss, found.losses, found.weights),
            keras.tree.flatten(targets),
            keras.tree.flatten(outputs),
            weights,
            strict=True,
        )
        return sum(
            loss(target, output, own)
            for loss, target, output, own in by_output
            if loss.given is not None
        )

    def count(self, targets: Any, answers: Any) -> Any:
        """float64: the state of the metric; or the sum of the losses, and examples.

        Args:
            targets: As of `losses`.
            answers: Outputs of the model, or of a file.
        """
        if self._metric is not None:
            place = self._metric.place
            own = (keras.tree.flatten(nest)[place] for nest in (targets, answers))
            return self._metric.state(*own)
        losses = keras.ops.cast(self.losses(targets, answers), "float64")
        number = keras.ops.sum(keras.ops.ones_like(losses))
        return keras.ops.stack([keras.ops.sum(losses), number])

    def score_of(self, counts: np.ndarray) -> float:
        """The metric, or its negative where less is better.

        Args:
            counts: As of `count`.
        """
        if self._metric is None:
            return -float(counts[0]) / float(counts[1])
        sign = 1 if self._mode(self._metric) == "max" else -1
        return sign * self._metric.value(counts)

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """None: outputs are the answer.

        Args:
            model: Not used.
        """
        return None

    def agreement(self, answers: Any, expected: Any, slack: float) -> float:
        """Share of the examples whose answers are the same, in all outputs.

        Args:
            answers: [n, ...] of a file, or a list of them.
            expected: Of the Keras model.
            slack: Difference that is rounding.
        """
        pairs = zip(
            keras.tree.flatten(answers), keras.tree.flatten(expected), strict=True
        )
        return min(super(Compiled, self).agreement(a, b, slack) for a, b in pairs)

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """The prediction [batch, ...]; of several outputs one each, by name.

        Args:
            outputs: [batch, ...], or a nest of them.
            class_names: Not used.
        """
        names = (
            self.compilation.names
            if len(self.compilation.names) > 1
            else (self.answers,)
        )
        return dict(zip(names, keras.tree.flatten(outputs), strict=True))


def _examples(
    model: keras.Model, dataset: Dataset
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """(targets of some examples, by output; outputs of their shapes).

    Raises:
        InputError: there are not as many targets as outputs.
    """
    targets = tuple(one[:_TRIED] for one in parts(dataset.train.labels))
    if len(targets) != len(model.outputs):
        raise InputError(
            f"{model.name!r} has {len(model.outputs)} outputs and {dataset.name} "
            f"{len(targets)} arrays of targets; give one for each output."
        )
    outputs = tuple(
        np.full((len(one), *(n or 1 for n in tensor.shape[1:])), 0.5, np.float32)
        for one, tensor in zip(targets, model.outputs, strict=True)
    )
    return targets, outputs
