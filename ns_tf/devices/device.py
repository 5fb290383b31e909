"""A device file: how long the layers of one network take on a device.

`python -m ns_tf.measure` writes it, and plans read it with NumPy alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import InputError, Widths
from ns_tf.devices.cost import TableCost, Use, told, uses_of
from ns_tf.devices.tables import Table
from ns_tf.networks.costs import CostPolynomial
from ns_tf.parts import Parts, shape_from, shape_text
from ns_tf.run import files
from ns_tf.run.paths import as_path

VERSION = 2
BUDGET = "latency_ms"  # The budget that a device file answers.
_REMEDY = "Measure again: python -m ns_tf.measure."
_SLOW = 1.1  # A share by which times are longer that is worth a warning.


@dataclasses.dataclass(frozen=True)
class Network:
    """The network that was measured: how it is recognised, and how wide it may be."""

    architecture: str
    names: tuple[str, ...]  # [widths]
    input_shape: tuple[int, ...] | Parts
    classes: int
    macs: CostPolynomial  # Networks of equal names and multiply-adds are the same.
    largest: Widths  # [widths] that the tables reach.

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back."""
        return {"architecture": self.architecture, **self.identity()}

    def identity(self) -> dict[str, Any]:
        """Plain values that are equal for the same network, whatever it is called.

        Keras numbers models without a name anew in every process.
        """
        return {
            "names": list(self.names),
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "macs": self.macs.to_json(),
            "largest": list(self.largest),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Network":
        """The network that `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, InputError: it is none.
        """
        names = tuple(str(name) for name in data["names"])
        largest = tuple(int(width) for width in data["largest"])
        if len(largest) != len(names) or min(largest, default=1) < 1:
            raise ValueError("largest is not a width a layer")
        return cls(
            str(data["architecture"]),
            names,
            shape_from(data["input_shape"]),
            int(data["classes"]),
            CostPolynomial.from_json(data["macs"]),
            largest,
        )


@dataclasses.dataclass(frozen=True)
class Whole:
    """A whole network: what was measured, and what the tables say."""

    widths: Widths
    ms: float
    by_table: float


@dataclasses.dataclass(frozen=True, eq=False)
class Device:
    """How long the layers of one network take on a device.

    Attributes:
        network: That was measured.
        runtime: That ran it ("tf", "litert", "onnx").
        threads: Of the runtime.
        batch: Examples in one pass.
        machine: In words.
        tables: Of the layer shapes.
        uses: The layers of the network, each of a shape.
        offset: Milliseconds that the runtime takes beside its layers.
        step: Between the widths of the tables.
        whole: Networks that were measured whole. The sum of layers is fitted to those
            of widths as in the tables.
        path: Of the file, if it has one.
        rounds: How often each layer was timed; None if nobody says.
    """

    network: Network
    runtime: str
    threads: int
    batch: int
    machine: str
    tables: tuple[Table, ...]
    uses: tuple[Use, ...]
    offset: float
    step: int = 1
    whole: tuple[Whole, ...] = ()
    path: Path | None = None
    rounds: int | None = None

    @property
    def cost(self) -> TableCost:
        """Milliseconds of networks of widths [..., layers]."""
        return TableCost(self.tables, self.uses, offset=self.offset)

    def ms(self, widths: Sequence[int]) -> float:
        """Milliseconds of the network of these widths [layers], by the tables."""
        return float(self.cost(np.asarray(widths)))

    @property
    def about(self) -> str:
        """The device in words: "litert, 1 thread, batch 4, on a phone"."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.runtime}, {threads}, batch {self.batch}, on {self.machine}"

    @property
    def between(self) -> float | None:
        """Time of networks at widths between the tables' over that by table.

        The median; None if no such network was measured.
        """
        others = [one for one in self.whole if not self._as_in_tables(one.widths)]
        ratios = [one.ms / one.by_table for one in others]
        return float(np.median(ratios)) if ratios else None

    @property
    def warning(self) -> str | None:
        """What to do if the runtime is slow at widths between the tables'."""
        if self.between is None or self.between <= _SLOW:
            return None
        return (
            f"{self.runtime} takes {100 * (self.between - 1):.0f} % longer than the "
            f"tables say at widths that are no multiples of {self.step}; give "
            f"--round_to={self.step}"
        )

    def warning_at(self, widths: Sequence[int]) -> str | None:
        """`warning`, if it concerns a network of these widths [layers]."""
        return None if self._as_in_tables(widths) else self.warning

    def _as_in_tables(self, widths: Sequence[int]) -> bool:
        """Whether all are multiples of the step, less than it, or the largest."""
        return all(
            width % self.step == 0 or width < self.step or width == most
            for width, most in zip(widths, self.network.largest, strict=True)
        )

    @property
    def held(self) -> list[str]:
        """The widths that no table tells, as the heads of an attention.

        Their layers were timed with these widths as the network has them.
        """
        known = told(form for use in self.uses for form in (use.reads, use.makes))
        return [name for w, name in enumerate(self.network.names) if w not in known]

    def __str__(self) -> str:
        tables = sum(table.ms.size for table in self.tables)
        lines = [
            f"{self.network.architecture}: {self.about}",
            f"{len(self.uses)} layers of {len(self.tables)} shapes, {tables} times",
        ]
        for one in self.whole:
            lines.append(
                f"{one.ms:.4g} ms measured, {one.by_table:.4g} ms by table "
                f"({100 * (one.by_table / one.ms - 1):+.1f} %): {_short(one.widths)}"
            )
        if held := self.held:
            lines.append(f"Timed as they are: {', '.join(held)}.")
        if self.warning:
            lines.append(f"Warning: {self.warning}.")
        return "\n".join(lines)

    def limits(self, largest: int | Sequence[int] | None = None) -> list[int]:
        """[layers]: the largest width of every layer that the tables reach.

        Args:
            largest: Another limit, for all layers or for each; none if None.
        """
        ends = np.array(self.network.largest)
        return (ends if largest is None else np.minimum(ends, largest)).tolist()

    def check(
        self,
        names: Sequence[str],
        input_shape: tuple[int, ...] | Parts,
        classes: int,
        macs: CostPolynomial | None,
    ) -> None:
        """Refuses another network than the one that was measured.

        Args:
            names: [layers] of the network in question.
            input_shape: Of it.
            classes: Of it.
            macs: Its multiply-adds; None if nobody counted them.

        Raises:
            InputError: it is another one; says in what.
        """
        own = self.network
        other = None
        if tuple(names) != own.names:
            other = f"widths {_short(own.names[:3])}, ..., not {_short(names[:3])}, ..."
        elif shape_from(input_shape) != own.input_shape or classes != own.classes:
            other = f"inputs {shape_text(own.input_shape)} and {own.classes} classes"
        elif macs is not None and macs.to_json() != own.macs.to_json():
            other = "other multiply-adds at equal widths"
        if other:
            raise InputError(
                f"The device file {self.path or 'given'} is of another network, "
                f"{own.architecture}: {other}. Measure this one: python -m "
                "ns_tf.measure."
            )

    def write(self, path: str | Path) -> "Device":
        """Writes the file, whole or not at all.

        Returns:
            The device with that path.
        """
        network = self.network.to_json()
        files.write_json(
            path,
            {
                "version": VERSION,
                "runtime": self.runtime,
                "threads": self.threads,
                "batch": self.batch,
                "machine": self.machine,
                "network": network,
                "offset_ms": self.offset,
                "step": self.step,
                "rounds": self.rounds,
                "whole": [dataclasses.asdict(one) for one in self.whole],
                "uses": [use.to_json() for use in self.uses],
                "tables": [table.to_json() for table in self.tables],
            },
        )
        return dataclasses.replace(self, path=Path(path))


def read_device(device: "str | Path | Device") -> Device:
    """The device of a file.

    Args:
        device: The path of a file; a `Device` is returned as it is.

    Raises:
        InputError: the file is missing or damaged: holes, negative times, times that
            fall where a layer grows.
    """
    if isinstance(device, Device):
        return device
    path = as_path(device, "device")
    data = files.read_json(path, what="device file", version=VERSION, remedy=_REMEDY)
    with files.readable(path, "device file", _REMEDY):
        tables = tuple(Table.from_json(one) for one in data["tables"])
        network = Network.from_json(data["network"])
        offset = float(data["offset_ms"])
        if not 0 <= offset < np.inf:
            raise ValueError(f"offset_ms is {offset:g}")
        if not int(data["step"]) > 0:
            raise ValueError(f"step is {data['step']}")
        return Device(
            network,
            str(data["runtime"]),
            int(data["threads"]),
            int(data["batch"]),
            str(data["machine"]),
            tables,
            tuple(uses_of(data["uses"], len(tables), len(network.names))),
            offset,
            int(data["step"]),
            tuple(_whole(one, len(network.names)) for one in data["whole"]),
            path,
            None if data.get("rounds") is None else int(data["rounds"]),
        )


def _whole(data: Mapping[str, Any], widths: int) -> Whole:
    """A whole network of a file.

    Args:
        data: Its entry.
        widths: How many widths the network has.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    times = float(data["ms"]), float(data["by_table"])
    if len(data["widths"]) != widths or not all(0 < ms < np.inf for ms in times):
        raise ValueError("a whole network has other widths, or no time")
    return Whole(tuple(int(width) for width in data["widths"]), *times)


def _short(values: Sequence[Any]) -> str:
    """Values with commas."""
    return ",".join(str(value) for value in values)
