"""Public names: each is there, explains itself, and costs nothing until it is used."""

import inspect
import subprocess
import sys

import pytest
from places import ROOT

import ns_tf

NAMES = ns_tf.__all__
METHODS = [
    *(("Search", method) for method in ("plan", "compare", "report", "laws")),
    *(("Plan", method) for method in ("build", "train")),
    *(("Trained", method) for method in ("export", "prune")),
]


def check_annotated(function):
    """Every parameter and what is returned has a type."""
    signature = inspect.signature(function)
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty
        and parameter.name != "self"
        and parameter.kind is not parameter.VAR_KEYWORD
    ]
    assert not bare
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_documented_and_annotated(name):
    value = getattr(ns_tf, name)
    assert (inspect.getdoc(value) or "").strip()
    if inspect.isfunction(value):
        check_annotated(value)
    elif inspect.isclass(value) and "__init__" in vars(value):
        parameters = inspect.signature(value).parameters.values()
        assert all(p.annotation is not p.empty for p in parameters)


@pytest.mark.parametrize("name, method", METHODS)
def test_what_can_be_done_with_a_value_is_documented_and_annotated(name, method):
    function = getattr(getattr(ns_tf, name), method)
    assert inspect.getdoc(function)
    check_annotated(function)


def test_no_public_name_is_that_of_a_folder_or_file_of_the_package():
    """After an import of that module the name would be the module's."""
    modules = {path.stem for path in (ROOT / "ns_tf").iterdir()}
    assert not set(NAMES) & modules


def test_every_public_name_is_listed_for_completion():
    assert set(NAMES) <= set(dir(ns_tf))
    assert len(set(NAMES)) == len(NAMES)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'ns_tf' has no attribute 'serch'"):
        ns_tf.serch  # noqa: B018


def test_an_import_costs_nothing():
    code = "import sys, ns_tf; print({'tensorflow', 'keras', 'numpy'} & {*sys.modules})"
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "set()\n", done.stderr
