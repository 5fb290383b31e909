"""What tests of trained networks share: models at their weights, and readings."""

import functools

import keras
import numpy as np

import ns_tf
from ns_tf.data.dataset import Dataset
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.scoring import Proxy, ScoredNetwork
from ns_tf.prune.settings import PRUNERS
from ns_tf.train import training
from ns_tf.train.config import TrainConfig

TUNING = FinetuneConfig(finetune_epochs=1, finetune_batch=16)


class Unregistered(keras.layers.Layer):
    """A layer that is not seen through, and that no file gives back."""

    def call(self, x, training=False):
        return x * 1.0 if training else x


def noise_images(rng, shape=(6, 7, 3), count=71, classes=5) -> Dataset:
    """Noise images [count, *shape], with labels at random."""
    images = rng.uniform(size=(count, *shape)).astype("float32")
    labels = rng.integers(0, classes, count).astype(np.int32)
    return ns_tf.from_arrays((images, labels), classes=classes)


def scored(
    model: keras.Model,
    dataset: Dataset,
    *,
    graph: ChannelGraph | None = None,
    batch: int = 16,
    images: int = 1000,
) -> ScoredNetwork:
    """The model as signals read it, all of its channels asked for that can go."""
    graph = graph or channel_graph(model)
    loss = tasks.get("classification").loss(model)
    proxy = Proxy.of(dataset, images=images, batch=batch, seed=3)
    return ScoredNetwork(model, graph, loss, proxy, ~graph.frozen)


def pruner(model: keras.Model, dataset: Dataset, grid=None, law=None, **asked):
    """The model's pruner; `asked` are budgets, `keep`, fields of `CutConfig`."""
    keep = asked.pop("keep", ())
    names = CutConfig.__dataclass_fields__
    options = {n: asked.pop(n) for n in list(asked) if n in names}
    config = CutConfig(**{"proxy_batch": 16, "proxy_images": 48, **options})
    problem = _problem(model, dataset, keep)
    widths = problem.architecture.widths
    kind = PRUNERS[config.level]
    asked |= {"nonzero": config.nonzero} if config.nonzero else {}
    budgets = kind.budgets_for(asked, problem.structure, widths)
    return kind(model, problem, config, budgets, grid=grid, law=law)


@functools.lru_cache(maxsize=8)
def _problem(model, dataset, keep) -> Problem:
    """The problem of a model, analysed once."""
    return Problem.of(from_model(model, keep=keep), dataset)


def deep(blocks=3):
    """Blocks of 5, 7 and 11 filters between additions to 6 channels."""
    layers = keras.layers
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(6, 3, strides=2, padding="same", name="stem")(image)
    for i, width in enumerate((5, 7, 11)[:blocks], 1):
        y = layers.Conv2D(width, 3, padding="same", name=f"a{i}")(x)
        y = layers.ReLU()(layers.BatchNormalization(name=f"norm{i}")(y))
        y = layers.Conv2D(6, 3, padding="same", name=f"b{i}")(y)
        x = layers.Add(name=f"add{i}")([x, y])
    x = layers.GlobalAveragePooling2D(name="average")(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="deep")


@functools.cache
def digits() -> Dataset:
    """The embedded digits of 8 x 8, 500 of them to train on."""
    whole = ns_tf.dataset("digits", image_size=8)
    parts = [(s.images, s.labels) for s in (whole.validation, whole.test)]
    train = whole.train.images[:500], whole.train.labels[:500]
    return ns_tf.from_arrays(train, validation=parts[0], test=parts[1])


@functools.cache
def learned() -> tuple[keras.Model, Problem]:
    """(a network that has learned the digits, to some 80 %, its problem); read only."""
    from notebooks import mine

    problem = Problem.of(from_model(mine((12, 16, 16))), digits())
    recipe = TrainConfig(epochs=6, batch=25, rate=0.1, momentum=0.9, schedule="cosine")
    result = training.train(problem, problem.build, recipe, Runtime())
    return result.model, problem


@functools.cache
def fresh() -> tuple[keras.Model, Problem]:
    """(a network of two layers that has learned nothing, its problem); read only.

    For what does not ask how good a network is: it is compiled sooner.
    """
    from notebooks import mine

    keras.utils.set_random_seed(0)
    model = mine((7, 11))
    return model, Problem.of(from_model(model), digits())


def walked(work, saved_at: int | None = None):
    """Takes a stepper to its end; its state after one of the steps, if asked for."""
    saved = None
    for batch in work.batches():
        if work.finished:
            break
        work.step(*batch)
        if work.steps == saved_at:
            saved = work.state()
    return saved


def learned_with(name: str, strength: float):
    """Gates that have learned the digits in 80 steps of 25 images: the stepper."""
    work = _learning(name)
    work.restore(*_begun(name))
    work.strength = strength
    walked(work)
    return work


@functools.cache
def _learning(name: str):
    """The training of a gating, compiled once."""
    model, problem = learned()
    asked = {"gate_epochs": 4, "gate_batch": 25, "macs": 0.5, "strength": 0}
    return pruner(model, problem.dataset, method=name, **asked).scorer.learning(
        Runtime()
    )


@functools.cache
def _begun(name: str):
    """Its state before the first step."""
    return _learning(name).state()
