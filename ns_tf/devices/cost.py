"""What a network costs by the tables of its layers, as a function of its widths."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.devices.tables import Table
from ns_tf.networks.costs import ALWAYS, CostPolynomial

PER_MS = 10**9  # The posynomial counts picoseconds: its coefficients are whole.
_HAIR = 1e-12  # A share of a cost that is rounding.
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


class TableCost:
    """Milliseconds of networks: an offset, and the sum over layers of their tables.

    It is exact and quick, and falls nowhere but where a projection vanishes. A plan at
    a price asks `price` for a posynomial near it, and fills up by the tables.

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
        numbers: [layers] which of fewer numbers each width is, if some are tied.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        uses: Sequence[Use],
        *,
        offset: float = 0.0,
        numbers: Sequence[int] | None = None,
    ):
        self.tables, self.uses = tuple(tables), tuple(uses)
        self.offset = offset
        self.numbers = None if numbers is None else np.asarray(numbers)
        # Uses of one shape are looked up together.
        self._by_table = [
            (table, [use for use in uses if use.table == place])
            for place, table in enumerate(tables)
        ]

    def __call__(self, widths: Any) -> np.ndarray:
        """Milliseconds [...] of networks of widths [..., layers]."""
        widths = np.asarray(widths)
        if self.numbers is not None:
            widths = widths[..., self.numbers]
        total = np.zeros(widths.shape[:-1])
        for table, uses in self._by_table:
            if uses:
                reads, makes, exist = (
                    np.stack(np.broadcast_arrays(total, *parts)[1:], axis=-1)
                    for parts in zip(*(_at(use, widths) for use in uses), strict=True)
                )
                total = total + (table.at(reads, makes) * exist).sum(axis=-1)
        return self.offset + total

    @property
    def price(self) -> CostPolynomial:
        """The posynomial nearest to the tables, in picoseconds."""
        polynomial = CostPolynomial.collect("ps", self._terms())
        if self.numbers is None:
            return polynomial
        return polynomial.joined(self.numbers.tolist())

    @property
    def slack(self) -> float:
        """The largest share of the posynomial that no network takes less than."""
        return min((table.slack for table, uses in self._by_table if uses), default=1.0)

    def joined(self, numbers: Sequence[int]) -> "TableCost":
        """The cost as a function of fewer numbers, some of which are several widths."""
        how = {"offset": self.offset, "numbers": numbers}
        return TableCost(self.tables, self.uses, **how)

    def increments(self, layers: int) -> Callable[[np.ndarray, Any], np.ndarray]:
        """What a step in each layer costs: (widths [layers], step) -> [layers] ms.

        A hair more, so that no rounding takes a network over its budget.
        """

        def more(widths: np.ndarray, step: Any) -> np.ndarray:
            grown = widths + np.diag(np.broadcast_to(step, layers))
            every = self(np.concatenate([widths[None], grown]))
            return every[1:] - every[0] + _HAIR * every[0]

        return more

    def _terms(self) -> Iterator[tuple]:
        """The terms of the posynomial, as `CostPolynomial.collect` takes them."""
        layers = 1 + max(
            (w for use in self.uses for form in _forms(use) for w, _ in form.times),
            default=-1,
        )
        if self.numbers is not None:
            layers = len(self.numbers)
        yield round(self.offset * PER_MS), layers, layers, ALWAYS

        def place(width: int) -> int:
            return layers if width == _CONSTANT else width

        for use in self.uses:
            one, of_reads, of_makes, of_both = PER_MS * self.tables[use.table].price
            reads, makes = use.reads.terms(), use.makes.terms()
            yield round(one), layers, layers, use.differ
            for w, t in reads:
                yield round(of_reads * t), place(w), layers, use.differ
            for w, t in makes:
                yield round(of_makes * t), place(w), layers, use.differ
            for w, t in reads:
                for v, s in makes:
                    yield round(of_both * t * s), place(w), place(v), use.differ


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
