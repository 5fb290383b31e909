"""Rows of epitomes: trained from scratch by the recipe of all."""

import json

import numpy as np
import pytest
from toys import DEFAULT, params, toy_comparison

from ns_tf import budgets
from ns_tf.compare import outcome
from ns_tf.networks import from_model
from ns_tf.networks.layers import EpitomeLayer

METHODS = ("uniform", "epitome:wrapped", "epitome:learned")


@pytest.fixture(
    scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)], ids=str
)
def finished(request, tmp_path_factory):
    """(the comparison, its cells), all trained; to be read only."""
    folder = tmp_path_factory.mktemp("condensed") / "run"
    asked = {"methods": METHODS[: request.param], "seeds": (3,)}
    with toy_comparison(folder, {"epochs": 1}, **asked) as work:
        listed = work.prepare()
        for cell in listed.values():
            work.train_cell(cell)
        yield work, listed, outcome.write(work, listed)


def test_a_row_has_its_own_parameters_and_multiply_adds(finished):
    work, listed, _ = finished
    data = json.loads((work.folder / "comparison.json").read_text())
    rows = {row["method"]: row for row in data["rows"]}
    assert rows["epitome:wrapped"]["widths"] == list(DEFAULT)
    whole = work.problem.structure
    macs = {name: row["macs"] for name, row in rows.items()}
    for name, row in rows.items():
        assert row["params"] <= 2003 and row["accuracy_mean"] is not None
        assert row["latency_ms"] > 0
        # A file has the kernels that epitomes make.
        for cost in ("peak_ram", "weight_bytes_int8"):
            of_file = budgets.get(cost).cost(whole)(np.array(row["widths"]))
            assert row[cost] == of_file
        (cell,) = (cell for cell in listed.values() if cell.method == name)
        model = from_model.loaded(work.jobs.folder_of(cell) / "model.keras")
        trained = sum(w.numpy().size for w in model.trainable_weights)
        assert trained == row["params"]
        made = any(isinstance(layer, EpitomeLayer) for layer in model.layers)
        assert made == name.startswith("epitome")
    if "epitome:learned" in macs:
        assert macs["epitome:learned"] > 2 * macs["epitome:wrapped"]
    assert whole.params(list(DEFAULT)) == params(DEFAULT) > 2003


def test_networks_of_one_architecture_are_timed_apart(finished):
    work, listed, _ = finished
    times = json.loads((work.folder / "latency.json").read_text())["ms"]
    assert len(times) == len(listed)
    assert sum("@epitomes-" in name for name in times) == len(listed) - 1


def test_the_same_again_trains_nothing_and_knows_the_networks(finished):
    work, listed, text = finished
    asked = {"methods": work.compare.methods, "seeds": (3,)}
    other = toy_comparison(work.folder, {"epochs": 1}, **asked)
    assert all(map(other.done, listed.values()))
    assert outcome.write(other, listed) == text
