"""Flags made from config dataclasses: a field is the flag, its default, its help."""

import dataclasses
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from absl import flags
from absl import logging as logging  # Defines --verbosity and others before ours.

from ns_tf.base import InputError
from ns_tf.run.option import WORDS, Kind, options

# Else `--helpfull` files the flags made here under this module, not the command's.
flags.disclaim_key_flags()


_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT"}


class _Parser(flags.ArgumentParser):
    def __init__(self, kind: Kind):
        self.kind = kind

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, str):
            return self.kind.parse(argument)
        return self.kind.coerce(argument)

    def flag_type(self) -> str:
        return WORDS[self.kind.item]


class _Serializer(flags.ArgumentSerializer):
    def __init__(self, kind: Kind):
        self.kind = kind

    def serialize(self, value: Any) -> str:
        return self.kind.text(value)


class _OptionFlag(flags.Flag):
    """A flag that knows the option that it was made of."""

    def __init__(self, field: dataclasses.Field, kind: Kind, group: str):
        about = field.metadata["option"]
        default_text = kind.text(field.default)  # Also a check of the default.
        self.kind, self.group = kind, group
        self.same = (kind, default_text, about["help"], about["identity"])
        super().__init__(
            _Parser(kind),
            _Serializer(kind),
            field.name,
            field.default,
            about["help"],
            boolean=kind.item is bool,
        )


def define(config_class: type, *, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Makes a flag of every field of the dataclass.

    A flag of the same name that another config class made is shared, if both fields
    are the same option.

    Raises:
        ValueError: another option or a flag of absl has the name, or the type of a
            field is none that a flag can have.
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
    doc = config_class.__doc__ or ""
    # Without a docstring, dataclasses write the signature there.
    written = doc and not doc.startswith(f"{config_class.__name__}(")
    return doc.strip().splitlines()[0].rstrip(".") if written else config_class.__name__


def read(config_class: type, *, flag_values: flags.FlagValues = flags.FLAGS) -> Any:
    """The instance of the dataclass that the parsed flags describe.

    Raises:
        InputError: from the dataclass's own `__post_init__`.
        absl.flags.UnparsedFlagAccessError: if the flags were not parsed yet.
    """
    fields = dataclasses.fields(config_class)
    return config_class(**{f.name: getattr(flag_values, f.name) for f in fields})


def parse(argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Parses a command line, the command's name first, into the flags.

    Raises:
        InputError: for whatever is wrong with it.
    """
    try:
        rest = flag_values(argv)[1:]
    except flags.CantOpenFlagFileError as error:
        reason = error.__context__
        raise InputError(
            f"--flagfile={getattr(reason, 'filename', '')} cannot be read: "
            f"{getattr(reason, 'strerror', error)}. Check the path; it is relative to "
            "the working directory."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"A flagfile is no text: {error}.") from error
    except (flags.Error, ValueError) as error:
        text = str(error).replace(" ?", "?").rstrip(".")
        stop = "" if text.endswith("?") else "."
        raise InputError(f"{text}{stop} See --help.") from error
    if rest:
        raise InputError(
            f"Expected only flags, as --name=value; got {rest[0]!r}. See --help."
        )


def read_file(path: str, *config_classes: type) -> dict[type, Any]:
    """The configs that a flagfile describes, by class; it may name other flagfiles.

    Raises:
        InputError: it cannot be read, or has a flag that none of them knows.
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
    """Every option with its help and default, in the order of definition, by class."""
    width = min(shutil.get_terminal_size().columns, 100)
    groups: dict[str, list[str]] = {}
    for flag in (flag_values[name] for name in flag_values):
        if isinstance(flag, _OptionFlag):
            groups.setdefault(flag.group, []).append(_flag_help(flag, width))
    return "\n\n".join(f"{title}:\n" + "\n".join(g) for title, g in groups.items())


def _flag_help(flag: _OptionFlag, width: int) -> str:
    kind, default = flag.kind, flag.kind.text(flag.default)
    head = f"--[no]{flag.name}"
    if not flag.boolean:
        metavar = "|".join(kind.choices) if kind.choices else _METAVARS[kind.item]
        head = f"--{flag.name}={metavar}{',...' if kind.many else ''}"
    told = f"{flag.help} (default: {default})" if default else flag.help
    body = textwrap.fill(told, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  {head}\n{body}"
