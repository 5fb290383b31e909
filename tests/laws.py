"""A runtime whose times follow a law, and a device whose tables follow one."""

import dataclasses

import keras
import numpy as np

from ns_tf.devices.cost import Form, Use
from ns_tf.devices.device import Device, Network
from ns_tf.devices.tables import Table, monomials, monotone, posynomial
from ns_tf.measure.config import MeasureConfig
from ns_tf.measure.runtimes import runtime

EMPTY = 0.25  # ms of a network that does nothing.
PRICES = np.array([0.5, 0.01, 0.02, 0.003])  # Of each layer of the toy's device.


def law(model):
    """EMPTY, 1e-5 ms a number that a layer makes, 1e-4 more a kernel's entry."""
    ms = EMPTY
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) or model.name == "empty":
            continue
        ms += 1e-5 * int(np.prod(layer.output.shape[1:]))
        ms += 1e-4 * sum(int(np.prod(w.shape)) for w in layer.weights if w.ndim > 1)
    return ms


@runtime(
    "law",
    help="By the law.",
    suffix=".txt",
    written=lambda model, batch: f"{batch} {law(model)}".encode(),
)
def by_law(model, batch, threads):
    """Takes as long as the law says."""
    ms = law(model) * batch
    return lambda: ms


def config(**options):
    """Settings that measure little, by the law."""
    given = {"model": "vgg11", "runtime": "law", "points": 3, "networks": 3}
    return MeasureConfig(**{**given, "rounds": 1, **options})


def toy_device(search, largest=64, offset=0.125, **changes):
    """A device of a toy search: three layers, each reading the one before."""
    axis = np.array([1.0, 8, 24, largest])
    three = np.array([3.0])
    tables = tuple(
        Table(about, reads, axis, monomials(reads, axis) @ PRICES, PRICES)
        for about, reads in (("first", three), ("others", axis))
    )
    uses = tuple(
        Use(
            min(i, 1),
            Form(0, ((i - 1, 1),)) if i else Form(3),
            Form(0, ((i, 1),)),
            layers=(name,),
        )
        for i, name in enumerate(search.names)
    )
    network = Network(
        search.architecture,
        search.names,
        search.input_shape,
        search.classes,
        search.costs["macs"],
        (largest,) * len(uses),
    )
    device = Device(network, "law", 1, 1, "a toy", tables, uses, offset)
    return dataclasses.replace(device, **changes)


def toy_ms(widths, offset=0.125):
    """What that device says, in plain Python."""
    one, read, make, both = PRICES
    pairs = zip((3, *widths[:-1]), widths, strict=True)
    return offset + sum(one + read * r + make * m + both * r * m for r, m in pairs)


def noisy_device(search, rng, noise, largest=64):
    """The toy's device with steps in its tables."""
    toy = toy_device(search, largest)
    tables = []
    for table in toy.tables:
        ms = monotone(table.ms * rng.uniform(1 - noise, 1 + noise, table.ms.shape))
        price = posynomial(table.reads, table.makes, ms)
        tables.append(dataclasses.replace(table, ms=ms, price=price))
    return dataclasses.replace(toy, tables=tuple(tables))
