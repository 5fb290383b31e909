"""What a network of a comparison costs: counted, measured, by a device, exported."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf import budgets
from ns_tf.base import InputError, Widths
from ns_tf.compare import file_sizes, latencies
from ns_tf.compare.cells import Cell
from ns_tf.devices.device import Device
from ns_tf.networks.structure import Structure
from ns_tf.run.watch import Watch
from ns_tf.train.job import network_costs

if TYPE_CHECKING:
    from ns_tf.compare.work import Comparison


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """The network of a cell, and what is known of it."""

    structure: Structure
    widths: Widths
    # Median and 95th percentile in ms, measured; None where they are not.
    latency: tuple[float | None, float | None] = (None, None)
    file: int | str | None = None  # Bytes of the int8 file, or why there are none.
    device: Device | None = None
    # Of what a file of it holds, where that is another network (`Jobs.exported`).
    exported: tuple[Structure, Widths] | None = None
    nonzero: int | None = None  # Weights that are not zero, where some are held at 0.

    @functools.cached_property
    def in_file(self) -> "Network":
        """The network that a file of it holds: this one, or one without epitomes."""
        if self.exported is None:
            return self
        structure, widths = self.exported
        return dataclasses.replace(
            self, structure=structure, widths=widths, exported=None
        )

    @functools.cached_property
    def _exact(self) -> dict[str, int]:
        """Costs by exact budget, of those that count this network."""
        return network_costs(self.structure, self.widths)

    def count(self, name: str) -> int:
        """The cost in an exact budget.

        Raises:
            InputError: the budget cannot be counted on this network; says why.
        """
        if name not in self._exact:
            budgets.get(name).cost(self.structure)  # Says why.
        return self._exact[name]

    def device_ms(self) -> float | None:
        """Milliseconds by the tables of the device; None without one.

        Raises:
            InputError: the device is of another network, or has no times of one so
                wide.
        """
        if self.device is None:
            return None
        own = self.structure
        macs = budgets.get("macs").cost(own)
        self.device.check(own.names, own.input_shape, own.classes, macs)
        if (np.array(self.widths) > self.device.limits()).any():
            raise InputError(
                f"the tables of {self.device.path} do not reach widths "
                f"{','.join(map(str, self.widths))}. Measure with a larger --up_to."
            )
        return self.device.ms(self.widths)

    def flash(self) -> int | None:
        """Bytes of the LiteRT file in int8; None if it is not written yet.

        Raises:
            InputError: it cannot be written; says why.
        """
        if isinstance(self.file, str):
            raise InputError(self.file)
        return self.file

    def weights_left(self) -> int:
        """Weights that are not zero, as `ns_tf.prune` counts them."""
        return self.count("params") if self.nonzero is None else self.nonzero


@dataclasses.dataclass(frozen=True, eq=False)
class Figures:
    """What was measured of the networks of a comparison, by name of the network."""

    work: "Comparison"
    times: Mapping[str, Sequence[float]]  # [median, p95] in ms
    files: Mapping[str, int | str]  # Bytes of the int8 file, or why there are none.

    @classmethod
    def measured(
        cls, work: "Comparison", cells: Sequence[Cell], watch: Watch
    ) -> "Figures":
        """Measures what the tables need and nobody measured before.

        Args:
            work: The comparison.
            cells: No trunks.
            watch: Shows the progress.
        """
        timed = work.device is None
        return cls(
            work,
            latencies.measured(work, cells, watch) if timed else {},
            file_sizes.measured(work, cells, watch) if _exports(work) else {},
        )

    @classmethod
    def kept(cls, work: "Comparison") -> "Figures":
        """What was measured before.

        Raises:
            InputError: a list is damaged.
        """
        sizes = file_sizes.kept(work) if _exports(work) else {}
        return cls(work, latencies.kept(work), sizes)

    def network(self, cell: Cell) -> Network:
        """The network of a cell, whose widths are known."""
        name = latencies.network_of(self.work, cell)
        left = self.work.jobs.left(cell)
        return Network(
            self.work.jobs.problem_of(cell).structure,
            self.work.jobs.widths(cell),
            tuple(self.times.get(name, (None, None))),
            self.files.get(name),
            self.work.device,
            self.work.jobs.exported(cell),
            left and left.nonzero,
        )


def _exports(work: "Comparison") -> bool:
    """Whether int8 files are written."""
    return work.compare.exports_flash
