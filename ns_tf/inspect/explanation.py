"""What may change in a network, what stays, what it costs: a value that prints."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.budgets import exact_costs
from ns_tf.graph.channels import NONE
from ns_tf.graph.walk import OUTPUT
from ns_tf.inspect import picture
from ns_tf.inspect.advice import advice_for
from ns_tf.inspect.reading import Reading
from ns_tf.inspect.shares import Share, Shares, shares_of
from ns_tf.render import tables
from ns_tf.run import files
from ns_tf.run.paths import SVG, as_path, check_kind

_LISTED = 4  # Layers that a line names.


@dataclasses.dataclass(frozen=True)
class Width:
    """A width of the network: a number that searches, plans and prunings may change."""

    name: str  # By which tables and wishes (`keep=`) call it.
    filters: int
    layers: tuple[str, ...]  # All layers that have it.
    share: Share  # What its channels take.


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Channels that stay as they are."""

    layers: tuple[str, ...]
    filters: int
    reason: str
    advice: str | None  # What would free them; None if nothing should.
    share: Share


@dataclasses.dataclass(frozen=True)
class Reach:
    """What networks of these widths can cost in a budget."""

    budget: str
    unit: str
    smallest: int  # Every width 1.
    half: int  # Every width a half of what it is, rounded down, at least 1.
    own: int  # As the network is: what a pruning ends at, at most.
    double: int  # Every width twice as large.


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What `explain` finds. Printed it is for people, `to_json` is for programs.

    Attributes:
        name: Of the network.
        widths: In the order of the network.
        fixed: Channels that stay, in that order.
        rest: What no channels index, as layers that cannot be followed.
        unfollowed: By such a layer: its parameters.
        reachable: Parameters of weights that shrink with some width.
        budgets: Of every exact budget; none if the network is refused.
        refused: Why the network can be neither planned nor pruned; None if it can.
        open: Whether lengths of its inputs are open, and count as 1 in all costs.
    """

    name: str
    widths: tuple[Width, ...]
    fixed: tuple[Fixed, ...]
    rest: Share
    unfollowed: Mapping[str, int]
    reachable: int
    budgets: tuple[Reach, ...]
    refused: str | None = None
    open: bool = False
    drawing: picture.Drawing | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @classmethod
    def of(cls, reading: Reading) -> "Explanation":
        """The explanation of a model that was read."""
        shares = shares_of(reading.model, reading.graph)
        names = _names(reading)
        return cls(
            name=reading.name,
            widths=tuple(_widths(reading, shares, names)),
            fixed=tuple(_fixed(reading, shares)),
            rest=shares.rest,
            unfollowed=shares.layers,
            reachable=shares.reachable,
            budgets=tuple(_reaches(reading)),
            refused=reading.refused,
            open=reading.open,
            drawing=picture.Drawing(
                reading.name, reading.graph, reading.widths, names, _kinds(reading)
            ),
        )

    @property
    def total(self) -> Share:
        """What the whole network takes."""
        return sum((one.share for one in (*self.widths, *self.fixed)), self.rest)

    def svg(self) -> str:
        """The picture of the network: a colour a width, grey for what stays."""
        return self.drawing.svg()

    def draw(self, path: str | Path) -> None:
        """Writes the picture.

        Args:
            path: Of the SVG.

        Raises:
            InputError: it cannot be written, or another kind of file is there.
        """
        path = as_path(path, "path")
        try:
            check_kind(path, "picture", SVG)
            files.write_text(path, self.svg())
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}. Give another --picture."
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: what `ns_tf.inspect --output=json` prints."""
        names = [field.name for field in dataclasses.fields(self)]
        parts = {name: getattr(self, name) for name in names if name != "drawing"}
        return {
            **{name: _plain(value) for name, value in parts.items()},
            "total": _plain(self.total),
        }

    def __str__(self) -> str:
        parts = (self._head(), self._table(), self._stays(), self._reach())
        return "\n\n".join(
            text for text in ("\n".join(lines) for lines in parts) if text
        )

    def _head(self) -> Iterator[str]:
        """What is free, in a sentence or two."""
        total = self.total
        yield (
            f"{self.name}: {_count(len(self.widths), 'width')} free; "
            f"{_share(self.reachable, total.params)} of {total.params:,} parameters "
            f"shrink with them. {total.macs:,} MACs, "
            f"{total.activation_bytes:,} bytes of activations an example."
        )
        if self.open:
            yield (
                "Lengths that its inputs leave open count as 1. Of one input, "
                "--input_shape names them."
            )
        if self.refused:
            yield f"It can be neither planned nor pruned: {self.refused}"

    def _table(self) -> Iterator[str]:
        """A row a width."""
        if not self.widths:
            return
        total = self.total
        yield tables.plain(
            ("width", "filters", "params", "MACs", "activations", "", "shared with"),
            [
                (
                    one.name,
                    f"{one.filters}",
                    *_shares(one.share, total),
                    "",
                    _listed([name for name in one.layers if name != one.name]),
                )
                for one in self.widths
            ],
            align="<>>>><<",
        )
        most = max(self.widths, key=lambda one: len(one.layers))
        if len(most.layers) > 2:
            yield (
                f"{len(most.layers)} layers have the width of {most.name!r}, because "
                "additions or depthwise layers join them. A builder whose blocks "
                "project between widths makes several of it (docs/adding.md)."
            )

    def _stays(self) -> Iterator[str]:
        """What stays, by kind of reason, with what would free it."""
        total = self.total.params
        by_reason: dict[str, list[Fixed]] = {}
        for one in self.fixed:  # Reasons that differ in names alone are one kind.
            by_reason.setdefault(re.sub("'.*?'", "", one.reason), []).append(one)
        if by_reason or self.unfollowed:
            yield "What stays, and why:"
        for parts in by_reason.values():
            reasons = list(dict.fromkeys(one.reason for one in parts))
            more = f", and {len(reasons) - 1} more like it" if reasons[1:] else ""
            layers = _listed([name for one in parts for name in one.layers])
            params = sum(one.share.params for one in parts)
            yield f"  {layers} ({_share(params, total)} of params): {reasons[0]}{more}"
            if parts[0].advice:
                yield f"    to free it: {parts[0].advice}"
        if self.unfollowed:
            params = sum(self.unfollowed.values())
            yield (
                f"  {_listed(list(self.unfollowed))} ({_share(params, total)} of "
                "params): no channels of theirs are followed"
            )

    def _reach(self) -> Iterator[str]:
        """A row a budget."""
        if self.budgets:
            yield tables.plain(
                ("budget", "every width 1", "halved", "as it is", "doubled"),
                [
                    (
                        one.budget,
                        f"{one.smallest:,}",
                        f"{one.half:,}",
                        f"{one.own:,}",
                        f"{one.double:,}",
                    )
                    for one in self.budgets
                ],
            )


def _names(reading: Reading) -> tuple[str, ...]:
    """[widths]: the layer that each is named after."""
    if reading.structure:
        return reading.structure.names
    groups = reading.graph.groups
    return tuple(groups[group].name for group in reading.widths)


def _widths(reading: Reading, shares: Shares, names: Sequence[str]) -> Iterator[Width]:
    """Every width, with all groups that follow it."""
    graph, groups = reading.graph, reading.graph.groups
    for number, name in enumerate(names):
        own = [place for place, width in reading.widths.items() if width == number]
        layers = dict.fromkeys(
            (name, *(one for place in own for one in graph.layers_of(groups[place])))
        )
        filters = next(groups[p].size for p in own if name in groups[p].makers)
        share = sum((shares.groups[place] for place in own), Share())
        yield Width(name, filters, tuple(layers), share)


def _fixed(reading: Reading, shares: Shares) -> Iterator[Fixed]:
    """Every group that is no width's; nothing frees the output, whatever else holds."""
    graph = reading.graph
    channels = np.concatenate([graph.channels[tensor] for tensor in graph.outputs])
    outputs = set(graph.owner[channels[channels != NONE]].tolist())
    for place, group in enumerate(graph.groups):
        if place not in reading.widths:
            reason = group.frozen or "its size is no width of the architecture"
            if place in outputs:
                reason = OUTPUT
            yield Fixed(
                group.makers,
                group.size,
                reason,
                advice_for(reason),
                shares.groups[place],
            )


def _reaches(reading: Reading) -> Iterator[Reach]:
    """What every exact budget can be."""
    if reading.structure is None:
        return
    own = np.array(reading.structure.architecture.widths)
    for name, cost in exact_costs(reading.structure).items():
        sizes = np.ones_like(own), np.maximum(own // 2, 1), own, 2 * own
        yield Reach(name, cost.unit, *(int(cost(widths)) for widths in sizes))


def _kinds(reading: Reading) -> dict[str, str]:
    """By call of the graph: the class of what is called."""
    return {one.name: type(one).__name__ for one in reading.model.operations}


def _shares(one: Share, total: Share) -> tuple[str, ...]:
    """Its share of parameters, multiply-adds and activations, for people."""
    names = [field.name for field in dataclasses.fields(Share)]
    return tuple(_share(getattr(one, name), getattr(total, name)) for name in names)


def _share(part: int, whole: int) -> str:
    """A share for people.

    >>> _share(1, 8), _share(0, 0)
    ('12.5 %', '0.0 %')
    """
    return f"{100 * part / max(whole, 1):.1f} %"


def _count(number: int, what: str) -> str:
    """How many there are.

    >>> _count(1, "width"), _count(2, "width")
    ('1 width is', '2 widths are')
    """
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"


def _listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    >>> _listed(list("abcdefg"))
    'a, b, c, d and 3 more'
    """
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
