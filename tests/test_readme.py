"""What the documents show runs as it stands."""

import functools
import re

import exports
import keras
import numpy as np
import pytest
from places import ROOT

import ns_tf
from ns_tf.budgets import BUDGETS
from ns_tf.data.sources import SOURCES, digits
from ns_tf.export.formats import FORMATS
from ns_tf.graph.rules import effects
from ns_tf.networks.architectures import ARCHITECTURES
from ns_tf.plan.methods import METHODS
from ns_tf.problem.tasks import TASKS
from ns_tf.prune.allocations import ALLOCATIONS
from ns_tf.prune.criteria import CRITERIA
from ns_tf.prune.gatings import GATINGS
from ns_tf.prune.repairs import REPAIRS
from ns_tf.prune.signals import SIGNALS
from ns_tf.train.recipes import RECIPES

REGISTRIES = (
    *(ARCHITECTURES, BUDGETS, CRITERIA, FORMATS, METHODS, SIGNALS, SOURCES, TASKS),
    *(ALLOCATIONS, GATINGS, REPAIRS, RECIPES),
)


def blocks(document: str) -> list[str]:
    """The Python blocks of a document."""
    text = (ROOT / document).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_blocks_of_the_readme_run(tmp_path, monkeypatch, capsys):
    """One after the other, as a reader types them; there are fewer digits."""
    pixels, labels = digits._stored()
    monkeypatch.setattr(digits, "_stored", lambda: (pixels[:500], labels[:500]))
    fewer = functools.lru_cache(digits._digits.__wrapped__)
    monkeypatch.setattr(digits, "_digits", fewer)
    exports.run_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    names, parts = {}, blocks("README.md")
    assert len(parts) == 4
    for number, block in enumerate(parts):
        exec(compile(block, f"README.md block {number}", "exec"), names)
        assert capsys.readouterr().out
    assert [path.name for path in (tmp_path / "models").glob("*.keras")]


@pytest.fixture(scope="module")
def parts():
    """The parts that docs/adding.md adds, by their names; gone afterwards."""
    for registry in REGISTRIES:
        registry.names()
    before = [dict(registry._members) for registry in REGISTRIES]
    known = dict(effects._RULES)
    names = {}
    for block in blocks("docs/adding.md"):
        imports = re.findall(r"^(?:import|from) (\S+)", block, re.M)
        assert set(imports) <= {"ns_tf", "numpy", "keras"}
        exec(compile(block, "docs/adding.md", "exec"), names)
    yield names
    for registry, members in zip(REGISTRIES, before, strict=True):
        registry._members = members
    effects._RULES.clear()
    effects._RULES.update(known)


@pytest.fixture(scope="module")
def added(parts):
    """A search of the added architecture, by the added criterion, on the added data."""
    return ns_tf.search(
        "tiny",
        "noise:60",
        criterion="l2",
        pretrain_epochs=1,
        search_batch=16,
        steps_per_event=1,
        filters_per_event=4,
        stop_fraction=0.2,
    )


def test_an_added_architecture_criterion_and_data_source_serve_a_search(added):
    assert added.record.architecture == "tiny" and added.record.dataset == "noise:60"
    assert added.laws()[0].alpha.shape == (2,)


def test_an_added_budget_is_kept_to(added):
    plan = added.plan(kernels=900)
    kernels = [w for w in plan.build().trainable_weights if w.name == "kernel"]
    entries = sum(int(np.prod(kernel.shape)) for kernel in kernels)
    assert entries == plan.costs["kernels"] <= 900


def test_an_added_method_plans(added):
    one, other = added.plan(params=3000, method="rectangle").widths
    assert abs(one - other) <= 1


def test_an_added_gating_allocation_repair_and_recipe_prune(added):
    trained = added.plan(params=3000).train(epochs=1, batch=16)
    small = trained.prune(
        macs=0.5,
        method="clipped",
        gate_epochs=1,
        gate_batch=16,
        allocation="late",
        repair="shrink+statistics",
        recipe="matching(weight=0.5)",
        finetune_epochs=1,
    )
    assert small.costs["macs"] <= small.targets["macs"]
    assert "late widths, repair shrink+statistics" in str(small)


def test_an_added_rule_frees_the_channels_that_reach_its_layer(parts):
    x = image = keras.Input((8, 8, 3))
    x = parts["Scale"]()(keras.layers.Conv2D(7, 3, name="a")(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3, name="b")(x))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    structure = ns_tf.analyse(ns_tf.from_model(model), (8, 8, 3), 3)
    assert structure.names == ("a", "b")
    assert structure.build([4, 5]).count_params() == structure.params(np.array([4, 5]))


def test_an_added_file_format_is_written_and_run_again(added, tmp_path, monkeypatch):
    exports.run_here(monkeypatch)
    trained = added.plan(params=3000).train(epochs=1, batch=16)
    (file,) = trained.export(tmp_path, ["h5"], check_images=5, calibration_images=5)
    assert file.agreement == 1 and (tmp_path / "tiny.h5").exists()


DOCUMENTS = (
    "README.md",
    *(
        f"docs/{n}.md"
        for n in (
            "adding",
            "comparing",
            "epitomes",
            "models",
            "pruning",
            "serving",
            "supernets",
            "tuning",
        )
    ),
    "docs/design.md",
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    here = [link for link in links if "://" not in link]
    assert document != "README.md" or here
    for link in here:
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("document", [*DOCUMENTS, "docs/paper_to_code.md"])
def test_files_that_documents_name_are_there(document):
    text = (ROOT / document).read_text()
    folders = "graph networks data budgets problem engine scaling train prune descend"
    folders += " plan crew compare tune export report run render tools"
    starts = "|".join(folders.split())
    for path in re.findall(rf"`((?:{starts})/[\w/.]+?)(?::[^`]*)?`", text):
        places = ROOT / path, ROOT / "ns_tf" / path
        assert any(place.exists() for place in places), f"{document}: {path}"
