"""The shape of the code: folders import one way, every module has its tests, limits."""

import ast
import importlib.util
import sys

import pytest
from places import ROOT

SPEC = importlib.util.spec_from_file_location("shape", ROOT / "tools" / "shape.py")
shape = importlib.util.module_from_spec(SPEC)
sys.modules["shape"] = shape  # Dataclasses look their module up.
SPEC.loader.exec_module(shape)

# Folders and modules that may import TensorFlow. The others compute with Keras, NumPy
# and SciPy alone: networks of found widths build on every Keras backend.
TENSORFLOW = """
    cli run.tensorboard data.batches data.images data.shares data.sources.tfds
    data.tf_data budgets.latency networks.deployed problem.tasks.binary
    problem.tasks.classification problem.tasks.multilabel
    problem.tasks.segmentation engine prune train measure export slim
""".split()
# Importing it must stay quick: `--help` and `plan` do.
LIGHT = "config option flags flagfile checks".split()


def imports(tree, *, everywhere=True):
    """Names of the modules imported in a tree; at its top alone if not everywhere."""
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            yield node.module


def uses(module, package, **where):
    return any(name.split(".")[0] == package for name in imports(module.tree, **where))


def test_every_folder_has_its_place_in_the_order():
    names = " ".join(shape.ORDER).split()
    folders = {module.folder for module in shape.modules()}
    assert sorted(names) == sorted(folders - {"__init__"})
    assert len(set(names)) == len(names)


def test_no_folder_imports_from_its_own_line_or_a_later_one():
    assert shape.imports_back() == []


def test_an_import_back_is_seen(monkeypatch):
    monkeypatch.setattr(shape, "ORDER", tuple(reversed(shape.ORDER)))
    assert len(shape.imports_back()) > 100


def test_every_module_has_a_test_of_its_name():
    assert shape.shape().without_test == ()


def test_no_test_is_of_a_module_that_is_gone():
    """Beside the folders of tests that are of no one module."""
    known = {shape.test_of(module) for module in shape.modules()}
    folders = {module.folder for module in shape.modules()}
    stray = [
        path
        for path in shape.TESTS.rglob("test_*.py")
        if path not in known and path.relative_to(shape.TESTS).parts[0] in folders
    ]
    assert stray == []


def test_the_limits_of_files_and_functions():
    figures = shape.shape()
    assert figures.lines[-1] <= 350
    assert figures.bodies[-1] <= 60
    assert figures.parameters[-1] <= 6
    assert figures.docstrings >= 0.30
    assert figures.tests >= 1.1


@pytest.mark.parametrize(
    "text, count",
    [
        ("def f(a, b, *, c, d=1): pass", 3),
        ("def f(self, a, b=2): pass", 2),
        ("def f(*many, **more): pass", 0),
    ],
)
def test_parameters_are_those_that_a_call_gives_by_place_or_must_give(text, count):
    (function,) = ast.parse(text).body
    assert shape.parameters(function) == count


def test_bodies_are_counted_below_the_docstring():
    text = 'def f():\n    """One\n    two."""\n    a = 1\n\n    return a\n'
    (function,) = ast.parse(text).body
    assert shape.body_lines(function) == 3
    assert shape.docstring_lines(ast.parse(text)) == 2


def test_only_what_needs_tensorflow_imports_it():
    found = {m.name for m in shape.modules() if uses(m, "tensorflow")}
    wrong = [n for n in found if not {n, n.split(".")[0]} & set(TENSORFLOW)]
    assert sorted(wrong) == []


def test_settings_are_light():
    for module in shape.modules():
        if module.name.split(".")[-1] in LIGHT:
            for package in ("tensorflow", "keras", "scipy", "matplotlib"):
                assert not uses(module, package, everywhere=False), module.name


def test_methods_import_keras_in_functions_only():
    for module in shape.modules():
        if module.name.startswith("plan.methods"):
            for package in ("tensorflow", "keras"):
                assert not uses(module, package, everywhere=False), module.name


def test_the_package_says_that_it_is_typed():
    assert (shape.PACKAGE / "py.typed").exists()
