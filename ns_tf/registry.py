"""Names on the command line to the things they mean."""

import ast
import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from ns_tf.base import InputError


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that nobody registered; suggests the nearest one."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    told = f"Known: {', '.join(known)}." if known else "There are none."
    return InputError(f"Unknown {kind} {name!r}.{hint} {told}")


def parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """`"name(a=1, b='x')"` as its name and keyword arguments; plain names have none.

    Only literals are read; nothing is evaluated.

    Raises:
        InputError: if the text is neither a name nor a call with literal keywords.
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
    """Members of one kind by name: a decorator to add them, a look-up to find them.

    Members live one a file in `package`, which is imported at the first look-up; a new
    file there is a new member, with nothing else to edit.
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self.package = package
        self._members: dict[str, Any] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorator: adds the member under `name`.

        Raises:
            ValueError: if the name is taken.
        """

        def add(member):
            if name in self._members:
                raise ValueError(f"{self.kind} {name!r} is registered twice.")
            self._members[name] = member
            return member

        return add

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._members)

    def __contains__(self, name: str) -> bool:
        """Whether a member of that name is registered by now; loads no file."""
        return name in self._members

    def get(self, name: str) -> Any:
        """The member of that name.

        Raises:
            InputError: if there is none; suggests the nearest name.
        """
        self._load()
        if name not in self._members:
            raise unknown(self.kind, name, self._members)
        return self._members[name]

    def _load(self) -> None:
        if not self._loaded:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            self._loaded = True
