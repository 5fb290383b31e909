"""Registries: the members of a kind by name, and how a name is written.

A kind is a set of things that users choose by name: architectures, budgets, criteria,
data sets, methods, file formats. The package's own members lie one a file in the folder
of their kind; a user's file adds others with the same decorator.
"""

import ast
import difflib
import fnmatch
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from ns_tf.base import PART, InputError

Member = TypeVar("Member")
_LISTED = 40  # Names of layers that an error lists.


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that nobody registered; suggests the nearest known one.

    >>> print(unknown("budget", "parms", ["macs", "params"]))
    Unknown budget 'parms'. Did you mean 'params'? Known: macs, params.

    Args:
        kind: What the name should be a name of.
        name: What was given.
        known: The names that exist.
    """
    known = sorted(known)
    listing = f"Known: {', '.join(known)}." if known else "There are none."
    return InputError(f"Unknown {kind} {name!r}.{_nearest(name, known)} {listing}")


def no_layer(flag: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name or pattern that fits no layer; suggests the nearest.

    >>> print(no_layer("--keep=stm", "stm", ["stem", "head"]))
    --keep=stm: no layer with filters is called so. Did you mean 'stem'? Layers with \
filters: stem, head.

    Args:
        flag: The flag that has the name.
        name: Of a layer, or a pattern.
        known: The layers with filters.
    """
    known = list(dict.fromkeys(known))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return InputError(
        f"{flag}: no layer with filters is called so.{_nearest(name, known)} Layers "
        f"with filters: {', '.join(known[:_LISTED])}{more}."
    )


def fitting(names: Iterable[str], pattern: str) -> list[str]:
    """The names of layers that a pattern fits, or fits without the number of a part.

    >>> fitting(["stem/1", "stem/2", "block", "stem2"], "stem")
    ['stem/1', 'stem/2']
    >>> fitting(["stem/1", "stem/2"], "*/2")
    ['stem/2']

    Args:
        names: Of layers; a layer whose channels are sliced has parts "NAME/1", ...
        pattern: A name, or a pattern such as "block*".
    """

    def fits(name: str) -> bool:
        # A name is itself a pattern, of other names where it has brackets.
        own = name, PART.sub("", name)
        return pattern in own or any(fnmatch.fnmatch(one, pattern) for one in own)

    return list(filter(fits, names))


def _nearest(name: str, known: Sequence[str]) -> str:
    """A question about the nearest name; empty if none is near."""
    close = isinstance(name, str) and difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def parts_of(text: str) -> list[str]:
    """The names, perhaps with arguments, of "one+other(argument=value)".

    >>> parts_of("distil(temperature=1e+1)+refine")
    ['distil(temperature=1e+1)', 'refine']

    Args:
        text: Names with "+" between them.
    """
    return re.split(r"\+(?![^(]*\))", text)


def parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the keyword arguments of `"name"` or `"name(argument=value)"`.

    Only literals are read; nothing is evaluated.

    >>> parse_call("vgg11")
    ('vgg11', {})
    >>> parse_call("preact_resnet18(shortcut='identity', depth=18)")
    ('preact_resnet18', {'shortcut': 'identity', 'depth': 18})

    Args:
        text: A Python name, or a call of one with literal keyword arguments.

    Raises:
        InputError: if the text is neither.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, {}
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError(text)
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError(text)
        arguments = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
        return node.func.id, arguments
    except (ValueError, SyntaxError) as error:
        raise InputError(
            f"Expected a name or name(argument=value); got {text!r}."
        ) from error


class Registry:
    """Members of one kind by name: a decorator adds them, a look-up finds them.

    The package's own members lie one a file in `package`, whose files are imported at
    the first look-up: a new file there is a new member, with nothing else to edit.
    Members that are registered anywhere else, before or after that, stand beside them.

    >>> shapes = Registry("shape", "ns_tf.budgets")
    >>> @shapes.register("square")
    ... def square(side):
    ...     return side * side
    >>> "square" in shapes, shapes.get("square")(7)
    (True, 49)

    Args:
        kind: What a member is, in words, for errors.
        package: Full name of the folder that holds the package's own members.
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self.package = package
        self._members: dict[str, Any] = {}
        self._places: dict[str, str] = {}  # By name: file and line of its decorator.
        self._loaded = False

    def register(self, name: str) -> Callable[[Member], Member]:
        """A decorator that adds the member under `name` and returns it unchanged.

        Args:
            name: By which users choose the member.

        Raises:
            ValueError: if the name is taken. A name of the package's own may be taken
                by a file that is imported later; then the first look-up raises.
        """

        def add(member: Member) -> Member:
            place = self._caller()
            if name in self._members:
                raise ValueError(
                    f"The {self.kind} {name!r} is registered twice: at "
                    f"{self._places[name]} and at {place}. Give one of them another "
                    f"name, and leave those of {self.package} as they are."
                )
            self._members[name], self._places[name] = member, place
            return member

        return add

    def names(self) -> list[str]:
        """All registered names, sorted.

        Raises:
            ValueError: if a member from elsewhere has the name of one of the package.
        """
        self._load()
        return sorted(self._members)

    def __contains__(self, name: str) -> bool:
        """Whether a member of that name is registered by now; imports no file."""
        return name in self._members

    def get(self, name: str) -> Any:
        """The member of that name.

        Raises:
            InputError: if there is none; suggests the nearest name.
            ValueError: if a member from elsewhere has the name of one of the package.
        """
        self._load()
        if not isinstance(name, str):
            raise InputError(f"Expected the name of a {self.kind}; got {name!r}.")
        if name not in self._members:
            raise unknown(self.kind, name, self._members)
        return self._members[name]

    def _load(self) -> None:
        """Imports every file of the package, once."""
        if self._loaded:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        self._loaded = True

    def _caller(self) -> str:
        """File and line of the code that registers a member.

        The decorator of the kind, which calls `register`, lies in the package's
        `__init__`; its frames are skipped.
        """
        frame = sys._getframe(1)
        skipped = (__name__, self.package)
        while frame.f_back and frame.f_globals.get("__name__") in skipped:
            frame = frame.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
