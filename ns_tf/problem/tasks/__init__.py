"""What a network is for: one file a task.

A task says what targets mean: how outputs are compared with them, how good a network
is, and what an exported file answers::

    @task("classification", help="One class an image.")
    class Classification(Task):
        score = Score("accuracy", unit="%", scale=100.0)

        def loss(self, model):
            ...

Losses and counts are written in `keras.ops`, so that they hold on every Keras backend.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.data.dataset import Dataset
from ns_tf.registry import Registry

TASKS = Registry("task", __name__)


@dataclasses.dataclass(frozen=True)
class Score:
    """The number that says how good a network is; higher is better.

    Args:
        name: In files and tables, as "accuracy".
        unit: Of the number as it is shown, as "%".
        scale: Factor from the number in files to the number that is shown.
    """

    name: str
    unit: str
    scale: float

    def text(self, value: float) -> str:
        """The score as it is shown.

        >>> Score("accuracy", "%", 100.0).text(0.9312)
        '93.12 %'
        """
        return f"{self.scale * value:.2f} {self.unit}"


class Task(abc.ABC):
    """What targets mean, and how outputs are compared with them.

    Register a subclass with `task`, which sets `name` and `help`. Methods that compute
    use `keras.ops` and keep no state.
    """

    name: str
    help: str
    score: Score

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

    @abc.abstractmethod
    def count(self, targets: Any, outputs: Any) -> Any:
        """What the score is made of, summed over a batch.

        Args:
            targets: [batch, ...].
            outputs: [batch, ...].

        Returns:
            Whole numbers of a fixed shape, which are added up over batches.
        """

    @abc.abstractmethod
    def score_of(self, counts: np.ndarray) -> float:
        """The score of a split, by the sum of its counts.

        Args:
            counts: As `count` returns them, summed over all batches of the split.
        """

    @abc.abstractmethod
    def answer(self, model: keras.Model) -> keras.Layer | None:
        """The layer that an export puts behind the model; None if it needs none.

        Args:
            model: As it was trained.
        """

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


def get(name: str) -> Task:
    """The task of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return TASKS.get(name)
