"""What a network costs by the tables of its layers, as a function of its widths."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.devices.tables import Table
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.priced_cost import PricedCost

PER_MS = 10**9  # The posynomial counts picoseconds: its coefficients are whole.
_LEAST = 1e-6  # Of a posynomial, so that it bounds every width.
_CONSTANT = -1  # In place of a width.


@dataclasses.dataclass(frozen=True)
class Form:
    """A number of channels as a sum of widths: constant + sum over w of times_w · w.

    >>> Form(3, ((0, 2),)).at(np.array([[5, 7]])).tolist()
    [13]
    """

    constant: int
    times: tuple[tuple[int, int], ...] = ()  # (width, times) each.

    def at(self, widths: np.ndarray) -> np.ndarray:
        """Channels [...] at widths [..., layers]."""
        return self.constant + sum(t * widths[..., w] for w, t in self.times)

    def terms(self) -> tuple[tuple[int, int], ...]:
        """(width, times) of every part; the constant as a width of `_CONSTANT`."""
        own = ((_CONSTANT, self.constant),) if self.constant else ()
        return (*self.times, *own)

    def to_json(self) -> list[list[int]]:
        """Plain numbers that `from_json` reads back."""
        return [list(term) for term in self.terms()]

    @classmethod
    def from_json(cls, data: Sequence[Sequence[int]]) -> "Form":
        """The form that `to_json` wrote.

        Raises:
            ValueError, TypeError: it is none.
        """
        pairs = [(int(width), int(times)) for width, times in data]
        constant = sum(times for width, times in pairs if width == _CONSTANT)
        return cls(constant, tuple(p for p in pairs if p[0] != _CONSTANT))


@dataclasses.dataclass(frozen=True)
class Use:
    """A layer of the network, or several that run as one: its shape and channels."""

    table: int  # Place of its table.
    reads: Form
    makes: Form
    differ: tuple[int, int] = ALWAYS  # Widths that must differ for it to exist.
    layers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values that `uses_of` reads back."""
        return {
            "table": self.table,
            "reads": self.reads.to_json(),
            "makes": self.makes.to_json(),
            "differ": list(self.differ),
            "layers": list(self.layers),
        }


class TableCost(PricedCost):
    """Milliseconds of networks: an offset, and the sum over layers of their tables.

    It is exact and quick, and falls nowhere but where a projection vanishes.

    >>> ones = np.array([0.0, 0, 0, 1])
    >>> table = Table("conv", np.array([1, 9]), np.array([1, 9]),
    ...               np.array([[1.0, 9.0], [9.0, 81.0]]), ones)
    >>> cost = TableCost([table], [Use(0, Form(3), Form(0, ((0, 1),)))], offset=0.5)
    >>> cost(np.array([[5], [7]])).tolist()
    [15.5, 21.5]

    Args:
        tables: Of the layer shapes.
        uses: The layers of the network.
        offset: Milliseconds that the runtime takes beside its layers.
    """

    per_unit = PER_MS

    def __init__(
        self, tables: Sequence[Table], uses: Sequence[Use], *, offset: float = 0.0
    ):
        self.tables, self.uses = tuple(tables), tuple(uses)
        self.offset = offset
        # Uses of one shape are looked up together.
        self._by_table = [
            (table, [use for use in uses if use.table == place])
            for place, table in enumerate(tables)
        ]

    def __call__(self, widths: Any) -> np.ndarray:
        """Milliseconds [...] of networks of widths [..., layers]."""
        widths = np.asarray(widths)
        total = np.zeros(widths.shape[:-1])
        for table, uses in self._by_table:
            if uses:
                reads, makes, exist = (
                    np.stack(np.broadcast_arrays(total, *parts)[1:], axis=-1)
                    for parts in zip(*(_at(use, widths) for use in uses), strict=True)
                )
                total = total + (table.at(reads, makes) * exist).sum(axis=-1)
        return self.offset + total

    @functools.cached_property
    def near(self) -> tuple[CostPolynomial, ...]:
        """The posynomial nearest to the tables, in picoseconds."""
        ones = np.ones(len(self.tables))
        return (CostPolynomial.collect("ps", self._terms(ones, round)),)

    @functools.cached_property
    def floors(self) -> tuple[CostPolynomial, ...]:
        """The share of each table's posynomial that no layer takes less than."""
        shares = np.array([max(table.slack, _LEAST) for table in self.tables])
        whole = CostPolynomial.collect("ps", self._terms(shares, math.floor))
        return whole.floors

    def _terms(
        self, shares: np.ndarray, whole: Callable[[float], int]
    ) -> Iterator[tuple]:
        """The terms of a posynomial, as `CostPolynomial.collect` takes them.

        Args:
            shares: [tables] what to take of the price of each.
            whole: A number of picoseconds -> a whole one.
        """
        layers = 1 + max(
            (w for use in self.uses for form in _forms(use) for w, _ in form.times),
            default=-1,
        )
        yield whole(self.offset * PER_MS), layers, layers, ALWAYS

        def place(width: int) -> int:
            return layers if width == _CONSTANT else width

        for use in self.uses:
            price = PER_MS * shares[use.table] * self.tables[use.table].price
            one, of_reads, of_makes, of_both = price
            reads, makes = use.reads.terms(), use.makes.terms()
            yield whole(one), layers, layers, use.differ
            for w, t in reads:
                yield whole(of_reads * t), place(w), layers, use.differ
            for w, t in makes:
                yield whole(of_makes * t), place(w), layers, use.differ
            for w, t in reads:
                for v, s in makes:
                    yield whole(of_both * t * s), place(w), place(v), use.differ


def told(forms: Iterable[Form]) -> set[int]:
    """The widths that numbers of channels are told by.

    >>> told([Form(3), Form(0, ((1, 2), (4, 1)))])
    {1, 4}

    Args:
        forms: Of the channels that layers read and make.
    """
    return {width for form in forms for width, _ in form.times}


def _forms(use: Use) -> tuple[Form, Form]:
    """What a use reads and makes."""
    return use.reads, use.makes


def _at(use: Use, widths: np.ndarray) -> tuple:
    """Channels read and made at widths [..., layers], and whether the layer exists."""
    a, b = use.differ
    exist = True if a < 0 else widths[..., a] != widths[..., b]
    return use.reads.at(widths), use.makes.at(widths), exist


def uses_of(data: Sequence[Mapping[str, Any]], tables: int, widths: int) -> list[Use]:
    """The uses that a device file lists.

    Args:
        data: An entry a use.
        tables: How many tables there are.
        widths: How many widths the network has.

    Raises:
        ValueError, KeyError, TypeError: an entry is none, or names a table or a width
            that there is not.
    """
    uses = []
    for entry in data:
        use = Use(
            int(entry["table"]),
            Form.from_json(entry["reads"]),
            Form.from_json(entry["makes"]),
            tuple(int(width) for width in entry["differ"]),
            tuple(str(name) for name in entry["layers"]),
        )
        named = [w for form in _forms(use) for w, _ in form.times]
        if not 0 <= use.table < tables or len(use.differ) != 2:
            raise ValueError(f"there is no table for {entry['layers']}")
        if not all(0 <= w < widths for w in named) or max(use.differ) >= widths:
            raise ValueError(f"{entry['layers']} have a width that is none")
        uses.append(use)
    return uses
