"""Fields of a dataclass as options: what type they have, and their values as text."""

import dataclasses
import operator
import types
import typing
from collections.abc import Sequence
from typing import Any

from absl import flags

WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def option(
    default: Any,
    help: str,
    *,
    identity: bool = True,
    choices: Sequence[str] | None = None,
    inherited: bool = False,
) -> Any:
    """A dataclass field that `define` makes a flag of.

    Args:
        default: As the field's type says.
        help: A sentence for a person; the default and the choices need no mention.
        identity: False if another value gives the same results (threads, say), so
            that a run may be continued with it.
        choices: The only values (of a tuple: items) that the flag takes, if any.
        inherited: True if "not set" in an older run meant what its search says, so that
            the run may be continued with the value in full.
    """
    about = {"help": help, "identity": identity, "inherited": inherited}
    about["choices"] = None if choices is None else tuple(choices)
    return dataclasses.field(default=default, metadata={"option": about})


@dataclasses.dataclass(frozen=True)
class Kind:
    """The type of an option: text to value and back."""

    item: type  # int, float, str or bool.
    many: bool = False  # A tuple of items, separated by commas.
    optional: bool = False  # Empty text is None.
    choices: tuple[str, ...] | None = None

    def parse(self, text: str) -> Any:
        """The value; ValueError tells what was expected."""
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
            return self.item(text)
        except ValueError:
            words = WORDS[self.item]
            if self.many:
                words = f"{words} or several, separated by commas"
            raise ValueError(f"expected {words}.") from None

    def coerce(self, value: Any) -> Any:
        """The value in exactly this type, from one that is meant to be of it."""
        if value is None and self.optional:
            return None
        exact = operator.index if self.item is int else self.item  # int() truncates.
        return tuple(map(exact, value)) if self.many else exact(value)

    def text(self, value: Any) -> str:
        """What `parse` makes the value of; ValueError if there is no such text."""
        value = self.coerce(value)
        if value is None:
            return ""
        text = ",".join(map(_item_text, value)) if self.many else _item_text(value)
        if repr(self.parse(text)) != repr(value):
            raise ValueError(f"{value!r} cannot be written as the value of a flag.")
        return text


def _item_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def _kind(annotation: Any, choices: tuple[str, ...] | None, name: str) -> Kind:
    """The kind that a field's annotation means; ValueError if no flag can be it."""
    optional = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    if optional:
        rest = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        if len(rest) == 1 and rest[0] in (int, float, str):
            return Kind(rest[0], optional=True, choices=choices)
    elif annotation in WORDS:
        return Kind(annotation, choices=choices)
    elif typing.get_origin(annotation) is tuple:
        item, *rest = typing.get_args(annotation)
        if item in (int, float, str) and rest == [...]:
            return Kind(item, many=True, choices=choices)
    raise ValueError(
        f"Option {name} is {annotation}; flags are int, float, str, bool, "
        "int | None, float | None, str | None or tuples of any length."
    )


def options(config_class: type) -> list[tuple[dataclasses.Field, Kind]]:
    """Every field of the class with its kind; ValueError for a field without option."""
    hints = typing.get_type_hints(config_class)
    found = []
    for field in dataclasses.fields(config_class):
        name = f"{config_class.__name__}.{field.name}"
        if "option" not in field.metadata:
            raise ValueError(f"{name} is no option: write `= option(default, help)`.")
        choices = field.metadata["option"]["choices"]
        found.append((field, _kind(hints[field.name], choices, name)))
    return found
