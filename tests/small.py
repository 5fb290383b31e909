"""Small data sets, networks and settings that tests of training and pruning share."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from ns_tf.base import Architecture
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Dataset
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import blocks
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.network import PrunableNetwork
from ns_tf.run.progress import Bar
from ns_tf.run.watch import Watch

CLASSES = 5
QUICK = PruneConfig(
    pretrain_epochs=1,
    pretrain_rate=0.05,
    search_batch=16,
    steps_per_event=2,
    filters_per_event=3,
)


def coloured(
    rng: np.random.Generator, shape: Sequence[int] = (5, 5, 3), count: int = 71
) -> Dataset:
    """Noise images [count, *shape], the brighter the higher the class."""
    labels = rng.integers(0, CLASSES, count)
    pixels = rng.uniform(0, 1, (count, *shape)) + labels[:, None, None, None]
    arrays = (pixels / CLASSES).astype(np.float32), labels.astype(np.int32)
    return from_arrays(arrays, classes=CLASSES)


def chain(widths, *, input_shape, classes):
    """image - conv1 - BN - ReLU - ... - flatten - logits."""
    x = image = keras.Input(input_shape, name="image")
    for i, width in enumerate(widths, 1):
        x = keras.layers.Conv2D(width, 3, padding="same", name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(name=f"bn{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


def residual(widths, *, input_shape, classes):
    """Three widths; an identity joins the first and the third where they are equal."""
    x = image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(widths[0], 3, padding="same", name="stem")(x)
    y = keras.layers.BatchNormalization(name="bn1")(x)
    y = keras.layers.ReLU(name="relu1")(y)
    shortcut = x
    if widths[0] != widths[2]:
        shortcut = keras.layers.Conv2D(widths[2], 1, name="shortcut")(y)
    y = keras.layers.Conv2D(widths[1], 3, padding="same", name="conv1")(y)
    y = keras.layers.ReLU(name="relu2")(y)  # No batch norm: an explicit gate.
    y = keras.layers.Conv2D(widths[2], 3, padding="same", name="conv2")(y)
    x = keras.layers.Add(name="add")([y, shortcut])
    x = keras.layers.BatchNormalization(name="bn3")(x)
    x = keras.layers.ReLU(name="relu3")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


def dropped(widths, *, input_shape, classes):
    """Three convolutions, and a projection wherever the last two widths differ.

    Dropout draws random numbers, which a continued run has to go on with.
    """
    x = image = keras.Input(input_shape, name="image")
    for i, width in enumerate(widths, 1):
        before = x
        x = blocks.conv(x, width, 3, bias=False, name=f"conv{i}")
        x = blocks.batch_norm(x, name=f"bn{i}")
        if i == 3:
            if widths[1] != width:
                before = blocks.conv(before, width, 1, bias=True, name="project3")
            x = keras.layers.Add(name="add3")([x, before])
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dropout(0.1, name="dropout")(x)
    return keras.Model(image, blocks.dense(x, classes, name="logits"))


def problem(
    builder: Callable, widths: Sequence[int], dataset: Dataset | None = None
) -> Problem:
    """The problem of a builder's network; of 71 coloured images of 5 x 5 if None."""
    if dataset is None:
        dataset = coloured(np.random.default_rng(31))
    return Problem.of(Architecture(builder.__name__, tuple(widths), builder), dataset)


def data_only(dataset: Dataset) -> Problem:
    """A problem whose networks the test builds by itself."""
    return Problem(None, dataset, tasks.get("classification"))


def prunable(
    model: keras.Model,
    graph: ChannelGraph | None = None,
    *,
    execution: Execution | None = None,
    batch: int = 7,
    **settings,
) -> PrunableNetwork:
    """A network of the model, at its own weights, that trains and scores.

    Args:
        model: A classifier.
        graph: Of the model; made here if None.
        execution: What it is computed by; one device in float32 if None.
        batch: Images of a training step.
        **settings: Fields of `PruneConfig`.
    """
    execution = execution or Execution()
    graph = graph or channel_graph(model)
    seed = execution.build(lambda: model)
    loss = tasks.get("classification").loss(seed)
    config = PruneConfig(search_batch=batch, **settings)
    return PrunableNetwork(seed, graph, loss, config, execution)


def made_by(graph: ChannelGraph, name: str) -> np.ndarray:
    """Numbers of the channels that a layer makes."""
    (group,) = (group for group in graph.groups if name in group.makers)
    return group.channels


def planted(rng) -> keras.Model:
    """image - a[5] - BN - ReLU - b[7] - BN - ReLU - average - logits.

    Of the channels of a, 0 is read by nobody, 1 is dead, 2 is constant; 3 and 4 are
    ordinary.
    """
    image = keras.Input((6, 7, 3), name="image")
    x = image
    for name, filters in (("a", 5), ("b", 7)):
        x = keras.layers.Conv2D(filters, 3, name=name)(x)
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    kernel = rng.normal(size=(3, 3, 5, 7))
    kernel[:, :, 0] = 0
    model.get_layer("b").kernel.assign(kernel)
    model.get_layer("a_bn").gamma.assign([1.1, 0, 0, 0.9, -0.8])
    model.get_layer("a_bn").beta.assign([0.3, 0, 0.7, 0.2, 0.4])
    model.get_layer("b_bn").beta.assign(rng.uniform(0.2, 0.5, 7))
    return model


def batches(rng, count, *, classes=2):
    """Batches of 7 noise images [6, 7, 3] and classes."""
    for _ in range(count):
        yield (
            rng.normal(size=(7, 6, 7, 3)).astype("float32"),
            rng.integers(0, classes, 7).astype("int32"),
        )


# What ends work before its time.


class Ended(BaseException):
    """Stands for the end of the process."""


class StopAt:
    """A stop that is requested at the k-th time that it is asked."""

    def __init__(self, k: int):
        self.left = k

    @property
    def requested(self) -> bool:
        self.left -= 1
        return self.left <= 0

    def ask(self) -> None:
        pass

    def leave(self) -> None:
        if self.left <= 0:
            raise Ended


class KilledAt(Bar):
    """A meter, and its bar, that ends the process at the k-th step."""

    def __init__(self, k: int):
        self.left = k

    def bar(self, total, *, label, unit, initial=0):
        return self

    def update(self, n=1, **values):
        self.left -= 1
        if self.left == 0:
            raise Ended


class Recorder(Bar):
    """A meter, and its bar, that keeps what it is told."""

    def __init__(self):
        self.bars: list[dict] = []
        self.updates: list[dict] = []

    def bar(self, total, **options):
        self.bars.append({"total": total, **options})
        return self

    def update(self, n=1, **values):
        self.updates.append({"n": n, **values})


def kept_at(folder, **options) -> Runtime:
    """A runtime that keeps its checkpoints in a folder, one a step."""
    return Runtime(watch=Watch(folder=folder, seconds=0.0, **options))


def replaced(config, **changes):
    """The settings with some of them changed."""
    return dataclasses.replace(config, **changes)
