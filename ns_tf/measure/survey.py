"""What is measured of a network: its layer shapes, at which channels, which wholes."""

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import Widths
from ns_tf.budgets import exact_costs
from ns_tf.devices.cost import Form, Use
from ns_tf.devices.device import Network
from ns_tf.devices.tables import Table
from ns_tf.measure.units import Unit, held, units_of
from ns_tf.networks.structure import Structure

_LEAST = 0.15  # Of the largest width, in the whole networks that are measured.
_BETWEEN = 3  # Of so many whole networks one is measured between the multiples, too.
_USUAL = 0.3  # Of the largest width, in the network that shows how fast the machine is.


@dataclasses.dataclass(frozen=True)
class Detail:
    """How finely a network is measured."""

    step: int = 8  # Channels are multiples of this, and 1.
    points: int = 7  # The most entries on one axis of a table.
    networks: int = 12  # Whole networks, of widths as in the tables.


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """A layer shape, and the channels at which it is measured."""

    unit: Unit  # One of this shape.
    reads: np.ndarray  # [r]
    makes: np.ndarray  # [m]

    @property
    def points(self) -> list[tuple[int, int]]:
        """(reads, makes) of every entry of the table, row by row."""
        return [(int(r), int(m)) for r in self.reads for m in self.makes]

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """[r, m]: millions of weights at every entry of the table.

        Their number is bilinear in what is read and made, so the corners tell it. Of a
        unit with one axis, which may read as many as it makes, it is counted at every
        entry.
        """
        reads, makes = self.reads, self.makes
        if min(len(reads), len(makes)) > 1:
            reads, makes = reads[[0, -1]], makes[[0, -1]]
        known = [
            [self.unit.weights(int(r), int(m)) / 1e6 for m in makes] for r in reads
        ]
        table = Table("", reads, makes, np.array(known), np.zeros(4))
        return table.at(self.reads[:, None], self.makes[None])


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
    """All that is measured of a network.

    Attributes:
        structure: Of the network.
        network: By which plans recognise it.
        shapes: Its layer shapes.
        uses: Its layers, each of a shape.
        whole: The widths of whole networks that are measured, multiples of the step.
        between: Those of a few of them, shifted to widths that are no multiples.
        usual: Those of a network that is timed with every layer shape.
    """

    structure: Structure
    network: Network
    shapes: tuple[Shape, ...]
    uses: tuple[Use, ...]
    whole: tuple[Widths, ...]
    between: tuple[Widths, ...]
    usual: Widths
    step: int

    @classmethod
    def of(
        cls, structure: Structure, largest: Sequence[int], detail: Detail
    ) -> "Survey":
        """The survey of a network whose layers may be up to `largest` wide.

        Args:
            structure: Of the network.
            largest: [layers]
            detail: How finely.

        Raises:
            InputError: a layer whose time is no table (`ns_tf.measure.units`).
        """
        units = units_of(structure)
        own = held(units, structure)
        largest = np.array(_with(own, [largest])[0])
        by_key: dict[str, list[Unit]] = {}
        for unit in units:
            by_key.setdefault(unit.key, []).append(unit)
        shapes = [_shape(alike, largest, detail) for alike in by_key.values()]
        places = {key: place for place, key in enumerate(by_key)}
        network = Network(
            structure.architecture.name,
            structure.names,
            structure.input_shape,
            structure.classes,
            exact_costs(structure)["macs"],
            tuple(int(width) for width in largest),
        )
        uses = [Use(places[u.key], *u.forms, u.differ, u.layers) for u in units]
        step, whole = detail.step, _with(own, _networks(largest, detail))
        some = whole[: math.ceil(len(whole) / _BETWEEN)] if step > 1 else ()
        pairs = zip(some, _with(own, _between(some, step)), strict=True)
        return cls(
            structure,
            network,
            tuple(shapes),
            tuple(uses),
            whole,
            tuple(moved for one, moved in pairs if moved != one),
            *_with(own, [multiples(_USUAL * largest, largest, step)]),
            step,
        )

    @property
    def networks(self) -> tuple[Widths, ...]:
        """All whole networks, those between the multiples last."""
        return self.whole + self.between

    @property
    def count(self) -> int:
        """How many models are measured."""
        return sum(len(shape.points) for shape in self.shapes) + len(self.networks)

    def identity(self) -> dict[str, Any]:
        """Plain values that are equal for surveys of the same models."""
        return {
            "network": self.network.identity(),
            "shapes": [
                [s.unit.key, s.reads.tolist(), s.makes.tolist()] for s in self.shapes
            ],
            "whole": [list(widths) for widths in self.networks],
        }

    @property
    def digest(self) -> str:
        """Six digits of a hash of the identity."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:6]


def axis(low: int, high: int, step: int, points: int) -> list[int]:
    """Whole numbers from low to high at which something is measured.

    Both ends and the multiples of `step` between; where they are too many, those that
    are nearest to a geometric series.

    >>> axis(1, 32, 8, 7), axis(1, 512, 8, 7)
    ([1, 8, 16, 24, 32], [1, 8, 16, 40, 96, 224, 512])

    Args:
        low: The first.
        high: The last.
        step: Between two.
        points: The most.
    """
    inner = [n for n in range(step, high, step) if n > low]
    if len(inner) + 2 > points and inner:
        series = np.geomspace(inner[0], high, points - 1)[:-1]
        inner = [max(step, step * round(n / step)) for n in series]
    return sorted({low, *inner, high})


def _shape(units: Sequence[Unit], largest: Sequence[int], detail: Detail) -> Shape:
    """The layer shape of equal units; its axes reach what any of them may have."""
    reads, makes = zip(*(unit.forms for unit in units), strict=True)
    single = not any(form.times for form in makes) or not any(f.times for f in reads)
    points = 2 * detail.points if single else detail.points
    axes = [_channels(forms, largest, detail.step, points) for forms in (reads, makes)]
    return Shape(units[0], *axes)


def _channels(
    forms: Sequence[Form], largest: Sequence[int], step: int, points: int
) -> np.ndarray:
    """Numbers of channels at which a shape is measured.

    A form of several times a width, as of a flattened map, has no numbers between.
    """
    constant = forms[0].constant
    unit = math.gcd(*(times for form in forms for _, times in form.times))
    if not unit:
        return np.array([constant])
    ends = [
        [sum(times * end[w] for w, times in form.times) // unit for form in forms]
        for end in (np.ones(len(largest), int), largest)
    ]
    return constant + unit * np.array(axis(min(ends[0]), max(ends[1]), step, points))


def multiples(widths: np.ndarray, largest: np.ndarray, step: int) -> Widths:
    """The nearest widths that tables have: multiples of a step, or the largest.

    Widths below half a step stay: there is none that is near.

    >>> multiples(np.array([3, 20, 36]), np.array([40, 40, 37]), 8)
    (3, 16, 37)

    Args:
        widths: [layers]
        largest: [layers] the largest widths.
        step: Between two widths of a table.
    """
    near = np.round(widths / step) * step
    near = np.where(near > 0, near, np.maximum(np.round(widths), 1))
    ends = np.abs(largest - widths) < np.abs(near - widths)
    near = np.where(ends, largest, np.minimum(near, largest))
    return tuple(int(width) for width in near)


def _with(own: Mapping[int, int], networks: Sequence[Widths]) -> tuple[Widths, ...]:
    """Networks whose widths of `own` are as given there."""
    return tuple(
        tuple(own.get(place, width) for place, width in enumerate(widths))
        for widths in networks
    )


def _networks(largest: np.ndarray, detail: Detail) -> tuple[Widths, ...]:
    """Widths of whole networks: uniform ones and, in turns, any between."""
    rng = np.random.default_rng(0)
    shares = np.geomspace(1, _LEAST, max(detail.networks, 1))
    found = []
    for place in range(detail.networks):
        spread = rng.uniform(_LEAST, 1, len(largest)) if place % 2 else 1
        share = spread if place % 2 else shares[place]
        found.append(multiples(share * largest, largest, detail.step))
    return tuple(found)


def _between(whole: Sequence[Widths], step: int) -> tuple[Widths, ...]:
    """Networks of nearly the widths of others, those above the step no multiples."""
    shift = np.arange(len(whole[0]) if whole else 0) % max(step - 1, 1) + 1
    down = [np.where(np.array(one) > step, one - shift, one) for one in whole]
    down = [np.where((one > step) & (one % step == 0), one - 1, one) for one in down]
    return tuple(tuple(int(width) for width in widths) for widths in down)
