"""What every member of a kind has to do, with every member of the others."""

import functools

import keras
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.base import Architecture
from ns_tf.budgets import Measure
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Dataset
from ns_tf.graph import gates
from ns_tf.graph.thin import rebuild
from ns_tf.networks import architectures, structure
from ns_tf.networks.structure import Structure, shapes_only
from ns_tf.prune import criteria
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import prune_trace
from ns_tf.prune.removal import Prunable, choose

layers = keras.layers

ARCHITECTURES = architectures.ARCHITECTURES.names()
CRITERIA = criteria.CRITERIA.names()
BUDGETS = budgets.BUDGETS.names()


def tiny(widths, *, input_shape, classes):
    """image - a - BN - ReLU - b - BN - ReLU - average - logits."""
    x = image = keras.Input(input_shape, name="image")
    for name, width in zip("ab", widths, strict=True):
        x = layers.Conv2D(width, 3, strides=2, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="tiny")


TINY = Architecture("tiny", (7, 11), tiny)


@functools.cache
def analyse(name: str) -> Structure:
    if name == "tiny":
        return structure.analyse(TINY, (11, 13, 3), 3)
    return structure.analyse(architectures.get(name), (32, 32, 3), 3)


# Every architecture x criterion x budget.


@pytest.mark.parametrize("name", [*ARCHITECTURES, "tiny"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_counts_every_architecture(name, budget):
    member, found = budgets.get(budget), analyse(name)
    assert member.name == budget and member.unit and member.help.endswith(".")
    default = np.array(found.architecture.widths)
    if member.measured:
        cost = member.cost(found, Measure(batch=2, warmup=1, repeats=3))
        assert callable(cost)
        if name == "tiny":  # Only one is run.
            assert 0 < cost(default) < 60_000
        return
    cost = member.cost(found)
    counts = cost(np.stack([np.ones_like(default), default, 2 * default]))
    assert counts.dtype == np.int64
    assert 0 < counts[0] < counts[1] < counts[2] <= 4 * counts[1]
    assert cost.unit == member.unit


@functools.cache
def network(name: str):
    """(structure, model without values, its graph) at few filters a layer."""
    found = analyse(name)
    model = shapes_only(found.build, [5] * len(found.primary))
    return found, model, found.graph(model)


@pytest.mark.parametrize("name", [*ARCHITECTURES, "tiny"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_ranks_the_filters_of_every_architecture(name, criterion, rng):
    found, model, graph = network(name)
    member = criteria.get(criterion)
    scores = np.zeros(len(graph.owner))
    if member.reads == "kernel":
        for (layer, weight), axes in graph.axes.items():
            if weight == "kernel" and axes[-1] is not None:
                kernel = rng.normal(size=model.get_layer(layer).kernel.shape)
                np.add.at(scores, axes[-1], member.formula(kernel))
    else:
        scores = member.formula(rng.normal(size=len(scores)))
    assert scores.shape == graph.owner.shape and np.isfinite(scores).all()
    prunable, alive = Prunable.of(found, graph), np.ones(len(scores), bool)
    chosen = choose(scores, alive, prunable, count=3, scope=member.scope)
    alive[chosen] = False
    assert sum(prunable.count(alive)) == 5 * len(found.primary) - 3
    with keras.StatelessScope(initialize_variables=False):
        thin, _ = rebuild(model, graph, alive, gates.place(graph))
    for width, numbers in zip(prunable.count(alive), prunable.widths, strict=True):
        for maker in graph.groups[graph.owner[numbers[0]]].makers:
            assert thin.get_layer(maker).filters == width


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_prunes_in_training(criterion, rng):
    found = analyse("tiny")
    config = PruneConfig(
        criterion=criterion,
        pretrain_epochs=1,
        pretrain_rate=0.05,
        search_batch=8,
        steps_per_event=1,
        filters_per_event=5,
        stop_fraction=0.2,
    )
    trace = prune_trace(found, (7, 11), noise(rng), config)
    assert trace.names == ("a", "b")
    np.testing.assert_array_equal(trace.history.sum(axis=1), [13, 8, 4])
    np.testing.assert_array_equal(trace.tau, found.params(trace.widths))
    assert len(trace.widths) >= 1


def noise(rng) -> Dataset:
    images = rng.integers(0, 256, (17, 11, 13, 3)).astype(np.uint8)
    return from_arrays((images, np.arange(17) % 3), classes=3)
