"""Searches of three made-up layers, and settings for methods: quick to have."""

import dataclasses
import functools
import json
import types

import numpy as np
from searches import made_up

from ns_tf.base import Architecture
from ns_tf.descend.record import SearchRecord, new_search, write_search
from ns_tf.networks import architectures
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.structure import analyse
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import Entry, Setting
from ns_tf.scores import EventScores

NAMES, DEFAULT = ("a", "b", "c"), (13, 17, 19)
PIXELS = 31


def params(widths):
    """Parameters of the made-up network, in plain Python."""
    a, b, c = widths
    return 27 * a + 9 * a * b + 9 * b * c + 5 * c + 5


def macs(widths):
    """Its multiplications, in plain Python."""
    a, b, c = widths
    return PIXELS * (27 * a + 9 * a * b + 9 * b * c) + 5 * c


def _costs():
    one = 3  # The index that means a factor of 1.
    convolutions = [(27, 0, one), (9, 0, 1), (9, 1, 2)]
    terms = {
        "params": [*convolutions, (5, 2, one), (5, one, one)],
        "macs": [*((PIXELS * n, i, j) for n, i, j in convolutions), (5, 2, one)],
    }
    units = {"params": "parameters", "macs": "MACs"}
    return {
        name: CostPolynomial.collect(units[name], [(*term, ALWAYS) for term in some])
        for name, some in terms.items()
    }


def toy_search(iterations=2, seed=7, **others):
    """A record of a search of that network; its costs are `params` and `macs`."""
    record = SearchRecord(
        architecture="toy",
        dataset="data",
        input_shape=(11, 11, 3),
        classes=5,
        names=NAMES,
        default_widths=DEFAULT,
        seed_widths=DEFAULT,
        costs=_costs(),
        states=(),
    )
    record = dataclasses.replace(record, **others)
    return made_up(record, np.random.default_rng(seed), iterations)


def toy_architecture():
    """The network itself, which has those costs."""
    import keras

    def build(widths, *, input_shape, classes):
        x = image = keras.Input(input_shape)
        for name, width in zip(NAMES, widths, strict=True):
            x = keras.layers.Conv2D(
                width, 3, padding="same", use_bias=False, name=name
            )(x)
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))

    return Architecture("toy", DEFAULT, build)


def scored(record, p=1.5, criterion="taylor_fo"):
    """The record with scores of its last iteration, 7 parameters^-p."""
    last = record.states[-1]
    tau = record.costs["params"](last.trace.history).astype(float)
    removed = 7.0 * tau**-p
    lowest = removed[:, None] * np.linspace(1.25, 2.0, len(record.names))
    loss = np.linspace(0.5, 0.75, len(tau))
    scores = EventScores(removed, lowest, loss, criterion)
    trace = dataclasses.replace(last.trace, scores=scores)
    states = (*record.states[:-1], dataclasses.replace(last, trace=trace))
    return dataclasses.replace(record, states=states)


def unranked(record):
    """The record without scores of all filters, as an earlier version kept it."""
    states = tuple(
        dataclasses.replace(state, trace=dataclasses.replace(state.trace, whole=None))
        for state in record.states
    )
    return dataclasses.replace(record, states=states)


def silent(record):
    """The record with a last law so steep that prices say nothing."""
    *before, last = record.states
    law = dataclasses.replace(last.law, beta=np.array([0.5, 1.3, 0.7]))
    return dataclasses.replace(
        record, states=(*before, dataclasses.replace(last, law=law))
    )


def written(folder, record):
    """The folder, with all states of the record written one by one as searches do."""
    for count in range(1, len(record.states) + 1):
        write_search(folder, dataclasses.replace(record, states=record.states[:count]))
    return folder


@functools.cache
def network_of(name):
    """Structure and plain record of an architecture for 32 x 32 images, 10 classes."""
    structure = analyse(architectures.get(name), (32, 32, 3), 10)
    return structure, new_search(structure, "data", structure.architecture.widths)


@functools.cache
def _searched(name):
    return made_up(network_of(name)[1], np.random.default_rng(31))


def setting_of(text, name="vgg11", **solver):
    """What the method of a text of `--methods` may know about an architecture."""
    structure, plain = network_of(name)
    entry = Entry.parse(text)
    needs = methods.get(entry.name).needs_search
    search = _searched(name) if needs else None
    return Setting(entry, structure, plain, SolverConfig(**solver), search)


def toy_setting(text, iterations=2, **solver):
    """The same about the made-up network."""
    record = toy_search(iterations)
    entry = Entry.parse(text)
    search = record if methods.get(entry.name).needs_search else None
    structure = types.SimpleNamespace(architecture=toy_architecture())
    return Setting(entry, structure, record, SolverConfig(**solver), search)


def file_of(folder, **values):
    """The path of a JSON file of these values."""
    path = folder / "values.json"
    path.write_text(json.dumps(values))
    return path


@functools.cache
def toy_problem():
    """The made-up network with 41 images of noise in 5 classes."""
    from ns_tf.data.arrays import from_arrays
    from ns_tf.problem.problem import Problem

    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (41, 11, 11, 3)).astype(np.uint8)
    data = from_arrays((images, np.arange(41) % 5), classes=5, name="noise")
    return Problem.of(toy_architecture(), data)


def all_trained(work, watch=None):
    """(the comparison, its cells), all trained one after the other."""
    with work:
        listed = work.prepare()
        for cell in listed.values():
            work.train_cell(cell, watch)
    return work, listed


def toy_comparison(folder, recipe=None, solver=None, **settings):
    """A comparison on that problem; its budget is 2003 parameters unless it is set."""
    from ns_tf.compare.config import CompareConfig
    from ns_tf.compare.work import Comparison
    from ns_tf.engine.config import ExecutionConfig
    from ns_tf.problem.config import ProblemConfig
    from ns_tf.train.config import TrainConfig

    settings = {"methods": ("uniform",), "budgets": ("params=2003",), **settings}
    return Comparison(
        folder,
        ProblemConfig(architecture="toy", dataset="noise"),
        CompareConfig(**settings),
        SolverConfig(**(solver or {})),
        TrainConfig(**{"epochs": 3, "batch": 7, **(recipe or {})}),
        ExecutionConfig(),
        problem=toy_problem(),
    )


def trained(work, cell, accuracy, best=None, **others):
    """Gives a cell the result of a training that nobody did."""
    folder = work.jobs.folder_of(cell)
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "version": 1,
        "widths": list(cell.widths),
        "seed": cell.seed,
        "score": "accuracy",
        "test_accuracy": accuracy,
        "best_test_accuracy": accuracy if best is None else best,
        "seconds": 60.0,
        **others,
    }
    (folder / "result.json").write_text(json.dumps(result))
