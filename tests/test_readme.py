"""What the documents show runs as it stands."""

import pathlib
import re

import numpy as np
import pytest

import ns_tf
from ns_tf import budgets
from ns_tf.budgets import BUDGETS
from ns_tf.descend.record import new_search
from ns_tf.networks import architectures
from ns_tf.networks.architectures import ARCHITECTURES
from ns_tf.networks.structure import analyse
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import METHODS, Entry, Setting
from ns_tf.prune import criteria
from ns_tf.prune.criteria import CRITERIA

ROOT = pathlib.Path(__file__).parent.parent


def blocks(document: str) -> list[str]:
    """The Python blocks of a document."""
    text = (ROOT / document).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize("number", range(len(blocks("README.md"))))
def test_the_blocks_of_the_readme_run(number, capsys):
    block = blocks("README.md")[number]
    exec(compile(block, f"README.md block {number}", "exec"), {})
    assert capsys.readouterr().out


def test_the_readme_has_the_blocks_that_it_should():
    assert len(blocks("README.md")) == 2


@pytest.fixture
def registries(monkeypatch):
    """What is registered in a test is gone after it."""
    for registry in (
        ARCHITECTURES,
        CRITERIA,
        BUDGETS,
        METHODS,
    ):
        registry.names()
        monkeypatch.setattr(registry, "_members", dict(registry._members))


def test_the_recipes_for_adding_work(registries):
    for block in blocks("docs/adding.md"):
        exec(compile(block, "docs/adding.md", "exec"), {})
    found = analyse(architectures.get("tiny"), (8, 8, 3), 5)
    model = found.build((7, 11))
    kernels = [w for w in model.trainable_weights if w.name == "kernel"]
    entries = sum(int(np.prod(kernel.shape)) for kernel in kernels)
    assert budgets.get("kernels").cost(found)(np.array([7, 11])) == entries
    kernel = np.array([[3.0, 0.0], [4.0, 2.0]])
    np.testing.assert_allclose(criteria.get("l2").formula(kernel), [5, 2])
    plain = new_search(found, "data", found.architecture.widths)
    entry = Entry.parse("rectangle")
    setting = Setting(entry, found, plain, SolverConfig())
    one, other = methods.get("rectangle").propose(setting, {"params": 3000}).widths
    assert abs(one - other) <= 1


def test_every_public_name_is_there():
    for name in ns_tf.__all__:
        assert getattr(ns_tf, name) is not None


DOCUMENTS = (
    "README.md",
    *(f"docs/{name}.md" for name in ("adding", "comparing", "serving", "tuning")),
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    here = [link for link in links if "://" not in link]
    assert document != "README.md" or here
    for link in here:
        assert (path.parent / link).exists(), link
