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
    """How good a network is, in one number; higher is better."""

    name: str  # In files and tables: "accuracy".
    unit: str  # Of the number that people read: "%".
    scale: float  # What it is multiplied by for them.

    def text(self, value: float) -> str:
        """The score as people read it.

        >>> Score("accuracy", "%", 100.0).text(0.9312)
        '93.12 %'
        """
        return f"{self.scale * value:.2f} {self.unit}"


class Task(abc.ABC):
    """What targets mean."""

    name: str  # Set by `task`.
    help: str
    score: Score

    @abc.abstractmethod
    def check(self, dataset: Dataset) -> None:
        """Passes a data set whose targets are this task's.

        Raises:
            InputError: they are not; says what was expected.
        """

    @abc.abstractmethod
    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """(targets, outputs) -> losses `[batch]` of this model's outputs."""

    @abc.abstractmethod
    def count(self, targets: Any, outputs: Any) -> Any:
        """What the score is made of, summed over a batch: whole numbers."""

    @abc.abstractmethod
    def score_of(self, counts: np.ndarray) -> float:
        """The score of a split, of the sum of its counts."""

    @abc.abstractmethod
    def answer(self, model: keras.Model) -> keras.Layer | None:
        """The layer that an export adds to the model; None if it adds none."""

    @abc.abstractmethod
    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """What a served model answers, by name: tensors of a TensorFlow graph.

        Args:
            outputs: Of the deployed model, `[batch, ...]`.
            class_names: Of the data set.
        """


def task(name: str, *, help: str) -> Callable[[type[Task]], type[Task]]:
    """Decorator: registers a class of tasks under `name`.

    Args:
        name: The task's name.
        help: One sentence.
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
