"""Flags as text: written, read back, compared."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ns_tf.base import InputError
from ns_tf.run.option import Kind, options


def changeable(*config_classes: type) -> set[str]:
    """Names of the options that don't change results (`identity=False`)."""
    found = [option for one in config_classes for option in options(one)]
    return {f.name for f, _ in found if not f.metadata["option"]["identity"]}


def inherited(*config_classes: type) -> set[str]:
    """Names of the options that older runs left to their search (`inherited=True`)."""
    every = [field for one in config_classes for field, _ in options(one)]
    return {field.name for field in every if field.metadata["option"]["inherited"]}


def as_flagfile(configs: Iterable[Any]) -> str:
    """One `--name=value` a line for every field, for `--flagfile`, sorted by class.

    A field that is None by default is a comment while it is None.

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
    try:
        line = f"--{field.name}={kind.text(value)}"
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
    """The config of a flagfile that `as_flagfile` wrote; other classes' flags are left.

    Raises:
        InputError: a value that the flag does not take.
    """
    given = _assignments(text)
    try:
        return config_class(
            **{
                field.name: kind.parse(given[field.name])
                for field, kind in options(config_class)
                if field.name in given
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
    """What changed between two flagfiles, like `--seed: 0 -> 1`; empty if nothing did.

    Args:
        old_text: As `as_flagfile` wrote it.
        new_text: The same.
        ignore: Names of flags that may differ, as from `changeable`.
        defaults: As from `defaults`: what flags were that the old text knows nothing
            of. What is among neither them nor the new ones has no meaning any more.
        inherited: Names of flags that the old text may leave unset.
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
    """`differences` of flagfiles of these options, in what changes results."""
    return functools.partial(
        differences,
        ignore=changeable(*config_classes),
        defaults=defaults(*config_classes),
        inherited=inherited(*config_classes),
    )


def defaults(*config_classes: type) -> dict[str, str]:
    """Default of every option, as text; "" for what is not set."""
    return {
        field.name: kind.text(field.default) if field.default is not None else ""
        for one in config_classes
        for field, kind in options(one)
    }


def _assignments(text: str) -> dict[str, str]:
    # Not splitlines(), which also splits at characters that a value may have.
    lines = [line.strip() for line in text.split("\n")]
    pairs = [line[2:].partition("=") for line in lines if line.startswith("--")]
    return {name: value for name, _, value in pairs}
