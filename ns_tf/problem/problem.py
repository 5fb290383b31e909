"""Which network, on which data, for which task: one value for all that follows."""

import dataclasses
from collections.abc import Sequence

import keras

from ns_tf.base import Architecture
from ns_tf.data.dataset import Dataset, for_network
from ns_tf.networks.structure import Structure, analyse
from ns_tf.problem import tasks
from ns_tf.problem.tasks import Task


@dataclasses.dataclass(frozen=True)
class Problem:
    """A network as a function of its widths, the data that it learns, the task.

    Made by `Problem.of`, which checks that the three go together.

    Args:
        structure: The architecture at the shapes of the data, with its costs.
        dataset: With pixels as the network takes them.
        task: What targets mean.
    """

    structure: Structure
    dataset: Dataset
    task: Task

    @classmethod
    def of(
        cls, architecture: Architecture, dataset: Dataset, task: Task | None = None
    ) -> "Problem":
        """The problem of learning a data set with networks of an architecture.

        Args:
            architecture: The network as a function of its widths.
            dataset: Its image shape decides the network's input, its classes the
                output.
            task: What labels mean; classification if None.

        Returns:
            The problem. If the network scales pixels itself, its data set leaves them
            as they are.

        Raises:
            InputError: the network cannot be made for such images, or the labels are
                not those of the task.
        """
        task = task or tasks.get("classification")
        task.check(dataset)
        structure = analyse(architecture, dataset.image_shape, dataset.classes)
        dataset = for_network(dataset, structure.scales_pixels)
        return cls(structure, dataset, task)

    @property
    def architecture(self) -> Architecture:
        """The network as a function of its widths."""
        return self.structure.architecture

    def build(self, widths: Sequence[int] | None = None) -> keras.Model:
        """The network of these widths with fresh weights.

        Args:
            widths: [layers]; the architecture's default widths if None.

        Raises:
            InputError: the widths do not fit the architecture.
        """
        return self.structure.build(widths)
