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
    """A network as a function of its widths, the data that it learns, the task."""

    structure: Structure  # The architecture at this data's shapes; its costs.
    dataset: Dataset  # As the network takes it.
    task: Task

    @classmethod
    def of(
        cls, architecture: Architecture, dataset: Dataset, task: Task | None = None
    ) -> "Problem":
        """The problem of learning a data set with networks of an architecture.

        Args:
            architecture: The network.
            dataset: Its images decide the network's input, its classes the output.
            task: What labels mean; classification if None.

        Raises:
            InputError: the network cannot be made for such images, or the labels are
                none of the task.
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
        """The network of these widths with fresh weights; default widths if None."""
        return self.structure.build(widths)
