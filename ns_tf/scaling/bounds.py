"""Wishes of a user for the widths of one network: which widths they are of."""

import dataclasses
from collections.abc import Iterable, Sequence

from ns_tf.base import InputError, Widths
from ns_tf.registry import fitting, no_layer
from ns_tf.scaling.config import Wishes, flag

LARGEST_WIDTH = 2**16  # The largest width where nothing else is said.


@dataclasses.dataclass(frozen=True)
class Bound:
    """One wish, of the widths that it is of."""

    wish: str  # As a flag, for errors.
    places: tuple[int, ...]  # Of the widths.
    low: int = 1
    high: int = LARGEST_WIDTH
    step: int = 1  # Widths are multiples of it.
    keeps: bool = False  # Whether each width stays as it is.
    ties: bool = False  # Whether the widths are one number.


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The wishes for a network's widths."""

    names: tuple[str, ...]  # [layers]
    own: Widths  # [layers]: filters of a layer that is kept.
    each: tuple[Bound, ...]

    def __bool__(self) -> bool:
        return bool(self.each)

    def without(self, bound: Bound) -> "Bounds":
        """All the others."""
        return dataclasses.replace(
            self, each=tuple(one for one in self.each if one is not bound)
        )

    def check_ties(self) -> None:
        """Refuses ties of layers that have different sizes now.

        Raises:
            InputError: naming the tie and the sizes.
        """
        for bound in self.each:
            sizes = {self.names[place]: self.own[place] for place in bound.places}
            if bound.ties and len(set(sizes.values())) > 1:
                told = ", ".join(f"{name} {size}" for name, size in sizes.items())
                raise InputError(
                    f"{bound.wish}: only layers of one size can be tied in a network "
                    f"that is trained; they have {told} filters."
                )

    def of(self, place: int) -> list[str]:
        """The wishes for a width, as flags."""
        return [bound.wish for bound in self.each if place in bound.places]

    @property
    def kept(self) -> set[int]:
        """Places of the widths that stay as they are."""
        return {place for one in self.each if one.keeps for place in one.places}

    @property
    def tied(self) -> tuple[tuple[int, ...], ...]:
        """The sets of two or more widths that are one number, each in order.

        Ties that share a width are one:

        >>> ties = [Bound("--tie=a:b", (0, 1), ties=True),
        ...         Bound("--tie=b:d", (1, 3), ties=True)]
        >>> Bounds(("a", "b", "c", "d"), (3, 3, 5, 3), tuple(ties)).tied
        ((0, 1, 3),)
        """
        sets: list[set[int]] = []
        for bound in self.each:
            if bound.ties:
                joined = set(bound.places).union(
                    *(one for one in sets if one & set(bound.places))
                )
                sets = [one for one in sets if not one & joined] + [joined]
        return tuple(sorted(tuple(sorted(one)) for one in sets))


def bounds_of(wishes: Wishes, layers: Sequence[Sequence[str]], own: Widths) -> Bounds:
    """The wishes for a network, each with the widths that it is of.

    >>> layers = [("stem", "block1_conv2"), ("block1_conv1",)]
    >>> bounds = bounds_of(Wishes(keep=("block1_conv2",)), layers, (16, 24))
    >>> bounds.each[0].places, bounds.names
    ((0,), ('stem', 'block1_conv1'))

    Args:
        wishes: By names of layers.
        layers: [widths]: the layers that have each width; the first names it.
        own: [widths]: filters of the network that the wishes are about.

    Raises:
        InputError: a name that no layer with a width has (says the nearest), or a tie
            of less than two widths.
    """
    each = [
        Bound(flag("keep", name), _places("keep", name, [name], layers), keeps=True)
        for name in wishes.keep
    ]
    for text, patterns in wishes.ties.items():
        places = _places("tie", text, patterns, layers)
        if len(places) < 2:
            raise InputError(
                f"{flag('tie', text)} is one width; a tie has two or more, as a:b."
            )
        each.append(Bound(flag("tie", text), places, ties=True))
    for text, (name, low, high) in wishes.between.items():
        places = _places("widths_between", text, [name], layers)
        each.append(
            Bound(
                flag("widths_between", text),
                places,
                low=low or 1,
                high=high or LARGEST_WIDTH,
            )
        )
    for text, (name, step) in wishes.multiples.items():
        places = _places("multiple_of", text, [name], layers)
        each.append(Bound(flag("multiple_of", text), places, step=step))
    return Bounds(tuple(names[0] for names in layers), tuple(own), tuple(each))


def _places(
    wish: str, text: str, patterns: Iterable[str], layers: Sequence[Sequence[str]]
) -> tuple[int, ...]:
    """Places of the widths that names or patterns fit.

    Args:
        wish: Its name.
        text: Its value.
        patterns: Names of layers, or patterns of them.
        layers: [widths]: the layers of each.

    Raises:
        InputError: one fits none.
    """
    found: set[int] = set()
    for pattern in patterns:
        here = {i for i, names in enumerate(layers) if fitting(names, pattern)}
        if not here:
            known = [name for names in layers for name in names]
            raise no_layer(flag(wish, text), pattern, known)
        found |= here
    return tuple(sorted(found))
