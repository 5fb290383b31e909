"""Fields of a dataclass as options: their types, and their values as text.

A config is a frozen dataclass whose fields are `option`s. Each field is a flag
(`ns_tf.run.flags`), its default and its help; and a line of the flagfile that a run
folder keeps (`ns_tf.run.flagfile`).
"""

import dataclasses
import numbers
import operator
import os
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from ns_tf.base import InputError

# Types of single values, as errors name them.
WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
LARGEST_WHOLE = 2**31 - 1  # TensorFlow counts sizes and steps in 32 bits.


def option(
    default: Any,
    help: str,
    *,
    identity: bool = True,
    choices: Sequence[str] | None = None,
    inherited: bool = False,
    own: bool = False,
    most: int = LARGEST_WHOLE,
) -> Any:
    """A dataclass field that becomes a flag (`ns_tf.run.flags.define`).

    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     rate: float = option(0.1, "Step size.")
    ...     threads: int = option(1, "Threads.", identity=False)
    >>> Config(threads=4)
    Config(rate=0.1, threads=4)

    Args:
        default: A value of the field's type.
        help: A sentence for a person; `--help` adds the default and the choices.
        identity: False if another value gives the same results, as the number of
            threads does, so that a run may be continued with it.
        choices: The only values that the flag takes, of a tuple the only items.
        inherited: True if "not set" in an older run meant the value of its search, so
            that the run may be continued with that value written out.
        own: True if workers that compute one run together may each have another value,
            as the number of threads.
        most: Of whole numbers, the largest one, and with a minus the least one.
    """
    about = {"help": help, "identity": identity, "inherited": inherited, "own": own}
    about["most"] = most
    about["choices"] = None if choices is None else tuple(choices)
    return dataclasses.field(default=default, metadata={"option": about})


def flag_name(field: dataclasses.Field) -> str:
    """The flag of a field: its name, without the "_" that keeps off Python's words.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     import_: str = option("", "A table.")
    >>> flag_name(dataclasses.fields(Config)[0])
    'import'
    """
    return field.name.removesuffix("_")


@dataclasses.dataclass(frozen=True)
class Kind:
    """The type of an option: text to value and back, exactly.

    >>> Kind(float, many=True).parse("0.1, 3")
    (0.1, 3.0)
    >>> Kind(float, many=True).text((0.1, 3))
    '0.1,3.0'
    >>> Kind(int, optional=True).parse("") is None
    True
    """

    item: type  # int, float, str or bool.
    many: bool = False  # Whether values are tuples; in text, commas separate items.
    optional: bool = False  # Whether a value may be None; in text, it is empty.
    choices: tuple[str, ...] | None = None  # The only items, if not None.
    most: int = LARGEST_WHOLE  # The largest whole number, and its negative the least.
    numbers: bool = False  # Of text: whether Python may give a number in its place.

    def parse(self, text: str) -> Any:
        """The value that the text means.

        Raises:
            ValueError: if it means none; says what was expected.
        """
        if self.optional and text == "":
            return None
        if not self.many:
            return self._parse_item(text)
        parts = text.split(",") if text.strip() else []
        return tuple(self._parse_item(part.strip()) for part in parts)

    def _parse_item(self, text: str) -> Any:
        if self.choices and text not in self.choices:
            raise ValueError(f"expected one of {', '.join(self.choices)}.")
        try:
            if self.item is bool:
                return flags.BooleanParser().parse(text)
            value = self.item(text)
        except ValueError:
            words = WORDS[self.item]
            if self.many:
                words = f"{words} or several, separated by commas"
            raise ValueError(f"expected {words}.") from None
        return self._bounded(value)

    def _bounded(self, value: Any) -> Any:
        """The value of an item, if it is one that a flag can have.

        Raises:
            ValueError: a whole number out of range, or text that is no Unicode.
        """
        if self.item is int and abs(value) > self.most:
            raise ValueError(f"expected a whole number of at most {self.most}.")
        if self.item is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("expected text in UTF-8.") from None
        return value

    def coerce(self, value: Any) -> Any:
        """The value in exactly this type: 3 as 3.0 of a float, a list as a tuple.

        Raises:
            TypeError: if an option of whole numbers gets anything else.
            ValueError: if an option of floats gets what is no number, or a number is
                out of range.
        """
        if value is None and self.optional:
            return None
        exact = operator.index if self.item is int else self.item  # int(2.5) is 2.
        items = tuple(map(exact, value)) if self.many else (exact(value),)
        items = tuple(map(self._bounded, items))
        return items if self.many else items[0]

    def given(self, value: Any) -> Any:
        """A value that was given in Python, in exactly this type.

        In place of text a path will do, or a number where a field is text or a number;
        a number is made of no text.

        >>> Kind(float).given(3), Kind(int, many=True).given([2, 3])
        (3.0, (2, 3))
        >>> Kind(str, numbers=True).given(3)
        '3.0'

        Raises:
            ValueError: it is of another type, or out of range; says what was expected.
        """
        if value is None and self.optional:
            return None
        words = WORDS[self.item]
        if self.numbers:
            words = f"{words} or a number"
            if Kind(float)._sound(value):
                return repr(float(value))
        if self.many and isinstance(value, (str, bytes)):
            raise ValueError(f"expected several of {words}.")
        try:
            items = tuple(value) if self.many else (value,)
        except TypeError:
            raise ValueError(f"expected several of {words}.") from None
        if not all(map(self._sound, items)):
            raise ValueError(f"expected {words}.")
        if self.item is str:
            items = tuple(map(os.fspath, items))
        value = self.coerce(items if self.many else items[0])
        for item in items if self.choices else ():
            self._parse_item(item)  # Refuses what is no choice.
        return value

    def _sound(self, item: Any) -> bool:
        """Whether a value of Python is one of this type."""
        if self.item is str:
            return isinstance(item, (str, os.PathLike))
        if self.item is bool:
            return type(item).__name__ in ("bool", "bool_")
        if isinstance(item, bool):
            return False
        kind = numbers.Integral if self.item is int else numbers.Real
        return isinstance(item, kind)

    def text(self, value: Any) -> str:
        """The text from which `parse` makes exactly this value.

        Raises:
            TypeError: as of `coerce`.
            ValueError: if no text means the value, as of an item with a comma.
        """
        value = self.coerce(value)
        if value is None:
            return ""
        text = ",".join(map(_item_text, value)) if self.many else _item_text(value)
        if repr(self.parse(text)) != repr(value):
            raise ValueError(f"{value!r} cannot be written as the value of a flag.")
        return text


def _item_text(value: Any) -> str:
    """A single value as text; floats with all their digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def _kind(annotation: Any, choices: tuple[str, ...] | None, name: str) -> Kind:
    """The kind that an annotation means.

    Args:
        annotation: Of the field, as a type.
        choices: Of the option.
        name: Of the field with its class, for the error.

    Raises:
        ValueError: if no flag can be of that type.
    """
    optional = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    if optional:
        rest = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        if len(rest) == 1 and rest[0] in (int, float, str):
            return Kind(rest[0], optional=True, choices=choices)
        if rest == [str, float]:
            return Kind(str, choices=choices, numbers=True)
    elif annotation in WORDS:
        return Kind(annotation, choices=choices)
    elif typing.get_origin(annotation) is tuple:
        item, *rest = typing.get_args(annotation)
        if item in (int, float, str) and rest == [...]:
            return Kind(item, many=True, choices=choices)
    raise ValueError(
        f"Option {name} is {annotation}; flags are int, float, str, bool, "
        "int | None, float | None, str | None, str | float or tuples of any length."
    )


def options(config_class: type) -> list[tuple[dataclasses.Field, Kind]]:
    """Every field of a config class with its kind, in order.

    Args:
        config_class: A dataclass of `option`s.

    Raises:
        ValueError: for a field that is no option, or whose type no flag can have.
    """
    hints = typing.get_type_hints(config_class)
    pairs = []
    for field in dataclasses.fields(config_class):
        name = f"{config_class.__name__}.{field.name}"
        if "option" not in field.metadata:
            raise ValueError(f"{name} is no option: write `= option(default, help)`.")
        about = field.metadata["option"]
        kind = _kind(hints[field.name], about["choices"], name)
        pairs.append((field, dataclasses.replace(kind, most=about["most"])))
    return pairs


def made(config_class: type, values: Mapping[str, Any]) -> Any:
    """The config of values that were given in Python.

    Lists of texts pass as they are: their class knows the forms they may have.

    Args:
        config_class: A dataclass of `option`s.
        values: By field; others have their defaults.

    Raises:
        InputError: a value of another type than the field's, or out of range.
    """
    kinds = {field.name: kind for field, kind in options(config_class)}
    exact = {}
    for name, value in values.items():
        kind = kinds[name]
        try:
            texts = kind.many and kind.item is str
            exact[name] = value if texts else kind.given(value)
        except ValueError as error:
            expected = str(error).rstrip(".")
            got = reprlib.repr(value)
            raise InputError(f"{name}: {expected}; got {got}.") from error
    return config_class(**exact)
