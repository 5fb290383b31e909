"""Registries: the package's members and a user's, found by name side by side."""

import importlib
import keyword
import re
import sys

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from ns_tf.base import InputError
from ns_tf.registry import Registry, fitting, parse_call, unknown

# Every registry of the package, by the module that makes it.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).parent.parts)
    for path in (ROOT / "ns_tf").rglob("__init__.py")
    if re.search(r"^\w+ = Registry\(", path.read_text(), re.MULTILINE)
)


@pytest.fixture(scope="module")
def outside():
    """By module: what a registry finds after a member of somebody else came first.

    Of a package that is imported anew; that of the other tests is put back.
    """
    objects = keras.saving.get_custom_objects()
    known, kept = dict(objects), {}
    for name in list(sys.modules):
        if name.partition(".")[0] == "ns_tf":
            kept[name] = sys.modules.pop(name)
    try:
        found = _registered_first(importlib.import_module("ns_tf.registry").Registry)
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] == "ns_tf":
                del sys.modules[name]
        sys.modules.update(kept)
        objects.clear()
        objects.update(known)
    return found


def _registered_first(kind):
    """Registers a member before anything else is loaded; what is found then."""
    seen = {}
    for module in MODULES:
        for value in list(vars(importlib.import_module(module)).values()):
            if isinstance(value, kind):
                member = object()
                early = "zzz_mine" in value
                assert value.register("zzz_mine")(member) is member
                seen[module] = {
                    "early": early,
                    "late": "zzz_mine" in value,
                    "loaded": value._loaded,
                    "names": value.names(),
                    "same": value.get("zzz_mine") is member,
                }
    return seen


def registry_of(module: str) -> Registry:
    values = vars(importlib.import_module(module)).values()
    return next(value for value in values if isinstance(value, Registry))


@pytest.mark.parametrize("module", MODULES)
def test_members_of_users_stand_beside_those_of_the_package(module, outside):
    seen = outside[module]
    own = set(registry_of(module).names())
    if module == "ns_tf.measure.runtimes":
        own.discard("law")  # Of these tests (laws.py).
    assert seen["names"] == sorted([*own, "zzz_mine"])
    assert (seen["early"], seen["late"], seen["same"]) == (False, True, True)
    assert not seen["loaded"], "registering alone imports no file of the package"


@pytest.mark.parametrize("module", MODULES)
def test_a_name_of_the_package_is_taken(module):
    registry = registry_of(module)
    assert registry.package == module
    name = registry.names()[0]
    member = registry.get(name)
    with pytest.raises(ValueError, match=f"{name!r} is registered twice.* another"):
        registry.register(name)(object())
    assert registry.get(name) is member


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A package with a registry `KIND` and members "red" and "blue", one a file."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from ns_tf.registry import Registry\n"
        "KIND = Registry('book', __name__)\n"
        "def book(name):\n"
        "    return KIND.register(name)\n"
    )
    for name in ("red", "blue"):
        (folder / f"{name}.py").write_text(
            f"from shelf import book\n\n@book({name!r})\ndef it():\n    return {name!r}"
        )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shelf")
    for module in [name for name in sys.modules if name.split(".")[0] == "shelf"]:
        del sys.modules[module]


def test_files_of_the_package_are_imported_at_the_first_look_up(shelf):
    assert "shelf.red" not in sys.modules
    assert "red" not in shelf.KIND
    assert shelf.KIND.get("red")() == "red"
    assert "red" in shelf.KIND and "blue" in shelf.KIND
    assert shelf.KIND.names() == ["blue", "red"]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_taken_name_is_refused_whichever_comes_first(shelf, loaded):
    if loaded:
        shelf.KIND.names()
    with pytest.raises(ValueError) as caught:
        shelf.book("red")(print)
        shelf.KIND.names()
    message = str(caught.value)
    assert message.startswith("The book 'red' is registered twice: at ")
    # Both places, to the line, so that a user sees which one is theirs.
    assert re.search(rf"{re.escape(__file__)}:\d+", message)
    assert re.search(r"shelf/red\.py:3\b", message)
    assert "another name" in message


def test_a_refused_name_stays_refused_at_the_next_look_up(shelf):
    shelf.book("red")(print)
    messages = set()
    for look_up in (shelf.KIND.names, lambda: shelf.KIND.get("blue")):
        with pytest.raises(ValueError, match="'red' is registered twice") as caught:
            look_up()
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_an_unknown_name_suggests_the_nearest(shelf):
    shelf.book("green")(print)
    with pytest.raises(InputError) as caught:
        shelf.KIND.get("gren")
    assert str(caught.value) == (
        "Unknown book 'gren'. Did you mean 'green'? Known: blue, green, red."
    )


def test_without_members_the_error_says_so():
    assert str(unknown("book", "red", [])) == "Unknown book 'red'. There are none."


names = st.from_regex(r"[a-z_][a-z0-9_]{0,7}", fullmatch=True).filter(
    lambda name: name.isidentifier() and not keyword.iskeyword(name)
)
literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=5,
)


@given(name=names, arguments=st.dictionaries(names, literals, max_size=3))
def test_a_call_is_read_as_it_was_written(name, arguments):
    listed = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    assert parse_call(f" {name}({listed}) ") == (name, arguments)
    assert parse_call(name) == (name, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a(1)",
        "a(*b)",
        "a(**b)",
        "a(b=c)",
        "a(b=c())",
        "a.b()",
        "a(",
        "1",
        "a;b",
    ],
)
def test_what_is_neither_name_nor_literal_call_is_refused_unevaluated(text):
    with pytest.raises(InputError, match="Expected a name or name.argument=value."):
        parse_call(text)


def test_a_name_with_brackets_is_that_of_its_layer():
    names = ["block[0]", "block[1]/1", "block0"]
    assert fitting(names, "block[0]") == ["block[0]", "block0"]
    assert fitting(names, "block[1]") == ["block[1]/1"]
