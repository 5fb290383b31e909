"""Measurements that are kept: no two agree, and a choice has to go on as it began."""

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.budgets import Measure
from ns_tf.devices.device import read_device
from ns_tf.run import files

Measurements = dict[str, dict[str, float]]  # By budget, then by widths: "16,32".


def once(
    measure: Callable[[Any], float], kept: dict[str, float]
) -> Callable[[Any], float]:
    """A measurement that is made once of every network.

    >>> kept = {"3,5": 7.0}
    >>> quick = once(lambda widths: 2.0, kept)
    >>> quick((3, 5)), quick((3, 6)), kept
    (7.0, 2.0, {'3,5': 7.0, '3,6': 2.0})

    Args:
        measure: Whole widths [layers] -> their cost.
        kept: By widths: what was measured before; grows.
    """

    def measured(widths: Any) -> float:
        key = ",".join(map(str, np.asarray(widths).tolist()))
        if key not in kept:
            kept[key] = float(measure(widths))
        return kept[key]

    return measured


@contextlib.contextmanager
def kept_in(path: Path, measure: Measure | None) -> Iterator[Measurements]:
    """The measurements of a file; those that are added are in it at the end.

    Others than were measured in this way do not count, and are replaced.

    Args:
        path: Of the file; it need not be there.
        measure: How networks are measured.

    Raises:
        InputError: the file is damaged, or a device file that measures is.
    """
    how = _how(measure or Measure())
    found: Measurements = {}
    if path.exists():
        with files.readable(path, "file of measurements"):
            data = files.read_json(path, what="file of measurements", version=1)
            if data["how"] == how:
                found = {name: dict(by) for name, by in data["measured"].items()}
    before = copy.deepcopy(found)
    try:
        yield found
    finally:  # Also of what was interrupted.
        if found != before:
            path.parent.mkdir(parents=True, exist_ok=True)
            record = {"version": 1, "how": how, "measured": found}
            files.write_json(path, record)


def _how(measure: Measure) -> dict[str, Any]:
    """How networks are measured, on what machine and threads, as plain values.

    A device file counts by what it says, whatever its path is, and only where its
    runtime measures.
    """
    # Late: other plans need no TensorFlow.
    from ns_tf.measure.network import machine, threads

    how = {f.name: getattr(measure, f.name) for f in dataclasses.fields(measure)}
    timed = measure.here and measure.device
    device = read_device(measure.device).about if timed else ""
    return {**how, "device": device, "machine": machine(), "threads": threads()}
