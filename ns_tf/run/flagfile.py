"""Flags as text: written, read back, compared.

A run folder keeps the flags of its run as such a text, `run.flags`, which is also a
flagfile for `--flagfile=`. A run is continued only if its flags agree in everything
that changes results.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ns_tf.base import InputError
from ns_tf.run import paths, seal
from ns_tf.run.option import Kind, flag_name, options


def changeable(*config_classes: type) -> set[str]:
    """Names of the options that do not change results (`identity=False`).

    Args:
        *config_classes: Dataclasses of options.
    """
    return _names("identity", False, config_classes)


def inherited(*config_classes: type) -> set[str]:
    """Names of the options that older runs left to their search (`inherited=True`).

    Args:
        *config_classes: Dataclasses of options.
    """
    return _names("inherited", True, config_classes)


def own(*config_classes: type) -> set[str]:
    """Names of the options of which every worker may have a value (`own=True`).

    Args:
        *config_classes: Dataclasses of options.
    """
    return _names("own", True, config_classes)


def _names(about: str, value: bool, config_classes: Iterable[type]) -> set[str]:
    """Names of the options of which `ns_tf.run.option.option` was told this."""
    fields = [field for one in config_classes for field, _ in options(one)]
    return {f.name for f in fields if f.metadata["option"][about] is value}


def as_flagfile(configs: Iterable[Any]) -> str:
    """One line `--name=value` for every field, for `--flagfile`, sorted by class.

    A field that is None, as is its default, becomes a comment.

    >>> from ns_tf.run.option import option
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     rate: float = option(0.1, "Step size.")
    ...     params: int | None = option(None, "Parameters, at most.")
    >>> print(as_flagfile([Config(rate=0.5)]), end="")
    # Config
    --rate=0.5
    # --params=

    Args:
        configs: Instances of config classes.

    Raises:
        InputError: a value that no line of a flagfile can hold.
        ValueError: two configs disagree on an option that they share.
    """
    lines: list[str] = []
    values: dict[str, str] = {}
    for config in sorted(configs, key=lambda config: type(config).__name__):
        lines.append(f"# {type(config).__name__}")
        for field, kind in options(type(config)):
            line = _flagfile_line(field, kind, getattr(config, field.name))
            if values.setdefault(field.name, line) != line:
                raise ValueError(f"Configs differ: {values[field.name]} and {line}.")
            if line not in lines:
                lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _flagfile_line(field: dataclasses.Field, kind: Kind, value: Any) -> str:
    """The line of one field; InputError if no line can hold the value."""
    try:
        line = f"--{flag_name(field)}={kind.text(value)}"
        line.encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"--{field.name}={value!r}: {error}") from error
    # absl reads a flagfile line by line and strips every line.
    if line != line.strip() or "\n" in line or "\r" in line:
        raise InputError(
            f"--{field.name}={value!r} cannot be kept in a flagfile: give a value "
            "without line breaks and without blanks at its end."
        )
    return f"# {line}" if value is None and field.default is None else line


def from_flagfile(config_class: type, text: str) -> Any:
    """The config that `as_flagfile` wrote.

    Flags of other classes are passed over; a flag that is missing has its default.

    Args:
        config_class: A dataclass of options.
        text: The flagfile.

    Raises:
        InputError: a value that the flag does not take, or that the class refuses.
    """
    assigned = _assignments(text)
    try:
        return config_class(
            **{
                field.name: kind.parse(assigned[flag_name(field)])
                for field, kind in options(config_class)
                if flag_name(field) in assigned
            }
        )
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"The run folder's flags are damaged: {error}.") from error


def differences(
    old_text: str,
    new_text: str,
    ignore: Iterable[str] = (),
    defaults: Mapping[str, str] | None = None,
    inherited: Iterable[str] = (),
) -> list[str]:
    """What changed between two flagfiles, one text a flag; empty if nothing did.

    >>> old, new = "--seed=0\\n--threads=1\\n", "--seed=1\\n--threads=2\\n"
    >>> differences(old, new, ignore={"threads"})
    ['--seed: 0 -> 1']

    Args:
        old_text: As `as_flagfile` wrote it.
        new_text: As `as_flagfile` wrote it.
        ignore: Names of flags that may differ, as from `changeable`.
        defaults: As from `defaults`: the values of flags that are younger than the old
            text. Flags of the old text that are neither here nor in the new text are
            retired, and passed over.
        inherited: Names of flags that the old text may leave unset, as from
            `inherited`.
    """
    old, new = _assignments(old_text), _assignments(new_text)
    if defaults:
        old = {n: v for n, v in {**defaults, **old}.items() if n in {**defaults, **new}}
    unset = {name for name in inherited if not old.get(name)}
    names = [name for name in {**old, **new} if name not in {*ignore, *unset}]
    return [
        f"--{name}: {old.get(name) or 'not set'} -> {new.get(name) or 'not set'}"
        for name in names
        if (old.get(name) or "") != (new.get(name) or "")
    ]


def comparison(*config_classes: type) -> Callable[[str, str], list[str]]:
    """A function (old text, new text) -> `differences` in what changes results.

    Args:
        *config_classes: The classes whose options the texts hold.
    """
    return functools.partial(
        differences,
        ignore=changeable(*config_classes),
        defaults=defaults(*config_classes),
        inherited=inherited(*config_classes),
    )


def defaults(*config_classes: type) -> dict[str, str]:
    """By name: the default of every option as text, "" if it is None.

    Args:
        *config_classes: Dataclasses of options.
    """
    return {
        field.name: kind.text(field.default) if field.default is not None else ""
        for one in config_classes
        for field, kind in options(one)
    }


def expanded(arguments: Iterable[str], within: tuple[str, ...] = ()) -> Iterator[str]:
    """The arguments of a command, with the lines of flagfiles in their places.

    Empty lines and those that begin with `#` or `//` are left out. What follows `--`
    stays as it is. In place of absl's own reading, which waits for FIFOs, and passes
    over files that name each other. A pipe of the shell, `--flagfile=<(...)`, is read.

    Args:
        arguments: Without the command's name.
        within: The flagfiles that the arguments are of, the outermost first.

    Raises:
        InputError: a flagfile that cannot be read, is damaged, or includes itself.
    """
    rest = iter(arguments)
    for argument in rest:
        name, given, path = argument.partition("=")
        if name not in ("--flagfile", "-flagfile"):
            yield argument
        else:
            path = path if given else next(rest, None)
            if path is None:
                raise InputError("Missing value for flag --flagfile. See --help.")
            yield from _lines_of(os.path.expanduser(path.strip()), within)
        if argument == "--":
            yield from rest


def _lines_of(path: str, within: tuple[str, ...]) -> Iterator[str]:
    """The flags of a flagfile, as `expanded`; none of one without a name."""
    if not path:
        return
    around = [os.path.realpath(one) for one in within]
    if os.path.realpath(path) in around:
        ring = " -> ".join((*within[around.index(os.path.realpath(path)) :], path))
        raise InputError(
            f"Flagfiles include each other: {ring}. Take the line --flagfile={path} "
            f"out of {within[-1]}."
        )
    lines = [line.strip() for line in _text_of(path).split("\n")]
    flags = [line for line in lines if line and not line.startswith(("#", "//"))]
    yield from expanded(flags, (*within, path))


def _text_of(path: str) -> str:
    """The text of a flagfile, of a user or of a run folder.

    Raises:
        InputError: it cannot be read, or is other than its checksum says.
    """
    try:
        return seal.content_of(paths.read_given(path), seal.LINES).decode()
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"--flagfile={path} cannot be read: {error.strerror}. Check the path; it "
            "is relative to the working directory."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"--flagfile={path} is no text: {error}.") from error
    except ValueError as error:
        raise InputError(
            f"--flagfile={path} is damaged ({error}). Restore it from a copy."
        ) from error


def _assignments(text: str) -> dict[str, str]:
    """By name: the text of the value of every flag in a flagfile."""
    # Not splitlines(), which also splits at other characters, which values may have.
    lines = [line.strip() for line in text.split("\n")]
    pairs = [line[2:].partition("=") for line in lines if line.startswith("--")]
    return {name: value for name, _, value in pairs}
