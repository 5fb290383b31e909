"""Algorithm 1 as a whole: what it records, and that it does not matter how."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from ns_tf.base import Architecture, RunError
from ns_tf.data.arrays import from_arrays
from ns_tf.engine import execution, padding
from ns_tf.engine.execution import Execution
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, count_params, shapes_only
from ns_tf.prune import iterative, rebuilding
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import prune_trace
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.rebuilding import Rebuilding

QUICK = PruneConfig(
    pretrain_epochs=1,
    pretrain_rate=0.05,
    search_batch=16,
    steps_per_event=2,
    filters_per_event=3,
)


@pytest.fixture
def images(rng):
    def make(size: int, count: int = 71):
        labels = rng.integers(0, 5, count)
        pixels = rng.uniform(0, 1, (count, size, size, 3)) + labels[:, None, None, None]
        return from_arrays(
            ((pixels / 5).astype(np.float32), labels.astype(np.int32)), classes=5
        )

    return make


@pytest.fixture
def rebuilds(monkeypatch):
    """A list that grows by the channels of each network that pruning rebuilds."""
    seen = []
    compact = PrunableNetwork.compact

    def counted(self, keep):
        compact(self, keep)
        seen.append(int(self.present.sum()))

    monkeypatch.setattr(PrunableNetwork, "compact", counted)
    return seen


def chain(widths, *, input_shape, classes):
    """Three convolutions: the smallest network with something to prune."""
    x = image = keras.Input(input_shape, name="image")
    for i, width in enumerate(widths, 1):
        x = keras.layers.Conv2D(width, 3, padding="same", name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(name=f"bn{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))


def residual(widths, *, input_shape, classes):
    """Widths 1 and 3 are joined by an identity where they agree."""
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


def small(builder, widths):
    architecture = Architecture(builder.__name__, widths, builder)
    return analyse(architecture, (5, 5, 3), 5)


def vgg11():
    return analyse(architectures.get("vgg11"), (32, 32, 3), 5)


@pytest.mark.parametrize(
    "found, widths, config, rebuild",
    [
        (small(chain, (13, 11, 17)), (13, 11, 17), QUICK, "always"),
        (small(residual, (13, 11, 13)), (13, 11, 13), QUICK, "always"),
        (small(residual, (13, 11, 13)), (13, 11, 13), QUICK, "pays"),
        (
            vgg11(),
            (5, 7, 11, 13, 17, 11, 13, 7),
            dataclasses.replace(QUICK, stop_fraction=0.28),
            "pays",
        ),
    ],
    ids=["chain", "residual", "residual at even widths", "vgg11 at even widths"],
)
def test_masked_and_thinned_networks_leave_the_same_trace(
    found, widths, config, rebuild, images, float64, rebuilds, monkeypatch
):
    monkeypatch.setattr(rebuilding, "REBUILD_SECONDS", 1e-5)
    monkeypatch.setattr(padding, "MULTIPLES", ((3, 2),))
    dataset = images(found.input_shape[0])
    masked, thinned = (
        prune_trace(found, widths, dataset, dataclasses.replace(config, rebuild=way))
        for way in ("never", rebuild)
    )
    assert len(rebuilds) >= 2
    if found.architecture.name == "vgg11":
        assert len(masked.history) >= 20
    np.testing.assert_array_equal(masked.history, thinned.history)
    np.testing.assert_array_equal(masked.widths, thinned.widths)
    np.testing.assert_array_equal(masked.tau, thinned.tau)


def test_one_and_two_replicas_leave_the_same_trace(images, float64):
    found = small(residual, (13, 11, 13))
    dataset = images(5)
    config = dataclasses.replace(QUICK, rebuild="always", stop_fraction=0.6)
    mirrored = Execution(execution.strategy("mirrored"))
    assert mirrored.replicas == 2
    one, two = (
        prune_trace(found, (13, 11, 13), dataset, config, execution=way)
        for way in (Execution(), mirrored)
    )
    np.testing.assert_array_equal(one.history, two.history)


def test_a_rebuild_keeps_closed_channels_up_to_a_fast_width(images):
    found, widths = small(residual, (43, 37, 43)), (43, 37, 43)
    run = iterative._Run(found, widths, images(5), QUICK, 0, None)
    pruned, channels = run.network, run.prunable.widths
    pruned.close(np.concatenate([channels[0][:1], channels[1][:6], channels[2][:2]]))
    keep = pruned.fast()
    assert keep[pruned.alive].all()
    # 42 -> 43, as there are no more; 31 -> 32, a multiple of 4; 41 -> 43.
    assert run.prunable.count(keep) == (43, 32, 43)
    pruned.compact(keep)
    pruned.close(channels[0][20:29])
    assert run.prunable.count(pruned.fast()) == (40, 32, 43)  # 33, of 8.
    pruned.close(channels[0][5:14])
    assert run.prunable.count(pruned.fast()) == (24, 32, 43)  # 24.
    pruned.close(channels[0][14:20])
    assert run.prunable.count(pruned.fast()) == (20, 32, 43)  # 18, of 4.
    pruned.close(channels[0][30:41])
    assert run.prunable.count(pruned.fast()) == (7, 32, 43)  # Too few to matter.


@pytest.mark.parametrize(
    "rebuild, seconds, least, most",
    [("never", 0, 0, 0), ("always", 1, 10, 10), ("pays", 1, 0, 0), ("pays", 0, 10, 10)],
)
def test_rebuilds_are_as_many_as_asked_for(
    images, rebuilds, monkeypatch, rebuild, seconds, least, most
):
    monkeypatch.setattr(rebuilding, "REBUILD_SECONDS", seconds)
    monkeypatch.setattr(padding, "MULTIPLES", ())
    config = dataclasses.replace(QUICK, rebuild=rebuild, stop_fraction=0.2)
    trace = prune_trace(small(chain, (13, 11, 17)), (13, 11, 17), images(5), config)
    assert len(trace.history) == 11
    # The last removal is followed by no training.
    assert least <= len(rebuilds) <= most
    assert rebuilds == sorted(rebuilds, reverse=True)


def test_rebuilding_when_it_pays_costs_little_more_than_the_best_schedule(rng):
    """Against the best of all schedules, in plain NumPy, of a network that shrinks."""
    events, cost = 60, 7.0
    size = np.sort(rng.uniform(0, 5, events))[::-1]

    def price(rebuilt):
        total, built = 0.0, size[0]
        for now, here in zip(size, rebuilt, strict=True):
            if here:
                total, built = total + cost, now
            total += built
        return total

    best = np.full(events + 1, np.inf)  # [i]: cheapest with a rebuild at event i.
    best[0] = 0.0
    for i in range(1, events + 1):
        best[i] = min(best[j] + size[j] * (i - j) + cost for j in range(i))
    clock, built, rebuilt = Rebuilding("pays", cost), size[0], []
    for i, now in enumerate(size):
        rebuilt.append(clock.due(built - now, events - i))
        built = now if rebuilt[-1] else built
    assert price(rebuilt) <= 1.1 * (best[events] - cost)
    assert price(rebuilt) < price([False] * events)


def test_the_trace_begins_when_every_layer_has_lost_a_filter_and_tau_is_built(images):
    found = small(chain, (13, 11, 17))
    trace = prune_trace(found, (13, 11, 17), images(5), QUICK)
    lost = (trace.history < [13, 11, 17]).all(axis=1)
    assert 0 < len(trace.widths) <= len(trace.history)
    np.testing.assert_array_equal(trace.widths, trace.history[lost])
    for widths, tau in zip(trace.widths[::4], trace.tau[::4], strict=True):
        built = shapes_only(found.build, [int(w) for w in widths])
        assert count_params(built) == tau
    assert trace.names == found.names


@pytest.mark.parametrize("minimum", [1, 3])
def test_layers_stop_at_the_minimum_and_the_rest_goes_on(images, minimum):
    found = small(chain, (7, 3, 17))
    config = dataclasses.replace(QUICK, prune_min_width=minimum, stop_fraction=0.0)
    trace = prune_trace(found, (7, 3, 17), images(5), config)
    assert trace.history[-1].tolist() == [minimum] * 3
    steps = -np.diff(trace.history.sum(axis=1))
    assert (steps[:-1] == 3).all()


def test_the_paper_stops_where_a_layer_would_lose_its_last_filter(images):
    found = small(chain, (7, 3, 17))
    config = dataclasses.replace(QUICK, at_min_width="stop", stop_fraction=0.0)
    trace = prune_trace(found, (7, 3, 17), images(5), config)
    assert (trace.history >= 1).all()
    assert trace.history[-1].sum() > 3


@pytest.mark.parametrize("fraction", [0.2, 0.83])
def test_pruning_stops_at_the_fraction_and_not_below(images, fraction):
    found = small(chain, (13, 11, 17))
    config = dataclasses.replace(QUICK, stop_fraction=fraction)
    trace = prune_trace(found, (13, 11, 17), images(5), config)
    assert trace.history[-1].sum() == np.ceil(fraction * 41)


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_other_criteria_prune_too_and_a_layer_criterion_thins_alike(images, criterion):
    found = small(chain, (20, 10, 40))
    config = dataclasses.replace(QUICK, criterion=criterion, stop_fraction=0.5)
    trace = prune_trace(found, (20, 10, 40), images(5), config)
    shares = trace.history[-1] / [20, 10, 40]
    assert trace.history[-1].sum() == 35
    if criterion == "magnitude":
        assert np.ptp(shares) <= 0.1


def test_a_loss_that_is_not_finite_names_the_step(images):
    found = small(chain, (7, 5, 11))
    config = dataclasses.replace(QUICK, pretrain_rate=1e30, pretrain_epochs=3)
    with pytest.raises(RunError, match=r"loss is (nan|inf) at training step \d+"):
        prune_trace(found, (7, 5, 11), images(5), config)


def test_the_search_rate_is_the_papers():
    config = PruneConfig()
    epochs = [0, 9, 10, 19, 20, 30]
    rates = [config.rate(epoch * 175, 175) for epoch in epochs]
    np.testing.assert_allclose(
        rates, [0.1, 0.1, 0.01, 0.01, 0.01 / 1.5, 0.01 / 1.5**2], rtol=1e-12
    )


def test_the_steps_foretold_are_those_that_are_taken(images):
    found, dataset = small(chain, (13, 11, 17)), images(5)
    run = iterative._Run(found, (13, 11, 17), dataset, QUICK, 0, None)
    for batch in run.batches():
        if run.finished:
            break
        run.step(*batch)
    assert run.steps == QUICK.steps((13, 11, 17), run.epoch)


def test_rebuilds_leave_no_memory_behind(images):
    """Keras's optimizer and TensorFlow's kernels would keep some MiB each time.

    What oneDNN compiles for every shape stays; so this is in a process without it.
    """
    here = pathlib.Path(__file__)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        cwd=here.parent,
        env={
            **os.environ,
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "PYTHONPATH": str(here.parents[1]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    memory = [float(line) for line in done.stdout.splitlines()]
    assert len(memory) >= 35
    late = memory[5:]  # What is made once, was made.
    assert (late[-1] - late[0]) / len(late) <= 0.5


MEMORY = """
import numpy as np
from ns_tf import datasets, pruning
from test_pruning import QUICK, dataclasses, os, pathlib, residual, small

rng = np.random.default_rng(3)
pixels = rng.uniform(0, 1, (71, 5, 5, 3)).astype(np.float32)
data = datasets.from_arrays((pixels, np.arange(71, dtype=np.int32) % 5), classes=5)
config = dataclasses.replace(QUICK, rebuild="always", stop_fraction=0.05)
run = pruning._Run(small(residual, (41, 43, 41)), (41, 43, 41), data, config, 0, None)
events = 0
for batch in run.batches():
    if run.finished:
        break
    run.step(*batch)
    if run.events > events:
        events = run.events
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        print(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
"""
