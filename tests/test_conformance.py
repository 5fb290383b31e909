"""What every member of a kind has to do, and which module may import which."""

import ast
import functools
import graphlib
import importlib
import pathlib
import pkgutil

import keras
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.base import Architecture
from ns_tf.budgets import Measure
from ns_tf.data import sources
from ns_tf.data.sources import SOURCES
from ns_tf.networks import architectures, structure
from ns_tf.networks.structure import Structure
from ns_tf.prune import criteria
from ns_tf.registry import Registry

layers = keras.layers
ROOT = pathlib.Path(architectures.__file__).parent.parent

ARCHITECTURES = architectures.ARCHITECTURES.names()
CRITERIA = criteria.CRITERIA.names()
BUDGETS = budgets.BUDGETS.names()


def tiny(widths, *, input_shape, classes):
    """image - a - BN - ReLU - b - BN - ReLU - average - logits."""
    x = image = keras.Input(input_shape, name="image")
    for name, width in zip("ab", widths, strict=True):
        x = layers.Conv2D(width, 3, strides=2, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="tiny")


TINY = Architecture("tiny", (7, 11), tiny)


@functools.cache
def analyse(name: str) -> Structure:
    if name == "tiny":
        return structure.analyse(TINY, (11, 13, 3), 3)
    return structure.analyse(architectures.get(name), (32, 32, 3), 3)


# Every architecture x criterion x budget.


@pytest.mark.parametrize("name", [*ARCHITECTURES, "tiny"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_counts_every_architecture(name, budget):
    member, found = budgets.get(budget), analyse(name)
    assert member.name == budget and member.unit and member.help.endswith(".")
    default = np.array(found.architecture.widths)
    if member.measured:
        cost = member.cost(found, Measure(batch=2, warmup=1, repeats=3))
        assert callable(cost)
        if name == "tiny":  # Only one is run.
            assert 0 < cost(default) < 60_000
        return
    cost = member.cost(found)
    counts = cost(np.stack([np.ones_like(default), default, 2 * default]))
    assert counts.dtype == np.int64
    assert 0 < counts[0] < counts[1] < counts[2] <= 4 * counts[1]
    assert cost.unit == member.unit


# Every file of a kind holds a member of it.

KINDS = {
    architectures: (architectures.ARCHITECTURES, lambda member: member.builder),
    criteria: (criteria.CRITERIA, lambda member: member.formula),
    budgets: (budgets.BUDGETS, lambda member: member.cost),
    sources: (SOURCES, lambda member: member),
}
# Makes an architecture of any model, and registers none.
EXEMPT = {"ns_tf.architectures.from_model"}


@pytest.mark.parametrize("package", KINDS, ids=lambda package: package.__name__)
def test_every_file_of_a_kind_registers_a_member(package):
    known, function = KINDS[package]
    files = {
        f"{package.__name__}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
    }
    members = {function(known.get(name)).__module__ for name in known.names()}
    assert members == files - EXEMPT


@pytest.mark.parametrize("package", KINDS, ids=lambda package: package.__name__)
def test_every_kind_suggests_the_nearest_name(package):
    known, _ = KINDS[package]
    assert isinstance(known, Registry)
    for name in known.names():
        with pytest.raises(ValueError, match="Did you mean"):
            known.get(name + "x")


# Imports go one way. Below, a tier may import from itself and from the tiers before it.

TIERS = (
    "base registry markup",
    "options flagset costs progress checks tables",
    "budget_configs compare_config export_config tune_config configs architectures"
    " blocks keras_graph channels deployment rules gates criteria budgets datasets"
    " image_files pipeline",
    "structure thinning removal precision layer_ops execution padding network engine"
    " law grid scaling estimation pruning",
    "descent training records run_folders runs python_inputs scalars space trials"
    " crews oracles verdicts workers",
    "plans api jobs trainings plots methods",
    "search_sources cells comparison reports summary formats exports tuning"
    " tuned_networks tuned_searches tunings leaderboard",
    "cli descend plan train compare report export tune",
)
# Of no use without TensorFlow's own types; the others compute with Keras or NumPy.
TENSORFLOW = set(
    "datasets image_files pipeline precision layer_ops execution engine network"
    " training budgets.latency deployment cli scalars summary formats".split()
)


def modules() -> dict[str, pathlib.Path]:
    """Every module of the package by its name below `ns_tf`."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts).removesuffix(".__init__")] = path
    del names["__init__"]  # Names what is public and imports nothing.
    return names


def imports(path: pathlib.Path) -> set[str]:
    """Names of all modules imported anywhere in a file, in functions as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports() -> dict[str, set[str]]:
    """Module or package below `ns_tf` -> those that it imports, itself left out."""
    known = {name.split(".")[0] for name in modules()}
    graph = {name: set() for name in known}
    for name, path in modules().items():
        for imported in imports(path):
            package, _, rest = imported.partition(".")
            head = rest.split(".")[0]
            if package == "ns_tf" and head in known:
                graph[name.split(".")[0]].add(head)
    return {name: found - {name} for name, found in graph.items()}


def test_every_module_has_a_tier():
    assert sorted(own_imports()) == sorted(" ".join(TIERS).split())


def test_imports_go_from_later_tiers_to_earlier_ones():
    tier = {name: i for i, names in enumerate(TIERS) for name in names.split()}
    wrong = [
        f"{name} imports {other}"
        for name, found in own_imports().items()
        for other in found
        if tier[other] > tier[name]
    ]
    assert wrong == []


def test_no_two_modules_import_each_other():
    order = list(graphlib.TopologicalSorter(own_imports()).static_order())
    assert order.index("base") < order.index("registry") < order.index("api")


def test_what_needs_no_tensorflow_does_not_import_it():
    found = {
        name.removesuffix(".__init__")
        for name, path in modules().items()
        if any(imported.split(".")[0] == "tensorflow" for imported in imports(path))
    }
    assert {n if n in TENSORFLOW else n.split(".")[0] for n in found} == TENSORFLOW


def test_latency_imports_tensorflow_in_functions_only():
    tree = ast.parse((ROOT / "budgets" / "latency.py").read_text())
    top = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert "tensorflow" not in top and "Measure" in top


def test_public_names_are_where_they_are_said_to_be():
    package = importlib.import_module("ns_tf")
    for name in package.__all__:
        assert getattr(package, name).__doc__
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018
