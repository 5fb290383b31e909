"""The cells of a comparison: budgets, names, trunks, what is kept of earlier runs."""

import dataclasses
import json

import pytest
from edits import text_of
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from toys import DEFAULT, file_of, params, toy_setting

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.compare import cells
from ns_tf.compare.cells import FINETUNE, SCRATCH, TRUNK, CellList, Kept
from ns_tf.plan.methods import METHODS, NotApplicable
from ns_tf.run import files

NOTHING = Kept({}, (), None)
BUDGET = "params=2003"
FINISHED = sorted((ROOT / "docs" / "runs").glob("*/cells.json"))


def listed(*texts, budgets=(BUDGET,), seeds=(3,), known=NOTHING, task=None):
    settings = [toy_setting(text) for text in texts]
    return cells.make(settings, budgets, seeds, known, task or {}, {})


def kept_of(plan):
    """What the next run knows of this one."""
    every = {**plan.others, **plan.asked}
    return Kept(every, tuple(plan.asked), plan.task, plan.wanted)


# Cells.


def test_a_cell_is_a_method_a_budget_and_a_seed_all_of_one_seed_first():
    plan = listed(
        "uniform", "mine=neuralscale@1", budgets=[BUDGET, "ratio=0.5"], seeds=(7, 3)
    )
    assert [(c.seed, c.budget, c.method) for c in plan.asked.values()] == [
        (seed, budget, method)
        for seed in (7, 3)
        for budget in (BUDGET, "ratio=0.5")
        for method in ("uniform", "mine")
    ]
    assert all(cell.kind == SCRATCH for cell in plan.asked.values())
    assert list(plan.asked)[:2] == ["uniform_params2003_seed7", "mine_params2003_seed7"]


@given(st.text(min_size=1, max_size=30))
def test_a_folders_name_is_one_name_of_plain_characters(text):
    name = cells._folder_name(text, "ratio=0.25", "seed3")
    assert "/" not in name and not set(name) & set(" \t\n=@:*?\"'")
    assert name.endswith("_ratio0.25_seed3")


def test_fine_tuned_cells_start_from_a_trunk_of_their_seed():
    plan = listed("li_l1", "uniform", budgets=[BUDGET, "params=1009"], seeds=(3, 5))
    kinds = [cell.kind for cell in plan.asked.values()]
    assert kinds.count(TRUNK) == 2 and kinds.count(FINETUNE) == 4
    for cell in plan.asked.values():
        if cell.kind == FINETUNE:
            trunk = plan.asked[cell.trunk]
            assert (trunk.kind, trunk.seed) == (TRUNK, cell.seed)
            assert trunk.widths == DEFAULT
            assert cell.start == "magnitude+uniform+none+plain"
    order = list(plan.asked)
    assert order[0] == "trunk_seed3", "a trunk is worked on before what needs it"
    assert not any(c.kind == TRUNK for c in listed("uniform").asked.values())


def test_pruned_cells_wait_for_their_trunk_and_their_controls_for_them():
    texts = ("scratch", "mine=pruned:random", "scratch_b:mine", "uniform")
    plan = listed(*texts, budgets=["macs=0.5"], seeds=(3, 5))
    mine = plan.asked["mine_macs0.5_seed5"]
    assert (mine.kind, mine.widths, mine.start) == (FINETUNE, None, "random")
    assert mine.trunk == "trunk_seed5" and plan.asked[mine.trunk].kind == TRUNK
    for name, label in (("scratch", "scratch"), ("scratch_b", "scratch_b-mine")):
        cell = plan.asked[f"{label}_macs0.5_seed5"]
        assert (cell.kind, cell.widths, cell.start) == (SCRATCH, None, name)
        assert cell.trunk == "mine_macs0.5_seed5"
    assert [c.kind for c in plan.asked.values()].count(TRUNK) == 2
    again = listed(*texts, budgets=["macs=0.5"], seeds=(3, 5), known=kept_of(plan))
    assert again.asked == plan.asked
    with pytest.raises(InputError, match="another method .*, random; now .*, gamma"):
        listed("mine=pruned:gamma", budgets=["macs=0.5"], known=kept_of(plan))


def test_what_a_method_cannot_do_is_a_gap_with_its_reason():
    larger = f"params={2 * params(DEFAULT)}"
    plan = listed("uniform", "li_l1", budgets=[larger])
    assert [cell.method for cell in plan.asked.values()] == ["uniform"]
    ((method, budget, reason),) = plan.gaps
    assert (method, budget) == ("li_l1", larger) and "smaller" in reason


def test_two_methods_need_two_labels_and_two_folders():
    with pytest.raises(InputError, match="Two methods are called 'x'"):
        listed("x=uniform", "x=neuralscale")
    with pytest.raises(InputError, match="'a b' and 'a-b' would be kept in one folder"):
        listed("a b=uniform", "a-b=neuralscale")


# Earlier runs.


def test_cells_that_are_not_asked_for_now_are_kept():
    first = listed("uniform", "neuralscale")
    second = listed("uniform", seeds=(3, 5), known=kept_of(first))
    assert list(second.others) == ["neuralscale_it2_params2003_seed3"]
    assert len(second.asked) == 2
    third = listed("neuralscale", known=kept_of(second))
    assert len(third.others) == 2 and len(third.asked) == 1


def test_a_label_keeps_its_widths_and_its_kind(tmp_path):
    one, two = ({"widths": widths} for widths in ([3, 5, 7], [7, 5, 3]))
    path = file_of(tmp_path, **one)
    before = kept_of(listed(f"mine=file:{path}"))
    assert listed(f"mine=file:{path}", known=before).asked
    file_of(tmp_path, **two)
    with pytest.raises(InputError, match="mine at params=2003 had the widths .* now"):
        listed(f"mine=file:{path}", known=before)
    with pytest.raises(
        InputError, match="another method .*scratch; now pruned and .*magnitude"
    ):
        listed("a=li_l1", known=kept_of(listed("a=uniform")))


def test_widths_that_were_measured_before_are_not_measured_again(monkeypatch):
    """No two measurements agree, so a second one would give the cell other widths."""
    before = listed("uniform")
    (cell,) = before.asked.values()
    text = "latency_ms=3"
    cell = dataclasses.replace(cell, name="x", budget=text, widths=(2, 3, 5))
    known = Kept({"x": cell}, (), None)

    def propose(setting, targets):
        raise NotApplicable("it would be measured")

    monkeypatch.setattr(
        METHODS,
        "_members",
        {
            **METHODS._members,
            "uniform": dataclasses.replace(METHODS.get("uniform"), propose=propose),
        },
    )
    assert budgets.get("latency_ms").measured
    (again,) = listed("uniform", budgets=[text], known=known).asked.values()
    assert again.widths == (2, 3, 5)
    assert listed("uniform", budgets=[BUDGET]).gaps, "an exact budget is solved again"


def test_data_and_network_stay_those_that_it_began_with():
    task = {"dataset": "digits", "split_seed": 0}
    known = kept_of(listed("uniform", task=task))
    assert listed("uniform", known=known, task={**task, "new": 1}).asked
    with pytest.raises(InputError, match="begun with --split_seed=0; .* it is 5"):
        listed("uniform", known=known, task={**task, "split_seed": 5})


# cells.json.


def test_a_list_of_cells_is_read_as_written(tmp_path):
    first = listed("uniform", "li_l1", task={"dataset": "digits"})
    second = cells.make(
        [toy_setting("uniform")],
        [BUDGET],
        (3, 5),
        kept_of(first),
        {"dataset": "digits"},
        {"methods": ["uniform"]},
    )
    files.write_json(tmp_path / "cells.json", second.to_json())
    known = cells.read_kept(tmp_path)
    assert known.cells == {**second.others, **second.asked}
    assert known.asked == tuple(second.asked) and known.task == second.task
    assert known.wanted == {"methods": ["uniform"]}
    assert cells.read(tmp_path) == second.asked


@pytest.mark.parametrize("path", FINISHED, ids=lambda path: path.parent.name)
def test_a_finished_list_is_written_byte_by_byte_as_it_is(path, tmp_path):
    known, data = cells.read_kept(path.parent), json.loads(path.read_text())
    plan = CellList(
        asked=cells.read(path.parent),
        others={n: c for n, c in known.cells.items() if n not in known.asked},
        gaps=tuple(tuple(gap) for gap in data["gaps"]),
        task=known.task,
        wanted=known.wanted,
    )
    files.write_json(tmp_path / "cells.json", plan.to_json())
    assert text_of(tmp_path / "cells.json") == text_of(path)


def test_a_folder_of_nothing_knows_nothing(tmp_path):
    assert cells.read_kept(tmp_path) == NOTHING
    with pytest.raises(InputError, match="no list of cells"):
        cells.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1}'])
def test_a_damaged_list_is_refused_and_named(tmp_path, text):
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(InputError, match="cells.json"):
        cells.read_kept(tmp_path)


def test_a_cell_that_is_asked_for_has_to_be_in_the_list(tmp_path):
    data = listed("uniform").to_json()
    files.write_json(tmp_path / "cells.json", {**data, "asked": ["other"]})
    with pytest.raises(InputError, match="asked for is not in it"):
        cells.read(tmp_path)
