"""Flags made from config dataclasses: a field is the flag, its default, its help.

Flags are absl's, in its global set unless a caller gives another. A command defines the
flags of its config classes, parses the command line, and reads one instance of every
class (`ns_tf.cli.run`).
"""

import dataclasses
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from absl import flags
from absl import logging as logging  # Defines --verbosity and others before ours.

from ns_tf.base import InputError
from ns_tf.run.flagfile import expanded
from ns_tf.run.option import WORDS, Kind, flag_name, options

# `--helpfull` lists flags by the module that defines them; without this line all flags
# would stand under this module in place of the command's.
flags.disclaim_key_flags()


# What `--help` writes for the value of a flag.
_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT"}


class _Parser(flags.ArgumentParser):
    """Text of the command line to the value of an option, as absl asks for it."""

    def __init__(self, kind: Kind):
        self.kind = kind

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, str):
            return self.kind.parse(argument)
        return self.kind.coerce(argument)

    def flag_type(self) -> str:
        return WORDS[self.kind.item]


class _Serializer(flags.ArgumentSerializer):
    """The value of an option to text, as absl asks for it."""

    def __init__(self, kind: Kind):
        self.kind = kind

    def serialize(self, value: Any) -> str:
        return self.kind.text(value)


class _OptionFlag(flags.Flag):
    """The flag of an option.

    Args:
        field: The option.
        kind: Its type.
        group: Title of its config class in `--help`.

    Raises:
        TypeError, ValueError: if the default is not of the type.
    """

    def __init__(self, field: dataclasses.Field, kind: Kind, group: str):
        about = field.metadata["option"]
        default_text = kind.text(field.default)  # Checks the default, too.
        self.kind, self.group = kind, group
        # Flags of equal values here are one flag, which config classes may share.
        self.same = (kind, default_text, about["help"], about["identity"])
        super().__init__(
            _Parser(kind),
            _Serializer(kind),
            flag_name(field),
            field.default,
            about["help"],
            boolean=kind.item is bool,
        )


def define(config_class: type, *, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Makes a flag of every field of a config class.

    Two config classes share a flag if their fields of that name have equal type,
    default, help, choices and `identity`.

    Args:
        config_class: A dataclass of `ns_tf.run.option.option`s.
        flag_values: Where the flags go.

    Raises:
        TypeError: a default is not of the field's type.
        ValueError: another option or a flag of absl has the name, or a flag cannot be
            of the type of a field.
    """
    group = _title(config_class)
    for field, kind in options(config_class):
        flag = _OptionFlag(field, kind, group)
        if flag.name not in flag_values:
            flags.DEFINE_flag(flag, flag_values)
            continue
        taken = flag_values[flag.name]
        if not isinstance(taken, _OptionFlag) or taken.same != flag.same:
            raise ValueError(
                f"--{flag.name} of {config_class.__name__} is already another flag "
                f"({taken.help!r}, default {taken.default!r}): make type, default and "
                "help equal, or rename it."
            )


def _title(config_class: type) -> str:
    """The first line of the class's docstring, or its name if it has none."""
    doc = config_class.__doc__ or ""
    # Of a dataclass without docstring, Python makes the signature its docstring.
    written = doc and not doc.startswith(f"{config_class.__name__}(")
    return doc.strip().splitlines()[0].rstrip(".") if written else config_class.__name__


def read(config_class: type, *, flag_values: flags.FlagValues = flags.FLAGS) -> Any:
    """The config that the parsed flags describe.

    Args:
        config_class: A class whose flags are defined.
        flag_values: Where the flags are.

    Raises:
        InputError: from the dataclass's own `__post_init__`.
        absl.flags.UnparsedFlagAccessError: if the flags were not parsed yet.
    """
    fields = dataclasses.fields(config_class)
    return config_class(**{f.name: getattr(flag_values, flag_name(f)) for f in fields})


def parse(argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Parses a command line into the flags; flagfiles stand for their lines.

    Args:
        argv: The command's name, then its arguments.
        flag_values: Where the flags are defined.

    Raises:
        InputError: an unknown flag, a wrong value, a flagfile that cannot be read, or
            an argument that is no flag.
    """
    try:
        rest = flag_values([argv[0], *expanded(argv[1:])])[1:]
    except InputError:
        raise
    except (flags.Error, ValueError) as error:
        text = str(error).replace(" ?", "?").rstrip(".")
        stop = "" if text.endswith("?") else "."
        raise InputError(f"{text}{stop} See --help.") from error
    if rest:
        raise InputError(
            f"Expected only flags, as --name=value; got {rest[0]!r}. See --help."
        )


def read_file(path: str, *config_classes: type) -> dict[type, Any]:
    """By class: the config that a user's flagfile describes.

    Args:
        path: The flagfile; it may name others by `--flagfile=`.
        *config_classes: Classes whose flags it may have.

    Raises:
        InputError: it cannot be read, or has a flag that none of the classes has.
    """
    values = flags.FlagValues()
    for one in config_classes:
        define(one, flag_values=values)
    try:
        parse(["flagfile", f"--flagfile={path}"], values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return {one: read(one, flag_values=values) for one in config_classes}


def help_text(flag_values: flags.FlagValues = flags.FLAGS) -> str:
    """The text of `--help`: every option with its help and default.

    Options stand below the title of the config class that defined them first, in the
    order of definition, wrapped to the width of the terminal.

    Args:
        flag_values: Where the flags are defined.
    """
    width = min(shutil.get_terminal_size().columns, 100)
    groups: dict[str, list[str]] = {}
    for flag in (flag_values[name] for name in flag_values):
        if isinstance(flag, _OptionFlag):
            groups.setdefault(flag.group, []).append(_flag_help(flag, width))
    return "\n\n".join(f"{title}:\n" + "\n".join(g) for title, g in groups.items())


def _flag_help(flag: _OptionFlag, width: int) -> str:
    """The lines of `--help` of one flag, of at most `width` characters."""
    kind, default = flag.kind, flag.kind.text(flag.default)
    head = f"--[no]{flag.name}"
    if not flag.boolean:
        metavar = "|".join(kind.choices) if kind.choices else _METAVARS[kind.item]
        head = f"--{flag.name}={metavar}{',...' if kind.many else ''}"
    text = f"{flag.help} (default: {default})" if default else flag.help
    body = textwrap.fill(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  {head}\n{body}"
