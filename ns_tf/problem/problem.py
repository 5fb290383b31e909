"""Which network, on which data, for which task: one value for all that follows."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras

from ns_tf.base import Architecture
from ns_tf.data.dataset import Dataset, for_network
from ns_tf.networks import from_model
from ns_tf.networks.structure import Structure, analyse, shapes_only
from ns_tf.problem.alignment import aligned
from ns_tf.problem.choice import outputs_of, task_of
from ns_tf.problem.tasks import Task
from ns_tf.problem.weighted import Weighted


@dataclasses.dataclass(frozen=True)
class Problem:
    """A network as a function of its widths, the data that it learns, the task.

    Made by `Problem.of`, which checks that the three go together.

    Args:
        structure: The architecture at the shapes of the data, with its costs.
        dataset: With inputs as the network takes them, targets as the task does.
        task: What targets mean; `Weighted`, if examples have weights.
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
                output. Of a model of the user's, the lengths of axes that it leaves
                open.
            task: What targets mean; chosen by network and targets if None.

        Returns:
            The problem. If the network scales pixels itself, its data set leaves them
            as they are.

        Raises:
            InputError: the network cannot be made for such inputs, or the targets are
                not those of the task.
        """
        if isinstance(task, Weighted):  # Of a problem that was made before.
            task = task.task
        dataset = aligned(dataset, architecture.source)
        architecture = from_model.at_shape(architecture, dataset.image_shape)
        source = architecture.source
        task = (task or task_of(dataset, source)).bound(source, dataset)
        dataset = task.prepared(dataset, outputs_of(source))
        task.check(dataset)
        if source is None and dataset.train.labels.ndim > 1:
            model = shapes_only(
                architecture.build,
                input_shape=dataset.image_shape,
                classes=dataset.classes,
            )
            task.prepared(dataset, outputs_of(model))  # Refuses other outputs.
        structure = analyse(architecture, dataset.image_shape, dataset.classes)
        dataset = for_network(dataset, structure.scales_pixels)
        weighted = dataset.train.weights is not None
        return cls(structure, dataset, Weighted(task) if weighted else task)

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

    def loaded(self, path: str | Path) -> keras.Model:
        """A trained network of a file, as users get it.

        Compiled with the loss that chose the task, which no file may give: one that is
        not registered.

        Args:
            path: Of the file.
        """
        model = from_model.loaded(path)
        return model if model.compiled else self.task.finished(model)
