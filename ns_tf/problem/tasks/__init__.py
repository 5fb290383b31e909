"""What a network is for: one file a task.

A task says what targets mean: how outputs are compared with them, how good a network
is, and what an exported file answers. `ns_tf.problem.choice` chooses one from network
and data::

    @task("classification", help="One class an example.")
    class Classification(Task):
        score = Score("accuracy", unit="%", scale=100.0)

        def loss(self, model):
            ...

Losses and counts are written in `keras.ops`, so that they hold on every Keras backend.
"""

import abc
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.data.dataset import Dataset
from ns_tf.graph.compilation import Compilation
from ns_tf.problem.score import Score
from ns_tf.registry import Registry, parse_call, unknown

TASKS = Registry("task", __name__)


class Task(abc.ABC):
    """What targets mean, and how outputs are compared with them.

    Register a subclass with `task`, which sets `name` and `help`. Methods that compute
    use `keras.ops` and keep no state.
    """

    name: str
    help: str
    score: Score
    # What an exported file calls its answer.
    answers: str = "probabilities"
    # Whether the values of an output are classes of which one holds, as far as known.
    one_holds: bool = True
    # What a model was compiled with, where that chose the task.
    compilation: Compilation | None = None

    @property
    def told(self) -> str:
        """The task as a message has it."""
        return self.name

    def bound(self, model: keras.Model | None, dataset: Dataset) -> "Task":
        """The task of one model and its data, where they decide what it is.

        Args:
            model: As the user has it; None for an architecture.
            dataset: With the targets in the order of the model's outputs.

        Returns:
            The task itself where any model will do.

        Raises:
            InputError: it is no task of this model.
        """
        return self

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with targets as the other methods take them.

        Args:
            dataset: With targets as they were given.
            outputs: Shape of the network's outputs for an example; None if it follows
                from the data.

        Returns:
            Its `classes` is the size of the outputs' last axis. The data set itself
            where nothing has to change.

        Raises:
            InputError: the targets do not go with such outputs.
        """
        return dataset

    @abc.abstractmethod
    def check(self, dataset: Dataset) -> None:
        """Refuses a data set whose targets are not this task's.

        Args:
            dataset: All of its splits are checked.

        Raises:
            InputError: says which split, what was expected, and what it has.
        """

    @abc.abstractmethod
    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """The loss of this model.

        Args:
            model: Its last layers say what its outputs are, as logits or probabilities.

        Returns:
            (targets [batch, ...], outputs [batch, ...]) -> losses [batch].
        """

    def weighted_loss(self, model: keras.Model) -> Callable[[Any, Any, Any], Any]:
        """The loss of examples that have weights.

        Args:
            model: As of `loss`.

        Returns:
            (targets [batch, ...], outputs [batch, ...], weights [batch]) -> losses
            [batch]: the loss times the weight. Where outputs have weights of their own,
            these are a tuple.
        """
        loss = self.loss(model)

        def weighted(targets, outputs, weights):
            losses = loss(targets, outputs)
            return losses * keras.ops.cast(weights, losses.dtype)

        return weighted

    @abc.abstractmethod
    def count(self, targets: Any, answers: Any) -> Any:
        """What the score is made of, summed over a batch.

        Args:
            targets: [batch, ...].
            answers: [batch, ...], as an exported file gives them.

        Returns:
            Numbers of a fixed shape, which are added up over batches: whole ones, where
            the score counts something.
        """

    def counter(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """`count` for what a model puts out, as logits.

        Args:
            model: Its last layers say what its outputs are.

        Returns:
            (targets [batch, ...], outputs [batch, ...]) -> counts. `count` itself where
            logits and probabilities count alike.
        """
        return self.count

    @abc.abstractmethod
    def score_of(self, counts: np.ndarray) -> float:
        """The score of a split, by the sum of its counts.

        Args:
            counts: As `count` returns them, summed over all batches of the split.
        """

    def finished(self, model: keras.Model) -> keras.Model:
        """A network as users get it: compiled with the loss that chose the task.

        Args:
            model: Trained; may be changed in place, but for its weights.
        """
        if self.compilation is not None:
            self.compilation.onto(model)
        return model

    @abc.abstractmethod
    def answer(self, model: keras.Model) -> keras.Layer | None:
        """The layer that an export puts behind the model; None if it needs none.

        Args:
            model: As it was trained.
        """

    def agreement(
        self, answers: np.ndarray, expected: np.ndarray, slack: float
    ) -> float:
        """Share of the examples whose answers say the same.

        Args:
            answers: [n, ...] of a file.
            expected: [n, ...] of the Keras model.
            slack: Difference of an answer that is rounding; 0 if there is none.

        Returns:
            0 to 1. Here the answers themselves are compared; tasks that decide
            something compare what is decided.
        """
        differences = np.abs(answers - expected).reshape(len(expected), -1)
        return float((differences.max(axis=1) <= slack).mean())

    @abc.abstractmethod
    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """What a served model answers: tensors of a TensorFlow graph by name.

        Args:
            outputs: Of the model with its `answer`, [batch, ...].
            class_names: Of the data set, [classes].
        """


def task(name: str, *, help: str) -> Callable[[type[Task]], type[Task]]:
    """Decorator: registers a class of tasks under `name`.

    Args:
        name: Of the task.
        help: One sentence that says what targets and score are.

    Returns:
        A decorator of classes, which it returns as they are.

    Raises:
        ValueError: the name is taken.
    """

    def add(kind):
        member = kind()
        member.name, member.help = name, help
        TASKS.register(name)(member)
        return kind

    return add


def get(text: str) -> Task:
    """The task that a text names, its options set.

    >>> get("segmentation(ignore=0)").name
    'segmentation(ignore=0)'

    Args:
        text: A name, or a name with arguments of the task.

    Raises:
        InputError: there is no such task (suggests the nearest), or no such option.
    """
    name, options = parse_call(text)
    member = TASKS.get(name)
    if not options:
        return member
    known = inspect.signature(type(member)).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    made = type(member)(**options)
    made.name, made.help = text, member.help
    return made
