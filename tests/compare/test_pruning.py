"""Rows that lose whole blocks or single weights, and what they leave."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
from small import Ended, KilledAt, coloured
from toys import all_trained, toy_comparison
from trained import deep

from ns_tf.base import InputError
from ns_tf.compare import cells, outcome, pruning
from ns_tf.compare.work import Comparison
from ns_tf.engine.config import ExecutionConfig
from ns_tf.graph import weights
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import count_params
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run import files
from ns_tf.run.watch import Watch

BLOCK, WEIGHT = "pruned:sss@block", "pruned:magnitude@weight"
METHODS = (BLOCK, f"scratch:{BLOCK}", WEIGHT, f"scratch_b:{WEIGHT}")


def compared(folder, rng=None, solver=None, **settings):
    asked = {
        "methods": METHODS,
        "budgets": ("macs=0.7", "nonzero=0.2"),
        "seeds": (3,),
        "finetune_epochs": 0,
        **settings,
    }
    base = toy_comparison(folder, {"epochs": 1, "batch": 16}, solver, **asked)
    data = coloured(rng or np.random.default_rng(7), (8, 8, 1))
    data = dataclasses.replace(data, classes=10)
    return Comparison(
        folder,
        ProblemConfig(architecture="deep", dataset="colours"),
        base.compare,
        base.solver,
        base.recipe,
        ExecutionConfig(),
        problem=Problem.of(from_model(deep(2)), data),
    )


def trained_cells(folder, **settings):
    """(a comparison, its cells by label and budget), all trained."""
    work, listed = all_trained(compared(folder, **settings))
    return work, {(c.method, c.budget): c for c in listed.values()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison of blocks and weights; to be read only."""
    return trained_cells(tmp_path_factory.mktemp("levels") / "run")


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """One of weights alone, for which no gate learns; to be read only."""
    folder = tmp_path_factory.mktemp("weights") / "run"
    return trained_cells(folder, methods=METHODS[2:], budgets=("nonzero=0.2",))


@pytest.mark.slow
def test_a_row_of_blocks_and_its_control_are_of_the_blocks_that_are_left(finished):
    work, listed = finished
    jobs = work.jobs
    most = 0.7 * jobs.costs(listed["trunk", ""])["macs"]
    for label in (BLOCK, f"scratch:{BLOCK}"):
        cell = listed[label, "macs=0.7"]
        assert sorted(jobs.units(cell)) == [0, 1], "one of two blocks is there"
        assert jobs.costs(cell)["macs"] <= most
        names = {layer.name for layer in jobs.build(cell).layers}
        assert len(names & {"a1", "a2"}) == 1
        assert count_params(jobs.build(cell)) == jobs.costs(cell)["params"]
        assert jobs.network_of(cell).startswith("deep@blocks-")
    one, other = (
        jobs.folder_of(listed[n, "macs=0.7"]) for n in (BLOCK, f"scratch:{BLOCK}")
    )
    kept = [files.read_json(f / "result.json", what="r")["macs"] for f in (one, other)]
    assert kept[0] == kept[1] == jobs.costs(cell)["macs"]


def test_a_row_of_weights_and_its_control_have_the_same_zeros(sparse):
    work, listed = sparse
    jobs = work.jobs
    pruned = listed[WEIGHT, "nonzero=0.2"]
    control = listed[f"scratch_b:{WEIGHT}", "nonzero=0.2"]
    whole = jobs.costs(pruned)["params"]
    left = jobs.left(pruned)
    assert left.nonzero == int(0.2 * whole) and left is jobs.left(control)
    assert jobs.network_of(pruned) == "deep", "zeros change no network"
    kept = left.pruner.kernels.flat(left.masks()) > 0
    for cell in (pruned, control):
        model = trained_model(jobs.folder_of(cell))
        values = left.pruner.kernels.flat(weights.values(model))
        assert (values[~kept] == 0).all() and (values[kept] != 0).all()
        assert sum(jobs.units(cell)) == kept.sum()
    assert jobs.of(control).recipe.epochs == work.recipe.epochs, "no cheaper than all"


def trained_model(folder):
    return keras.saving.load_model(folder / "model.keras", compile=False)


def tables_of(work):
    """(the text of its tables, its rows by label and budget)."""
    text = outcome.write(work, cells.read(work.folder))
    rows = files.read_json(work.folder / "comparison.json", what="t")["rows"]
    return text, {(row["method"], row["budget"]): row for row in rows}


def test_tables_count_what_is_not_zero(sparse):
    text, rows = tables_of(sparse[0])
    row = rows[WEIGHT, "nonzero=0.2"]
    assert row["nonzero"] == int(0.2 * row["params"])
    assert "not zero" in text and len(rows) == 2


@pytest.mark.slow
def test_tables_have_rows_of_blocks_beside_those_of_weights(finished):
    text, rows = tables_of(finished[0])
    blocks_row = rows[BLOCK, "macs=0.7"]
    assert blocks_row["nonzero"] == blocks_row["params"]
    assert sorted(blocks_row["seed_widths"][0]) == [0, 1]
    row = rows[WEIGHT, "nonzero=0.2"]
    assert row["nonzero"] == int(0.2 * row["params"])
    assert "not zero" in text and len(rows) == 4
    # What has no network at a budget, and why.
    assert f"{WEIGHT} at macs=0.7: single weights go, so macs stays" in text
    assert f"{BLOCK} at nonzero=0.2: nonzero is of rows that let single" in text


@pytest.mark.parametrize(
    "name, row",
    [
        ("sparse", (WEIGHT, "nonzero=0.2")),
        pytest.param("finished", (BLOCK, "macs=0.7"), marks=pytest.mark.slow),
    ],
)
def test_another_process_reads_what_is_left_once(name, row, request, monkeypatch):
    """As after a kill: nothing of it is in memory."""
    work, listed = request.getfixturevalue(name)
    settings = work.compare
    fresh = compared(work.folder, methods=settings.methods, budgets=settings.budgets)
    cell = listed[row]
    with monkeypatch.context() as patched:  # A defect is no damage to a file.
        patched.setattr(pruning, "PRUNERS", {})
        with pytest.raises(KeyError):
            fresh.jobs.left(cell)
    one, other = work.jobs.left(cell), fresh.jobs.left(cell)
    assert one is not other and one.units == other.units
    np.testing.assert_array_equal(one.keep, other.keep)
    assert fresh.jobs.widths(cell) == work.jobs.widths(cell)
    with monkeypatch.context() as patched:
        patched.setattr(pruning, "units_in", None)
        assert fresh.jobs.units(cell) == one.units


@pytest.fixture
def begun(finished, tmp_path):
    """(a copy whose control of weights was killed while it trained, that control)."""
    work, listed = finished
    copy, control = tmp_path / "run", listed[f"scratch_b:{WEIGHT}", "nonzero=0.2"]
    shutil.copytree(work.folder, copy)
    shutil.rmtree(copy / "cells" / control.name)
    with compared(copy) as other, pytest.raises(Ended):
        other.prepare()
        other.train_cell(control, Watch(KilledAt(2), seconds=0.0))
    return copy, control


@pytest.mark.slow
def test_a_control_goes_on_in_its_own_mask_and_in_no_other(finished, begun):
    """And its mask is asked for by nothing else, as in a copy of the records."""
    work, _ = finished
    folder, control = begun
    bits = folder / "cells" / control.trunk / "kept.npz"
    arrays, facts = files.read_arrays(bits, what="bits")
    files.write_arrays(bits, {"keep": ~arrays["keep"]}, facts)
    with compared(folder) as other:
        other.prepare()
        with pytest.raises(InputError, match="another part .*Delete it"):
            other.train_cell(control)
    bits.unlink()
    with compared(folder) as other:
        with pytest.raises(InputError, match="no kept.npz in it. Delete"):
            other.prepare()
    files.write_arrays(bits, arrays, facts)
    with compared(folder) as other:
        other.prepare()
        other.train_cell(control)
    one, again = (
        weights.values(trained_model(run.jobs.folder_of(control)))
        for run in (work, other)
    )
    for key, value in one.items():
        np.testing.assert_array_equal(again[key], value)
    files.write_arrays(bits, {"keep": ~arrays["keep"]}, facts)
    with compared(folder) as other:
        with pytest.raises(InputError, match="another part"):
            other.prepare()
    bits.unlink()
    with compared(folder) as other:
        assert len(other.prepare()) == 5
        assert other.jobs.units(control) == work.jobs.units(control)
        outcome.write(other, cells.read(folder))


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"budgets": ("params=0.5",), "methods": (WEIGHT,)}, "so params stays"),
        ({"budgets": ("nonzero=0.5",), "methods": ("uniform",)}, "of rows that let"),
        ({"methods": (BLOCK,), "solver": {"round_to": 4}}, "default widths, which"),
        ({"methods": ("pruned:sss@weight",)}, "sss removes channels or blocks"),
        ({"methods": (f"{BLOCK}+greedy",)}, "--allocation is of channels.*In a row"),
        ({"methods": (f"{WEIGHT}+least_squares",)}, "--repair is of channels"),
        ({"methods": (BLOCK,), "budgets": ("macs=0.01",)}, "is not reached: without"),
        ({"methods": (WEIGHT,), "budgets": ("nonzero=3",)}, "nonzero=3 is not reached"),
        *(
            ({"methods": (row,), "budgets": (text,)}, "is less than any network has")
            for row, text in (
                (WEIGHT, "nonzero=1"),
                (WEIGHT, "nonzero=1e-5"),
                (BLOCK, "macs=1e-9"),
                ("pruned:magnitude", "params=1"),
            )
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, settings, told):
    with pytest.raises(InputError, match=told):
        with compared(tmp_path / "run", **settings) as work:
            work.prepare()
    assert not list(tmp_path.iterdir())


def test_widths_that_may_stay_are_no_hindrance(tmp_path):
    """Of 5, 6 and 7 filters at least 5; a layer that is kept keeps its block."""
    solver = {"min_width": 5, "keep": ("a1",)}
    with compared(tmp_path, methods=(BLOCK,), solver=solver) as work:
        listed = work.prepare()
    (cell,) = (cell for cell in listed.values() if cell.shown)
    assert cell.start == "sss@block" and cell.widths is None
