"""What a user decides about widths: which stay, which are one, what they may be."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ns_tf.base import InputError
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What widths may be.

    Layers are named, or patterns fit them as in `block1*`; a name stands for all layers
    that share the width. All wishes hold together. From Python, `widths_between` and
    `multiple_of` may be dictionaries, and a tie a tuple of names:

    >>> wishes = Wishes(
    ...     keep="stem", tie=[("a", "b")], widths_between={"c*": (8, None)},
    ...     multiple_of={"d": 8})
    >>> wishes.asked
    ('--keep=stem', '--tie=a:b', '--widths_between=c*:8:', '--multiple_of=d:8')

    Raises:
        InputError: a wish of another form.
    """

    keep: tuple[str, ...] = option(
        (), "Layers that keep all their filters: names, or patterns as block1*."
    )
    tie: tuple[str, ...] = option(
        (), "Layers that get the same number of filters, as a:b or block*_conv1."
    )
    widths_between: tuple[str, ...] = option(
        (), "Filters that layers have at least and at most, as stem:8:64 or block*::64."
    )
    multiple_of: tuple[str, ...] = option(
        (), "Layers whose filters are multiples of a number, as block*:8."
    )

    def __post_init__(self):
        for name, form in _FORMS.items():
            object.__setattr__(self, name, tuple(form(name, getattr(self, name))))
        self.between, self.multiples  # noqa: B018 - Refuses what is no number.

    @property
    def wishes(self) -> "Wishes":
        """These alone, of a value that has other settings too."""
        return Wishes(**{name: getattr(self, name) for name in _FORMS})

    @property
    def asked(self) -> tuple[str, ...]:
        """Every single wish as a flag."""
        return tuple(flag(n, item) for n in _FORMS for item in getattr(self, n))

    @property
    def ties(self) -> dict[str, tuple[str, ...]]:
        """By text of the tie: the names and patterns that it makes one."""
        return {text: tuple(text.split(":")) for text in self.tie}

    @property
    def between(self) -> dict[str, tuple[str, int | None, int | None]]:
        """By text: the name or pattern, and the least and the most filters."""
        parts = {
            text: _split("widths_between", text, 2) for text in self.widths_between
        }
        for text, (_, least, most) in parts.items():
            if None not in (least, most) and least > most:
                raise InputError(
                    f"{flag('widths_between', text)}: the first number is the least, "
                    f"the second the most; got {least} and {most}."
                )
        return parts

    @property
    def multiples(self) -> dict[str, tuple[str, int]]:
        """By text: the name or pattern, and the number."""
        parts = {text: _split("multiple_of", text, 1) for text in self.multiple_of}
        for text, (_, number) in parts.items():
            if number is None:
                raise InputError(
                    f"{flag('multiple_of', text)}: expected LAYER:NUMBER, as block*:8."
                )
        return parts


def flag(name: str, text: str) -> str:
    """A single wish as a flag.

    >>> flag("keep", "stem")
    '--keep=stem'
    """
    return f"--{name}={text}"


def _split(name: str, text: str, count: int) -> tuple:
    """A wish's layer and its numbers; None for a number that is left out.

    >>> _split("widths_between", "stem::64", 2)
    ('stem', None, 64)

    Raises:
        InputError: the text has another form.
    """
    layer, *numbers = text.rsplit(":", count)
    try:
        values = [int(number) if number else None for number in numbers]
    except ValueError:
        values = []
    if (
        not layer
        or len(values) != count
        or any(v is not None and v < 1 for v in values)
    ):
        form = "LAYER:LEAST:MOST, as stem:8:64" if count == 2 else "LAYER:NUMBER"
        raise InputError(
            f"{flag(name, text)}: expected {form}, of whole numbers from 1."
        )
    return (layer, *values)


def _names(name: str, value: Any) -> list[str]:
    """Layers, of one name or of several."""
    items = [value] if isinstance(value, str) else _items(name, value)
    return [_text(name, item) for item in items]


def _ties(name: str, value: Any) -> list[str]:
    """Ties, each a text as "a:b" or a tuple of names."""
    items = [value] if isinstance(value, str) else _items(name, value)
    return [
        _text(name, item if isinstance(item, str) else ":".join(_names(name, item)))
        for item in items
    ]


def _numbered(name: str, value: Any) -> list[str]:
    """Layers with numbers: texts, or a dictionary of names."""
    if not isinstance(value, Mapping):
        return _names(name, value)
    texts = []
    for layer, numbers in value.items():
        several = isinstance(numbers, (tuple, list))
        parts = [
            "" if n is None else str(n) for n in (numbers if several else [numbers])
        ]
        texts.append(":".join([_text(name, layer), *parts]))
    return texts


def _items(name: str, value: Any) -> list[Any]:
    """The items of a list or tuple.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    raise InputError(f"{name} is the names of layers; got {value!r}.")


def _text(name: str, value: Any) -> str:
    """A name.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} is the names of layers; got {value!r}.")
    return value


# By wish: how its values become texts as flags have them.
_FORMS: dict[str, Callable[[str, Any], list[str]]] = {
    "keep": _names,
    "tie": _ties,
    "widths_between": _numbered,
    "multiple_of": _numbered,
}
