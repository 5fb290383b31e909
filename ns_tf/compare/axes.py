"""What networks cost: the columns of a comparison's table and the axes of its pictures.

`AXES` is the one table of them. A row of a comparison has a figure under every key of
the axes that the comparison has, or None where there is none. Columns and pictures
follow from the keys, so records from before an axis existed are read as they are.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ns_tf.base import InputError
from ns_tf.problem.score import Score
from ns_tf.render import plots

if TYPE_CHECKING:
    from ns_tf.compare.figures import Network
    from ns_tf.compare.work import Comparison

WHOLE = ",d"  # The form of figures that are counted.
Costs = Mapping[str, float | None]  # By key of an axis; None: not known.


@dataclasses.dataclass(frozen=True)
class Axis:
    """A cost of networks, as tables and pictures have it."""

    name: str  # The key of its figure.
    head: str  # Of its column.
    label: str  # Of pictures, without the unit.
    # The figures of a network, one for each of `keys`; None: not known yet. Raises an
    # InputError that says why there is none.
    of: Callable[["Network"], Sequence[float | None]]
    unit: str = ""
    form: str = WHOLE  # Of a figure in the table.
    beside: str | None = None  # The key of a second figure, in brackets behind it.
    wanted: Callable[["Comparison"], bool] = lambda work: True

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its figures."""
        return (self.name, self.beside) if self.beside else (self.name,)

    @property
    def caption(self) -> str:
        """What pictures have beside the axis: label and unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def draw(
        self,
        rows: Sequence[plots.ComparedRow],
        path: plots.Target,
        score: Score,
        *,
        format: str = "png",
    ) -> None:
        """Draws scores over this cost.

        Args:
            rows: Of a comparison.
            path: Of the picture, or an open file.
            score: Of the task.
            format: Of the picture.
        """
        plots.comparison(
            rows,
            self.name,
            path,
            caption=self.caption,
            label=score.label,
            scale=score.scale,
            format=format,
        )

    def mean(self, figures: Sequence[float]) -> float | int:
        """The mean of the figures of a row's networks; whole where they are counted."""
        mean = float(np.mean(figures))
        return round(mean) if self.form == WHOLE else mean

    def text(self, costs: Costs) -> str:
        """The cell of a row.

        >>> AXES[0].text({"params": 1234}), AXES[0].text({"params": None})
        ('1,234', '-')
        >>> AXES[2].text({"latency_ms": 1.234, "latency_p95_ms": 2.0})
        '1.23 (2.00)'
        """
        texts = [
            format(costs[key], self.form)
            for key in self.keys
            if costs.get(key) is not None
        ]
        if not texts:
            return "-"
        first, *others = texts
        return " ".join([first, *(f"({text})" for text in others)])


def _counted(name: str, head: str, label: str) -> Axis:
    """The axis of an exact budget."""
    return Axis(name, head, label, lambda network: (network.count(name),))


def _of_file(name: str, head: str, label: str) -> Axis:
    """The axis of an exact budget, in bytes, of what a file holds."""

    def count(network: "Network") -> tuple[int]:
        return (network.in_file.count(name),)

    return Axis(name, head, label, count, "bytes")


AXES = (
    _counted("params", "parameters", "trainable parameters"),
    _counted("macs", "MACs", "multiply-adds of one image"),
    Axis(
        "latency_ms",
        "latency, ms (p95)",
        "latency of a forward pass",
        lambda network: network.latency,
        "ms",
        ".2f",
        beside="latency_p95_ms",
        wanted=lambda work: work.device is None,
    ),
    Axis(
        "device_ms",
        "ms by device",
        "latency by the tables of the device",
        lambda network: (network.in_file.device_ms(),),
        "ms",
        ".4g",
        wanted=lambda work: work.device is not None,
    ),
    _of_file("peak_ram", "RAM, bytes", "RAM of the activations in int8"),
    _of_file("weight_bytes_int8", "int8 weights, bytes", "weights in int8"),
    Axis(
        "flash",
        "flash, bytes",
        "LiteRT file in int8",
        lambda network: (network.flash(),),
        "bytes",
        wanted=lambda work: work.compare.exports_flash,
    ),
    Axis(
        "nonzero",
        "not zero",
        "weights that are not zero",
        lambda network: (network.weights_left(),),
        wanted=lambda work: "nonzero" in work.compare.budget_names,
    ),
)


class Row(Protocol):
    """What is read of `ns_tf.compare.verdicts.Line`."""

    accuracies: Sequence[float]  # [seeds]
    costs: Costs


def wanted(work: "Comparison") -> list[Axis]:
    """The axes that the tables of a comparison have."""
    return [axis for axis in AXES if axis.wanted(work)]


def present(rows: Iterable[Row]) -> list[Axis]:
    """The axes of which a row has a figure, or says that there is none."""
    keys = {key for row in rows for key in row.costs}
    return [axis for axis in AXES if axis.name in keys]


def complete(rows: Sequence[Row]) -> list[Axis]:
    """The axes of which every row with a score has a figure: those that are drawn."""
    trained = [row for row in rows if row.accuracies]
    return [
        axis
        for axis in present(rows)
        if all(row.costs.get(axis.name) is not None for row in trained)
    ]


def costs_of(
    some: Iterable[Axis], networks: Sequence["Network"]
) -> tuple[dict[str, float | None], list[str]]:
    """The figures of a row, and why some are missing.

    Args:
        some: The axes of the comparison.
        networks: Of the row, one a seed; none if nobody knows them.

    Returns:
        Means over the networks by key, None where one is not known; and a sentence for
        every axis of which there can be none.
    """
    costs: dict[str, float | None] = {}
    reasons = []
    for axis in some:
        costs |= dict.fromkeys(axis.keys)
        try:
            found = [axis.of(network) for network in networks]
        except InputError as error:
            reasons.append(f"No figure under {axis.head}: {error}")
            continue
        for key, figures in zip(axis.keys, zip(*found, strict=True), strict=False):
            if None not in figures:
                costs[key] = axis.mean(figures)
    return costs, reasons


def costs_in(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures in a row of comparison.json, by key.

    >>> costs_in({"method": "a", "params": 3, "latency_ms": None})
    {'params': 3, 'latency_ms': None}
    """
    return {key: row[key] for axis in AXES for key in axis.keys if key in row}
